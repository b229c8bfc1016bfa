"""Adaptive instance normalisation of latents, over the whole image and class by class.

**Source:** Huang and Belongie 2017, eq. 8 (arXiv:1703.06868); Chigot et al. 2025
(arXiv:2505.16360).
**Differs:** class by class, masks are eroded and the scale is `(1 + s_y) / (1 + s_x)`, as in the
released code.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import binary_erosion

from baseline.inputs import NUM_CLASSES

EPSILON = 1e-5


def adain(content: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
    """Returns `content` with each channel's mean and spread of `style`, both `(4, h, w)`."""
    (mean_x, std_x), (mean_y, std_y) = statistics(content), statistics(style)
    return (content - mean_x) / std_x * std_y + mean_y


def statistics(latent: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns mean and standard deviation of each channel, `(4, 1, 1)`."""
    variance, mean = torch.var_mean(latent, dim=(1, 2), keepdim=True)
    return mean, torch.sqrt(variance + EPSILON)


def class_adain(
    content: torch.Tensor,
    style: torch.Tensor,
    content_labels: np.ndarray,
    style_labels: np.ndarray,
) -> torch.Tensor:
    """Returns `content` with each class normalised towards the same class of `style`.

    Label maps are train ids at latent size. Positions of no class, at a class's rim, or of a class
    that either image lacks stay as they are.
    """
    result = content.clone()
    for train_id in range(NUM_CLASSES):
        mask_x, mask_y = class_mask(content_labels, train_id), class_mask(style_labels, train_id)
        if not (mask_x.any() and mask_y.any()):
            continue
        mean_x, std_x = class_statistics(content, mask_x)
        mean_y, std_y = class_statistics(style, mask_y)
        normalised = (content - mean_x) / (1 + std_x) * (1 + std_y) + mean_y
        result = torch.where(mask_x, normalised, result)
    return result


def class_mask(labels: np.ndarray, train_id: int) -> torch.Tensor:
    """Returns where the class is, and its four neighbours too."""
    return torch.from_numpy(binary_erosion(labels == train_id))


def class_statistics(latent: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns mean and standard deviation of each channel within the mask, `(4, 1, 1)`."""
    weights = mask / mask.sum()
    mean = (latent * weights).sum(dim=(1, 2), keepdim=True)
    variance = ((latent - mean) ** 2 * weights).sum(dim=(1, 2), keepdim=True)
    return mean, torch.sqrt(variance + EPSILON)
