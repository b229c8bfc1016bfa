"""Labelled real images: found by the names of the published layouts, and proved to be no style."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from downstream.errors import ExperimentError
from downstream.labels import LabelFile, LabelKind, read_label, refuse_another_size
from downstream.pictures import (
    EXTENSIONS,
    Size,
    digest_of_pixels,
    framed,
    size_of_centre,
    stored_size,
    upright,
)
from downstream.runs import Run, check_style
from onnx_export.write import file_sha256

IMAGE_FOLDERS = ("images", "leftImg8bit", "rgb_anon")
LABEL_FOLDERS = ("labels", "gtFine", "gt")


@dataclass(frozen=True)
class Naming:
    """What follows the name of an image, and of its labels in the order of preference."""

    image: str
    labels: tuple[tuple[str, LabelKind], ...]


NAMINGS = (
    Naming(
        "_leftImg8bit",
        (
            ("_gtFine_labelTrainIds", LabelKind.TRAIN_IDS),
            ("_gtFine_labelIds", LabelKind.LABEL_IDS),
            ("_gtFine_color", LabelKind.COLOUR),
        ),
    ),
    Naming(
        "_rgb_anon",
        (
            ("_gt_labelTrainIds", LabelKind.TRAIN_IDS),
            ("_gt_labelIds", LabelKind.LABEL_IDS),
            ("_gt_labelColor", LabelKind.COLOUR),
        ),
    ),
    Naming("", (("", LabelKind.PALETTE_IDS),)),
)


@dataclass(frozen=True)
class RealImage:
    """A labelled real image, named by its path below its folder.

    `centre` is the size of the part that is framed, `pixels` a digest of it as it is framed.
    """

    name: str
    image: Path
    label: LabelFile
    centre: Size
    pixels: str
    digest: str


@dataclass(frozen=True)
class RealSet:
    """The labelled real images of a folder."""

    folder: Path
    images: tuple[RealImage, ...]

    @property
    def sha256(self) -> str:
        """A digest of all names, images and labels."""
        lines = "\n".join(f"{image.name} {image.digest}" for image in self.images)
        return hashlib.sha256(lines.encode()).hexdigest()


def open_real(folder: Path, size: Size, split: str | None = None) -> RealSet:
    """Returns the images of a folder, in the order of their names; each must have a label."""
    paths = _files(folder, IMAGE_FOLDERS, EXTENSIONS, split)
    if not paths:
        where = f"in a folder {split} of {folder}" if split else f"in {folder}"
        raise ExperimentError(
            f"there is no image {where}: expected images/ with labels/ beside it, or Cityscapes or "
            "ACDC as they are unpacked"
        )
    labels = _files(folder, LABEL_FOLDERS, frozenset({".png"}), split)
    images = []
    for name, path in sorted(paths.items()):
        label = _label(name, labels)
        if label is None:
            raise ExperimentError(
                f"{path} has no label (looked for {_expected(name)} below {folder}): add it, take "
                "the image away, or choose a split that has labels"
            )
        picture, ids = upright(path), read_label(label)
        whole, label_size = Size(*picture.size), Size(ids.shape[1], ids.shape[0])
        refuse_another_size(label.path, label_size, path, whole)
        pixels = digest_of_pixels(framed(picture, size))
        digest = f"{file_sha256(path)}+{file_sha256(label.path)}"
        centre = size_of_centre(whole, size)
        images.append(RealImage(name, path, label, centre, pixels, digest))
    return RealSet(folder, tuple(images))


def _files(
    folder: Path, below: Iterable[str], endings: frozenset[str], split: str | None
) -> dict[str, Path]:
    """Returns files by their paths below the folder that holds them, without their endings."""
    found: dict[str, Path] = {}
    for root in (folder / name for name in below):
        for path in _below(root):
            named = path.relative_to(root).with_suffix("")
            if path.suffix.lower() not in endings or split not in (None, *named.parts[:-1]):
                continue
            name = named.as_posix()
            if name in found:
                raise ExperimentError(
                    f"{found[name]} and {path} have one name ({name}): take one of them away"
                )
            found[name] = path
    return found


def _below(folder: Path, through: tuple[Path, ...] = ()) -> Iterator[Path]:
    """Yields the files below a folder and below links to folders, but for those that lead back."""
    if not folder.is_dir():
        return
    real = folder.resolve()
    if any(of.is_relative_to(real) for of in through):
        return
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            yield from _below(path, (*through, real))
        elif path.is_file():
            yield path


def _naming(name: str) -> Naming:
    return next(naming for naming in NAMINGS if name.endswith(naming.image))


def _label(name: str, labels: dict[str, Path]) -> LabelFile | None:
    naming = _naming(name)
    base = name.removesuffix(naming.image)
    found = ((labels.get(base + suffix), kind) for suffix, kind in naming.labels)
    return next((LabelFile(path, kind) for path, kind in found if path is not None), None)


def _expected(name: str) -> str:
    naming = _naming(name)
    return f"{name.removesuffix(naming.image)}{naming.labels[-1][0]}.png"


def refuse_styles(real: RealSet, runs: Sequence[Run], size: Size) -> None:
    """Raises if an image of a test shows the pixels of a style of a run, chosen or not."""
    by_pixels = {image.pixels: image for image in real.images}
    for run in runs:
        for style in run.styles.values():
            check_style(run, style)
            same = by_pixels.get(digest_of_pixels(framed(upright(style.image), size)))
            if same is not None:
                raise ExperimentError(
                    f"{same.image} has the pixels of {style.name}, a style of run {run.name}: a "
                    "test on it proves nothing, take it out of the real images"
                )


def refuse_contents(real: RealSet, contents: Iterable[Path], size: Size) -> None:
    """Raises if an image of a test shows the pixels of a content that is trained on.

    There may be many contents: where the part that is framed has a size that no image of the test
    has, however they are turned, they are not decoded. How they are turned is not looked at before:
    a PNG may say it after its pixels.
    """
    by_pixels = {image.pixels: image for image in real.images}
    centres = {image.centre for image in real.images}
    for content in contents:
        stored = stored_size(content)
        turned = Size(stored.height, stored.width)
        if centres.isdisjoint(size_of_centre(whole, size) for whole in (stored, turned)):
            continue
        same = by_pixels.get(digest_of_pixels(framed(upright(content), size)))
        if same is not None:
            raise ExperimentError(
                f"{same.image} has the pixels of {content}, a content that is trained on: a test "
                "on it proves nothing, take it out of the real images"
            )


def refuse_shared(train: RealSet, test: RealSet) -> None:
    """Raises if an image that the oracle trains on is tested on."""
    by_pixels = {image.pixels: image for image in test.images}
    for image in train.images:
        same = by_pixels.get(image.pixels)
        if same is not None:
            raise ExperimentError(
                f"{image.image} has the pixels of {same.image}, which is tested on: take one of "
                "them away"
            )
