"""Self-attention whose maps are tensors, and what injection does with them.

A batch that injects holds three branches, in the order of `OUTPUT`, `STYLE` and `CONTENT`. The
output branch takes keys and values of the style branch, its map is contrasted, and filtering
exchanges the key columns that match badly for the content's own.

**Source:** Alaluf et al. 2024, cross-image attention (arXiv:2311.03335), section 3; Chigot et al.
2025 (arXiv:2505.16360), section 3.
**Differs:** filtering is the released code's: columns of keys are exchanged, and heads are summed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention
from torch.nn.functional import cosine_similarity

from baseline.precision import at_least_single

OUTPUT, STYLE, CONTENT = 0, 1, 2


@dataclass(frozen=True)
class Injection:
    """What an injecting pass does in each layer; without a fraction it does not filter."""

    contrast_strength: float
    filter_fraction: float | None


class ExplicitAttention:
    """diffusers' attention processor for a layer that may be injected into."""

    def __init__(self) -> None:
        self.injection: Injection | None = None

    def __call__(self, attn: Attention, hidden_states: torch.Tensor, **_: object) -> torch.Tensor:
        """Returns the layer's output, shaped as `hidden_states (batch, tokens, width)`."""
        query, key, value = (
            split_heads(projection(hidden_states), attn.heads)
            for projection in (attn.to_q, attn.to_k, attn.to_v)
        )
        if self.injection is None:
            result = attention_map(query, key) @ value
        else:
            result = injected(query, key, value, self.injection)
        merged = result.transpose(1, 2).flatten(2)
        return attn.to_out[1](attn.to_out[0](merged))


def split_heads(hidden: torch.Tensor, heads: int) -> torch.Tensor:
    """Returns `(batch, heads, tokens, head_width)` of `(batch, tokens, heads * head_width)`."""
    return hidden.unflatten(2, (heads, -1)).transpose(1, 2)


def attention_map(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
    """Returns softmax(Q K^T / sqrt(head_width)), `(batch, heads, tokens, tokens)`."""
    return torch.softmax(query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1]), dim=-1)


def injected(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, injection: Injection
) -> torch.Tensor:
    """Returns the attention of all three branches, each tensor `(3, heads, tokens, head_width)`."""
    key, mixed = key.clone(), value.clone()
    key[OUTPUT], mixed[OUTPUT] = key[STYLE], value[STYLE]
    maps = attention_map(query, key)
    maps[OUTPUT] = contrasted(maps[OUTPUT], injection.contrast_strength)
    if injection.filter_fraction is not None:
        best = best_match(maps[OUTPUT])
        weak = weak_positions(
            similarity(value[CONTENT], value[STYLE], best), injection.filter_fraction
        )
        maps[OUTPUT] = torch.where(weak, maps[CONTENT], maps[OUTPUT])
        mixed[OUTPUT] = torch.where(weak[:, None], value[CONTENT], value[STYLE])
    return maps @ mixed


def contrasted(attention: torch.Tensor, strength: float) -> torch.Tensor:
    """Returns the map with each weight's distance to the mean of its row scaled."""
    mean = 1.0 / attention.shape[-1]
    return torch.clip((attention - mean) * strength + mean, 0.0, 1.0)


def best_match(attention: torch.Tensor) -> torch.Tensor:
    """Returns for each query the position of the strongest key, `(tokens,)`, over all heads."""
    return attention.sum(dim=0).argmax(dim=-1)


def similarity(content: torch.Tensor, style: torch.Tensor, best: torch.Tensor) -> torch.Tensor:
    """Returns how alike the content's values and their best matches are, `(tokens,)`.

    Values are `(heads, tokens, head_width)`.
    """
    return cosine_similarity(content, style[:, best], dim=-1).abs().sum(dim=0)


def weak_positions(similarity: torch.Tensor, fraction: float) -> torch.Tensor:
    """Returns which positions lie below this quantile, `(tokens,)`."""
    similarity = at_least_single(similarity)
    return similarity < torch.quantile(similarity, fraction)


def make_attention_explicit(unet: UNet2DConditionModel) -> list[ExplicitAttention]:
    """Gives explicit attention to the self-attention layers of the last two up blocks.

    They have as many tokens as the latent has positions, or a quarter of that.
    """
    last = len(unet.up_blocks) - 1
    explicit = {
        name: ExplicitAttention()
        for name in unet.attn_processors
        if name.startswith((f"up_blocks.{last - 1}.", f"up_blocks.{last}."))
        and name.endswith(".attn1.processor")
    }
    unet.set_attn_processor({**unet.attn_processors, **explicit})
    return list(explicit.values())
