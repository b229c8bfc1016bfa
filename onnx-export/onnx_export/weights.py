"""State dicts: a file of named tensors, read without running anything in it, and put in place."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from onnx_export.errors import CheckpointError, first_line
from onnx_export.files import needed_file
from onnx_export.finite import refuse_negative_variances, refuse_not_finite

StateDict = Mapping[str, Tensor]

# Counts of training steps: older checkpoints lack them, and nothing is computed from them.
UNUSED = "num_batches_tracked"


def read_state_dict(path: Path) -> StateDict:
    """Returns the tensors of a `.safetensors` file or of one that `torch.save` wrote.

    All of them are finite.
    """
    if not path.is_file():
        raise CheckpointError(f"{path} is not a file: give a state dict (.pth or .safetensors)")
    needed_file(path)
    state = stored_state(path)
    refuse_not_finite(state, path)
    refuse_negative_variances(state, path)
    return state


def stored_state(path: Path) -> StateDict:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise CheckpointError(
            f"{path} cannot be read as a state dict: {first_line(error)}: download it again, or "
            "save the network's state_dict()"
        ) from error
    if not is_state_dict(state):
        raise CheckpointError(
            f"{path} holds something other than named tensors: save the network's state_dict()"
        )
    return state


def is_state_dict(state: object) -> bool:
    return (
        isinstance(state, Mapping)
        and len(state) > 0
        and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items())
    )


def load_weights(
    module: nn.Module, state: StateDict, path: Path, network: str, advice: str
) -> None:
    """Puts `state` into `module`, if it has exactly the module's tensors.

    `path` and `network` are for the message: where the state comes from and what it must fit.
    """
    expected = module.state_dict()
    for missing in (key for key in expected if key not in state and UNUSED not in key):
        count = sum(key not in state and UNUSED not in key for key in expected)
        raise CheckpointError(
            f"{path} lacks {count} of {network}'s tensors, {missing} among them: {advice}"
        )
    for key, tensor in state.items():
        if key not in expected:
            count = sum(key not in expected for key in state)
            raise CheckpointError(
                f"{path} has {count} tensors that {network} does not have, {key} among them: "
                f"{advice}"
            )
        if tensor.is_floating_point() != expected[key].is_floating_point():
            raise CheckpointError(
                f"{path} has {key} as {tensor.dtype}, and {network} needs {expected[key].dtype}: "
                f"give the checkpoint before it was quantised: {advice}"
            )
        if tensor.shape != expected[key].shape:
            raise CheckpointError(
                f"{path} has {key} of shape {tuple(tensor.shape)}, and {network} needs "
                f"{tuple(expected[key].shape)}: {advice}"
            )
    module.load_state_dict(dict(expected) | dict(state))
