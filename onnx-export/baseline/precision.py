"""What torch cannot compute in half precision."""

from __future__ import annotations

import torch


def at_least_single(numbers: torch.Tensor) -> torch.Tensor:
    """Returns numbers of half precision in single, and others as they are."""
    return numbers.float() if numbers.dtype in (torch.float16, torch.bfloat16) else numbers
