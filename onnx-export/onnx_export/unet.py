"""The UNet as it is exported: FreeU built in, markers in place of the injected self-attention."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from diffusers import UNet2DConditionModel
from torch import nn

from onnx_export.attention import FusedAttention, MarkedAttention
from onnx_export.freeu import FreeUScales, freeu_for


@dataclass(frozen=True)
class LatentSize:
    """Height and width of a latent: an eighth of the image's."""

    height: int
    width: int

    def halved(self, times: int) -> tuple[int, int]:
        return self.height >> times, self.width >> times


class ExportedUnet(nn.Module):
    """A UNet at one latent size.

    `sample` is `(batch, 4, h, w)`, `timestep` `(1,)` int64 and `prompt_embedding` `(1, 77, d)`,
    both common to the whole batch. Returns the noise prediction, shaped as `sample`. Attention is
    diffusers' own until `mark_injected_layers`.

    **Source:** `UNet2DConditionModel.forward` of diffusers.
    **Differs:** the time embedding stays one row, since the timestep is common to the batch.
    """

    def __init__(
        self, unet: UNet2DConditionModel, latent: LatentSize, freeu: FreeUScales | None
    ) -> None:
        super().__init__()
        self.unet = unet
        self.freeu = nn.ModuleList(freeu_filters(unet, latent, freeu))

    def forward(
        self, sample: torch.Tensor, timestep: torch.Tensor, prompt_embedding: torch.Tensor
    ) -> torch.Tensor:
        unet = self.unet
        time = unet.time_embedding(unet.time_proj(timestep).to(sample.dtype))
        hidden = unet.conv_in(sample)
        skips = (hidden,)
        for block in unet.down_blocks:
            hidden, block_skips = block(hidden, time, **prompt_for(block, prompt_embedding))
            skips += block_skips
        hidden = unet.mid_block(hidden, time, **prompt_for(unet.mid_block, prompt_embedding))
        for block, freeu in zip(unet.up_blocks, self.freeu, strict=True):
            count = len(block.resnets)
            skips, block_skips = skips[:-count], skips[-count:]
            prompt = prompt_for(block, prompt_embedding)
            hidden = block(freeu(hidden), block_skips, time, **prompt)
        return unet.conv_out(unet.conv_act(unet.conv_norm_out(hidden)))


def prompt_for(block: nn.Module, prompt_embedding: torch.Tensor) -> dict[str, torch.Tensor]:
    """Returns the block's prompt argument: none if it has no text cross-attention."""
    if getattr(block, "has_cross_attention", False):
        return {"encoder_hidden_states": prompt_embedding}
    return {}


def freeu_filters(
    unet: UNet2DConditionModel, latent: LatentSize, freeu: FreeUScales | None
) -> list[nn.Module]:
    """Returns one filter per up block, for the block's input channels and size."""
    widths = unet.config.block_out_channels
    inputs = (widths[-1], *reversed(widths[1:]))
    sizes = [latent.halved(len(widths) - 1 - i) for i in range(len(widths))]
    return [freeu_for(c, max(widths), s, freeu) for c, s in zip(inputs, sizes, strict=True)]


def mark_injected_layers(unet: UNet2DConditionModel) -> None:
    """Gives every attention its processor.

    Injected are the self-attention layers of the two last up blocks' sizes: as many tokens as the
    latent has positions, or a quarter of that. The first of these hand over their input as well.
    """
    last = len(unet.up_blocks) - 1
    injected = tuple(f"up_blocks.{i}." for i in (last - 1, last))
    processors: dict[str, FusedAttention] = {}
    for key in unet.attn_processors:
        name = key.removesuffix(".processor")
        if name.startswith(injected) and name.endswith(".attn1"):
            processors[key] = MarkedAttention(name, gives_input=name.startswith(injected[-1]))
        else:
            processors[key] = FusedAttention()
    unet.set_attn_processor(processors)
