"""AdaIN by hand, where the goldens cannot tell: two sizes, and positions that stay as they are."""

from __future__ import annotations

import numpy as np
import torch

from baseline.adain import adain, class_adain
from baseline.inputs import UNKNOWN


def test_spreads_are_unbiased_over_the_whole_image() -> None:
    content = torch.tensor([[[0.0, 2.0]]], dtype=torch.float64)
    style = torch.tensor([[[1.0, 2.0, 3.0, 6.0]]], dtype=torch.float64)
    spread = np.sqrt((14 / 3 + 1e-5) / (2 + 1e-5))
    expected = torch.tensor([[[3 - spread, 3 + spread]]])
    torch.testing.assert_close(adain(content, style), expected)


def test_only_the_inside_of_a_class_that_both_have_changes() -> None:
    labels = np.full((5, 12), UNKNOWN, np.uint8)
    labels[:, :6], labels[1:4, 8:11] = 0, 13
    style_labels = np.zeros((5, 12), np.uint8)
    generator = torch.Generator().manual_seed(3)
    content, style = torch.randn((2, 4, 5, 12), generator=generator, dtype=torch.float64)
    result = class_adain(content, style, labels, style_labels)
    inside = np.zeros((5, 12), bool)
    inside[1:4, 1:5] = True
    assert np.array_equal((result != content).all(dim=0), inside)
    assert np.array_equal((result != content).any(dim=0), inside)

    x, y = content[:, 1:4, 1:5].numpy(), style[:, 1:4, 1:11].numpy()
    mean_x, mean_y = (a.mean(axis=(1, 2), keepdims=True) for a in (x, y))
    std_x, std_y = (np.sqrt(a.var(axis=(1, 2), keepdims=True) + 1e-5) for a in (x, y))
    expected = (x - mean_x) / (1 + std_x) * (1 + std_y) + mean_y
    np.testing.assert_allclose(result[:, 1:4, 1:5], expected, rtol=1e-5)
