"""Colour transfer: what can be had of a style's colours without a model.

**Source:** Reinhard et al. 2001, "Color transfer between images", in CIELAB; matching of
histograms by channel is scikit-image's.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from skimage.color import lab2rgb, rgb2lab
from skimage.exposure import match_histograms

FLAT = 0.01
"""Spread below which a channel of CIELAB shows one value: greys are up to 0.005 from zero."""


class ColourTransfer(StrEnum):
    """How the colours of a style are given to a content."""

    REINHARD = "reinhard"
    HISTOGRAM = "histogram"

    def apply(self, content: np.ndarray, style: np.ndarray) -> np.ndarray:
        """Returns `content` `(height, width, 3)` in the colours of `style`, both bytes in RGB."""
        match self:
            case ColourTransfer.REINHARD:
                return reinhard(content, style)
            case ColourTransfer.HISTOGRAM:
                matched = match_histograms(content, style, channel_axis=-1)
                return np.clip(np.rint(matched), 0, 255).astype(np.uint8)


def reinhard(content: np.ndarray, style: np.ndarray) -> np.ndarray:
    """Returns `content` with the means and deviations of `style` in each channel of CIELAB.

    A channel that shows one value takes the mean of the style's.
    """
    of, to = rgb2lab(content), rgb2lab(style)
    deviation = of.std(axis=(0, 1))
    gain = np.divide(
        to.std(axis=(0, 1)), deviation, out=np.zeros_like(deviation), where=deviation > FLAT
    )
    moved = (of - of.mean(axis=(0, 1))) * gain + to.mean(axis=(0, 1))
    # A lightness beyond its range, or a colour that no screen has, is clipped.
    moved[..., 0] = np.clip(moved[..., 0], 0.0, 100.0)
    return np.rint(np.clip(lab2rgb(moved), 0.0, 1.0) * 255).astype(np.uint8)
