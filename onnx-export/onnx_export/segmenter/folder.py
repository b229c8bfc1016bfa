"""A segmenter in a folder as transformers' `save_pretrained` writes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
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
STEPS = ("do_rescale", "rescale_factor", "do_flip_channel_order", "do_normalize")
"""What a preprocessor does to the numbers of an image, as its file may say."""
UNSAID = {"do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True}
"""What most preprocessors do where their files say nothing."""
FLOAT32 = torch.finfo(torch.float32)


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
        normalisation = self.normalisation(config, given)
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

    def normalisation(
        self, config: Mapping[str, Any], given: Normalisation | None
    ) -> Normalisation:
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
        settings = read_json(path)
        return stored_normalisation(path, settings, steps_unsaid(config, settings))


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


def steps_unsaid(config: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a preprocessor does where its file says nothing.

    It is what the class that the file names does in transformers, or else that of the network.
    """
    import transformers
    from transformers.models.auto.image_processing_auto import IMAGE_PROCESSOR_MAPPING_NAMES

    known = {name for names in IMAGE_PROCESSOR_MAPPING_NAMES.values() for name in names.values()}
    said = settings.get("image_processor_type") or settings.get("feature_extractor_type")
    named = str(said).removesuffix("Fast").replace("FeatureExtractor", "ImageProcessor")
    own = IMAGE_PROCESSOR_MAPPING_NAMES.get(str(config.get("model_type")), {})
    for name in (named, own.get("torchvision"), own.get("pil")):
        if name is not None and name in known:
            kind = getattr(transformers, name)
            return {step: getattr(kind, step, None) for step in STEPS}
    return UNSAID


def stored_normalisation(
    path: Path, settings: Mapping[str, Any], unsaid: Mapping[str, Any] = UNSAID
) -> Normalisation:
    """Returns what the preprocessor does to bytes, said of images in 0..1.

    `unsaid` is what it does where its file says nothing, or null.
    """
    steps = dict(unsaid) | {key: of for key, of in settings.items() if of is not None}
    if steps.get("do_flip_channel_order"):
        raise CheckpointError(
            f"{path} has the channels of images flipped (do_flip_channel_order), to blue, green "
            "and red, and a graph takes them as they are: wrap the network in a --factory that "
            "flips them"
        )
    largest = largest_of(path, steps)
    mean, std = UNCHANGED.mean, UNCHANGED.std
    if steps.get("do_normalize"):
        mean, std = (three(path, settings, key) for key in ("image_mean", "image_std"))
        if min(std) <= 0:
            raise CheckpointError(
                f"{path} has image_std as {std}, expected numbers above 0: download it again"
            )
    found = Normalisation(
        (mean[0] / largest, mean[1] / largest, mean[2] / largest),
        (std[0] / largest, std[1] / largest, std[2] / largest),
    )
    if max(map(abs, (*found.mean, *found.std))) > FLOAT32.max or min(found.std) < FLOAT32.tiny:
        raise CheckpointError(
            f"{path} takes {found.mean} from images in 0..1 and divides by {found.std}, which "
            "float32 cannot hold: download it again"
        )
    return found


def largest_of(path: Path, steps: Mapping[str, Any]) -> float:
    """Returns what becomes of the largest byte before anything is taken from it."""
    factor = steps.get("rescale_factor") if steps.get("do_rescale") else 1.0
    if isinstance(factor, bool) or not isinstance(factor, int | float) or not 1e-6 < factor < 256:
        raise CheckpointError(
            f"{path} has rescale_factor as {factor!r}, expected one such as 1/255: download it "
            "again"
        )
    largest = 255.0 * factor
    return 1.0 if abs(largest - 1.0) < 1e-6 else largest


def three(path: Path, settings: Mapping[str, Any], key: str) -> tuple[float, float, float]:
    """Returns one number for each channel."""
    values = settings.get(key)
    if (
        not isinstance(values, list)
        or len(values) != 3
        or any(isinstance(each, bool) or not isinstance(each, int | float) for each in values)
        or not all(abs(each) <= FLOAT32.max for each in values)
    ):
        raise CheckpointError(
            f"{path} has {key} as {values!r}, expected three numbers, of red, green and blue: "
            "give --mean and --std and leave the file out, or download it again"
        )
    red, green, blue = (float(each) for each in values)
    return red, green, blue
