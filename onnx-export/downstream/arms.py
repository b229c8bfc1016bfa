"""The arms of an experiment: sets of equal size to train on, made from the same contents."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from downstream.colour import ColourTransfer
from downstream.errors import ExperimentError
from downstream.labels import LabelFile, read_label, refuse_another_size
from downstream.pictures import Size, framed, framed_ids, stored_size, upright, upright_size
from downstream.real import RealSet
from downstream.runs import Item, Run, Style
from onnx_export.write import file_sha256

SELECTION_SEED = 0


class ArmKind(StrEnum):
    """What an arm is trained on."""

    SOURCE = "source"
    COLOUR_TRANSFER = "colour-transfer"
    RUN = "run"
    SOURCE_AND_RUN = "source-and-run"
    ORACLE = "oracle"


@dataclass(frozen=True)
class Example:
    """A picture and its label, and the style whose colours the picture takes, if any."""

    image: Path
    label: LabelFile
    digest: str
    colours_of: Path | None = None
    transfer: ColourTransfer | None = None

    def load(self, size: Size) -> tuple[np.ndarray, np.ndarray]:
        """Returns the picture `(height, width, 3)` and its train ids `(height, width)`."""
        ids = read_label(self.label)
        picture = upright(self.image)
        label_size = Size(ids.shape[1], ids.shape[0])
        refuse_another_size(self.label.path, label_size, self.image, Size(*picture.size))
        image = framed(picture, size)
        if self.colours_of is not None and self.transfer is not None:
            image = self.transfer.apply(image, framed(upright(self.colours_of), size))
        return image, framed_ids(ids, size)


@dataclass(frozen=True)
class Arm:
    """A set to train on."""

    kind: ArmKind
    run: str | None
    examples: tuple[Example, ...]

    @property
    def name(self) -> str:
        """Its name for people."""
        match self.kind:
            case ArmKind.SOURCE:
                return "source only"
            case ArmKind.COLOUR_TRANSFER:
                return "colour transfer"
            case ArmKind.RUN:
                return str(self.run)
            case ArmKind.SOURCE_AND_RUN:
                return f"source + {self.run}"
            case ArmKind.ORACLE:
                return "oracle"

    @property
    def key(self) -> str:
        """Its name in files; runs have names without dots."""
        return self.kind.value if self.run is None else f"{self.kind.value}.{self.run}"

    @property
    def sha256(self) -> str:
        """A digest of what it trains on."""
        lines = "\n".join(example.digest for example in self.examples)
        return hashlib.sha256(lines.encode()).hexdigest()


@dataclass(frozen=True)
class ArmOptions:
    """Which arms there are, and how large they are at most."""

    transfer: ColourTransfer = ColourTransfer.REINHARD
    images: int | None = None
    with_source_and_run: bool = True


def build_arms(
    runs: Sequence[Run], oracle: RealSet | None, options: ArmOptions, say: Callable[[str], None]
) -> list[Arm]:
    """Returns all arms; each has as many examples, and those of contents are of the same ones."""
    _check_runs(runs)
    converted = [run.by_content() for run in runs]
    first = runs[0]
    common = sorted(set.intersection(*(set(of) for of in converted)))
    if not common:
        raise ExperimentError(
            f"runs {', '.join(run.name for run in runs)} have no content in common that is done: "
            "compare runs of the same contents, such as with pairing.mode every-style"
        )
    size = _size(len(common), oracle, options.images, say)
    order = np.random.default_rng(SELECTION_SEED).permutation(len(common))
    contents = [common[at] for at in order[:size]]
    source = [_source(first, name) for name in contents]
    of_runs = [
        [_converted(run, _one_of(of[name], at)) for at, name in enumerate(contents)]
        for run, of in zip(runs, converted, strict=True)
    ]
    arms = [Arm(ArmKind.SOURCE, None, tuple(source))]
    styles = [_one_of(converted[0][name], at).style for at, name in enumerate(contents)]
    coloured = [
        _coloured(example, first.styles[style], options.transfer)
        for example, style in zip(source, styles, strict=True)
    ]
    arms.append(Arm(ArmKind.COLOUR_TRANSFER, None, tuple(coloured)))
    for run, examples in zip(runs, of_runs, strict=True):
        arms.append(Arm(ArmKind.RUN, run.name, tuple(examples)))
    if options.with_source_and_run:
        for run, examples in zip(runs, of_runs, strict=True):
            halves = [(source, examples)[at % 2][at] for at in range(size)]
            arms.append(Arm(ArmKind.SOURCE_AND_RUN, run.name, tuple(halves)))
    if oracle is not None:
        order = np.random.default_rng(SELECTION_SEED).permutation(len(oracle.images))
        chosen = [oracle.images[at] for at in order[:size]]
        real = tuple(Example(of.image, of.label, of.digest) for of in chosen)
        arms.append(Arm(ArmKind.ORACLE, None, real))
    return arms


def _check_runs(runs: Sequence[Run]) -> None:
    first = runs[0]
    for at, run in enumerate(runs):
        if run.name in (other.name for other in runs[:at]):
            raise ExperimentError(f"run {run.name} is given twice: give each run once")
        if run.size != first.size:
            raise ExperimentError(
                f"run {first.name} is {first.size} and run {run.name} is {run.size}: compare runs "
                "of one size"
            )


def _size(
    common: int, oracle: RealSet | None, asked: int | None, say: Callable[[str], None]
) -> int:
    most = common if oracle is None else min(common, len(oracle.images))
    if asked is not None:
        if asked > most:
            raise ExperimentError(
                f"--images {asked} is more than all arms have: {common} contents are done in every "
                f"run, and there are {len(oracle.images) if oracle else 'no'} real images to train "
                f"on: ask for at most {most}"
            )
        return asked
    if most < common:
        say(
            f"every arm has {most} images, as many as there are real ones to train on, of {common} "
            "contents: without --real-train all are used"
        )
    return most


def _one_of(items: list[Item], at: int) -> Item:
    """Returns one item of a content: the styles take turns."""
    return items[at % len(items)]


def _converted(run: Run, item: Item) -> Example:
    expected = ((item.image, item.image_sha256), (item.label.path, item.label_sha256))
    for path, sha256 in expected:
        if file_sha256(path) != sha256:
            raise ExperimentError(
                f"run {run.name}: {path} was altered: `synth2real audit` tells more"
            )
    return _example(item.image, item.label, f"{item.image_sha256}+{item.label_sha256}")


def _example(image: Path, label: LabelFile, digest: str) -> Example:
    refuse_another_size(label.path, stored_size(label.path), image, upright_size(image))
    return Example(image, label, digest)


def _source(run: Run, content: str) -> Example:
    listed = run.contents[content]
    if listed.label is None:
        raise ExperimentError(f"run {run.name}: its content {content} has no label")
    needs = "give the folder of the run's contents by --content-root"
    for path in (listed.image, listed.label.path):
        if not path.is_file():
            raise ExperimentError(f"run {run.name}: its content {path} is not there: {needs}")
    image_sha256 = file_sha256(listed.image)
    if image_sha256 not in run.content_digests[content]:
        raise ExperimentError(
            f"run {run.name}: {listed.image} is not what the run was made with: {needs}"
        )
    digest = f"{image_sha256}+{file_sha256(listed.label.path)}"
    return _example(listed.image, listed.label, digest)


def _coloured(example: Example, style: Style, transfer: ColourTransfer) -> Example:
    digest = f"{example.digest}+{transfer}+{file_sha256(style.image)}"
    return Example(example.image, example.label, digest, style.image, transfer)
