"""A segmenter in a folder as transformers' `save_pretrained` writes it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from onnx_export.contract import Normalisation, Source
from onnx_export.errors import CheckpointError, UsageError
from onnx_export.files import is_named, read_json
from onnx_export.finite import refuse_negative_variances, refuse_not_finite
from onnx_export.loading import load_transformers
from onnx_export.segmenter.network import UNCHANGED, MaskScores, Scores, SegmentationNetwork
from onnx_export.weight_files import TRANSFORMERS, weight_files
from onnx_export.write import files_sha256

CONFIG, PREPROCESSOR = "config.json", "preprocessor_config.json"
SEMANTIC = "ForSemanticSegmentation"
MASKS: dict[str, tuple[int, int] | None] = {
    "Mask2FormerForUniversalSegmentation": (384, 384),
    "MaskFormerForInstanceSegmentation": None,
}
"""Networks of masks, with the size at which transformers sums them; none for their own."""


@dataclass(frozen=True)
class Folder:
    """A folder with `config.json`, weights, and `preprocessor_config.json` if it has one."""

    checkpoint: Path

    def load(self, given: Normalisation | None) -> SegmentationNetwork:
        folder = self.checkpoint
        if not folder.is_dir():
            raise CheckpointError(
                f"{folder} is not a folder: give one that transformers' save_pretrained wrote"
            )
        config = read_json(folder / CONFIG)
        kind, names = kind_of(folder, config), names_of(folder, config)
        normalisation = self.normalisation(given)
        weights = weight_files(folder, TRANSFORMERS)
        network, notes = load_transformers(library_class(folder, kind), folder, weights)
        refuse_not_finite(network.state_dict(), folder)
        refuse_negative_variances(network.state_dict(), folder)
        name = f"transformers {folder.name}"
        read = [folder / CONFIG, folder / PREPROCESSOR, *weights.files]
        digest = files_sha256(folder, [path for path in read if path.is_file()])
        return SegmentationNetwork(
            module=MaskScores(network, MASKS[kind]) if kind in MASKS else Scores(network, name),
            name=name,
            source=Source(folder.name, digest),
            normalisation=normalisation,
            names=names,
            notes=tuple(note for note in (weights.note(), *notes) if note),
            any_size=kind not in MASKS,
        )

    def normalisation(self, given: Normalisation | None) -> Normalisation:
        """Returns what the folder says of the network's input; what people say where it does not.

        Raises if both say something, or neither.
        """
        path = self.checkpoint / PREPROCESSOR
        if not is_named(path):
            if given is None:
                raise UsageError(
                    f"{self.checkpoint} has no {PREPROCESSOR}, which says what the network's input "
                    "is to be: download it, or give --mean and --std"
                )
            return given
        if given is not None:
            raise UsageError(
                f"{path} says what the network's input is to be: leave out --mean and --std"
            )
        return stored_normalisation(path, read_json(path))


def kind_of(folder: Path, config: dict[str, Any]) -> str:
    """Returns the class of the network that the folder is of, one that segments."""
    kinds = config.get("architectures")
    kind = kinds[0] if isinstance(kinds, list) and len(kinds) == 1 else None
    if isinstance(kind, str) and (kind.endswith(SEMANTIC) or kind in MASKS):
        return kind
    raise CheckpointError(
        f"{folder / CONFIG} has the architectures {kinds!r}, expected one ...{SEMANTIC}, "
        f"{' or '.join(MASKS)}: give the folder of a semantic segmentation"
    )


def library_class(folder: Path, kind: str) -> type[nn.Module]:
    import transformers

    found = getattr(transformers, kind, None)
    if not isinstance(found, type):
        raise CheckpointError(
            f"{folder / CONFIG} has the architecture {kind}, which transformers "
            f"{transformers.__version__} does not have: give another network"
        )
    return found


def names_of(folder: Path, config: dict[str, Any]) -> tuple[str, ...] | None:
    """Returns the names of classes in the order of their indices, which have no gap."""
    names = config.get("id2label")
    if names is None:
        return None
    indices = [str(index) for index in range(len(names))] if isinstance(names, dict) else []
    if not indices or set(indices) != set(names):
        raise CheckpointError(
            f"{folder / CONFIG} has an id2label that is not one name for each index from 0 on: "
            "download it again"
        )
    return tuple(str(names[index]) for index in indices)


def stored_normalisation(path: Path, settings: dict[str, Any]) -> Normalisation:
    """Returns what the preprocessor does to bytes, said of images in 0..1."""
    rescaled = settings.get("do_rescale", True)
    factor = settings.get("rescale_factor", 1 / 255) if rescaled else 1.0
    if isinstance(factor, bool) or not isinstance(factor, int | float) or not 0 < factor < 256:
        raise CheckpointError(f"{path} has rescale_factor as {factor!r}: download it again")
    # Bytes are 255 times what images in 0..1 are.
    largest = 255.0 * factor
    if abs(largest - 1.0) < 1e-6:
        largest = 1.0
    if not settings.get("do_normalize", True):
        mean, std = UNCHANGED.mean, UNCHANGED.std
    else:
        mean, std = (three(path, settings, key) for key in ("image_mean", "image_std"))
        if min(std) <= 0:
            raise CheckpointError(f"{path} has image_std as {std}, expected numbers above 0")
    return Normalisation(
        (mean[0] / largest, mean[1] / largest, mean[2] / largest),
        (std[0] / largest, std[1] / largest, std[2] / largest),
    )


def three(path: Path, settings: dict[str, Any], key: str) -> tuple[float, float, float]:
    """Returns one number for each channel."""
    values = settings.get(key)
    if (
        not isinstance(values, list)
        or len(values) != 3
        or any(isinstance(each, bool) or not isinstance(each, int | float) for each in values)
        or not all(math.isfinite(each) for each in values)
    ):
        raise CheckpointError(
            f"{path} has {key} as {values!r}, expected three numbers, of red, green and blue: "
            "give --mean and --std and leave the file out, or download it again"
        )
    red, green, blue = (float(each) for each in values)
    return red, green, blue
