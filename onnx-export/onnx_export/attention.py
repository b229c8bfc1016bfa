"""Attention processors that emit one ONNX operator per attention.

Queries, keys and values are `(batch, tokens, heads * head_width)`, heads contiguous along the
width: the layout of `com.microsoft::MultiHeadAttention`, which scales by `1 / sqrt(head_width)`
and never holds a tokens x tokens tensor.

**Source:** the projections follow `AttnProcessor2_0` of diffusers.
"""

from __future__ import annotations

import torch
from diffusers.models.attention_processor import Attention

MARKER_DOMAIN = "synth2real"
MARKER = "InjectAttention"


class FusedAttention:
    """An attention as `com.microsoft::MultiHeadAttention`.

    With a prompt (text cross-attention) the keys and values are `(1, prompt tokens, width)`
    whatever the batch: the batch is folded into the queries' tokens, which is the same attention
    because every element of the batch has the same keys.
    """

    def __call__(
        self,
        attn: Attention,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        temb: torch.Tensor | None = None,  # noqa: ARG002  (the VAE gives it, as None)
    ) -> torch.Tensor:
        assert attention_mask is None
        assert attn.norm_q is None
        assert attn.norm_k is None
        residual = hidden_states
        image_shape = hidden_states.shape if hidden_states.ndim == 4 else None
        if attn.group_norm is not None:
            hidden_states = attn.group_norm(hidden_states)
        if image_shape is not None:
            hidden_states = hidden_states.flatten(2).transpose(1, 2)

        source = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query, key, value = attn.to_q(hidden_states), attn.to_k(source), attn.to_v(source)
        if encoder_hidden_states is None:
            hidden_states = self.attend(attn, hidden_states, query, key, value)
        else:
            folded = query.reshape(1, -1, query.shape[2])
            hidden_states = fused_attention(attn, folded, key, value)
            hidden_states = hidden_states.reshape(-1, *query.shape[1:])

        hidden_states = attn.to_out[0](hidden_states)
        if image_shape is not None:
            hidden_states = hidden_states.transpose(1, 2).unflatten(2, image_shape[2:])
        if attn.residual_connection:
            hidden_states = hidden_states + residual
        if attn.rescale_output_factor != 1.0:
            hidden_states = hidden_states / attn.rescale_output_factor
        return hidden_states

    def attend(
        self,
        attn: Attention,
        normalised: torch.Tensor,  # noqa: ARG002  (a marker takes it)
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
    ) -> torch.Tensor:
        """Returns self-attention; all tensors `(batch, tokens, width)`.

        `normalised` is what the others are projected from.
        """
        return fused_attention(attn, query, key, value)


class MarkedAttention(FusedAttention):
    """A self-attention left open: a marker operator where the engine injects its own.

    With `gives_input` the marker also takes what query, key and value are projected from, so that
    the engine is handed it.
    """

    def __init__(self, layer: str, gives_input: bool) -> None:
        self.layer = layer
        self.gives_input = gives_input

    def attend(
        self,
        attn: Attention,
        normalised: torch.Tensor,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
    ) -> torch.Tensor:
        """Returns the marker's result; all tensors `(batch, tokens, width)`."""
        more = (normalised,) if self.gives_input else ()
        return torch.onnx.ops.symbolic(
            f"{MARKER_DOMAIN}::{MARKER}",
            (query, key, value, *more),
            {"layer": self.layer, "heads": attn.heads},
            dtype=query.dtype,
            shape=query.shape,
            version=1,
        )


def fused_attention(
    attn: Attention, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor
) -> torch.Tensor:
    """Returns the attention of one operator: in single precision if the model asks for that.

    Scores of such a model can go beyond half precision, though what they are made of does not.
    """
    if not getattr(attn, "upcast_attention", False) or query.dtype == torch.float32:
        return multi_head_attention(attn.heads, query, key, value)
    single = (tensor.float() for tensor in (query, key, value))
    return multi_head_attention(attn.heads, *single).to(query.dtype)


def multi_head_attention(
    heads: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor
) -> torch.Tensor:
    """Returns softmax(Q K^T / sqrt(head_width)) V as one operator; shape as `query`."""
    return torch.onnx.ops.symbolic(
        "com.microsoft::MultiHeadAttention",
        (query, key, value),
        {"num_heads": heads},
        dtype=query.dtype,
        shape=query.shape,
        version=1,
    )
