"""A failure of an experiment that a user can act on."""

from __future__ import annotations

from onnx_export.errors import CheckpointError


class ExperimentError(CheckpointError):
    """What is to be read, trained or written cannot be used as it is."""
