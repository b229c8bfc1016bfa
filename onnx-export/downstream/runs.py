"""A run as it is stored: its record, its plan, and what its manifest says is done."""

from __future__ import annotations

import fnmatch
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet

from downstream.errors import ExperimentError
from downstream.labels import LabelFile, LabelKind
from downstream.pictures import Size
from onnx_export.errors import first_line
from onnx_export.files import read_json
from onnx_export.write import file_sha256

FORMAT_VERSION = 4
COLUMNS = ("content", "style", "status", "content_sha256", "image_sha256", "label_sha256")


@dataclass(frozen=True)
class Listed:
    """An image of a run's input dataset."""

    name: str
    image: Path


@dataclass(frozen=True)
class Content(Listed):
    """A content with its label; none where it has none."""

    label: LabelFile | None


@dataclass(frozen=True)
class Style(Listed):
    """A style with the file of its label, which is not read; none where it has none."""

    label: Path | None


@dataclass(frozen=True)
class Item:
    """An output and its label."""

    content: str
    style: str
    image: Path
    label: LabelFile
    image_sha256: str
    label_sha256: str


@dataclass(frozen=True)
class Run:
    """A run that can be trained on.

    `content_digests` are those of the image files that the items of a content were made from.
    """

    name: str
    folder: Path
    plan_hash: str
    method: str
    preset: str | None
    size: Size
    contents: dict[str, Content]
    content_digests: dict[str, set[str]]
    styles: dict[str, Style]
    items: tuple[Item, ...]
    chosen_styles: tuple[str, ...]
    planned: int
    done: int
    is_partial: bool

    def by_content(self) -> dict[str, list[Item]]:
        """Returns the items of each content, in the order of their styles."""
        found: dict[str, list[Item]] = {}
        for item in self.items:
            found.setdefault(item.content, []).append(item)
        return found


@dataclass(frozen=True)
class RunOptions:
    """Where runs and their inputs are, and what of them is taken."""

    root: Path
    styles: tuple[str, ...] = ()
    partial: bool = False
    content_root: Path | None = None
    style_root: Path | None = None


def open_run(name: str, options: RunOptions) -> Run:
    """Returns a run by its name below the root, or by its folder."""
    folder = _folder(name, options.root)
    record = _record(folder)
    frozen = record["frozen"]
    plan = _plan(folder, frozen["plan_sha256"])
    content_root = _root(record, "content", options.content_root)
    style_root = _root(record, "style", options.style_root)
    run = str(record["run"])
    rows = _rows(folder, run)
    done = [row for row in rows if row["status"] == "done"]
    is_partial = _check_complete(run, rows, frozen["num_items"], options.partial)
    contents = {of["name"]: _content(run, of, content_root) for of in plan["contents"]}
    stored = {of["name"]: _stored_label(run, of, folder) for of in plan["contents"]}
    styles = {of["name"]: _style(of, style_root) for of in plan["styles"]}
    chosen = _chosen(run, list(styles), options.styles)
    items = []
    for row in sorted(done, key=lambda row: (row["content"], row["style"])):
        if row["style"] not in chosen:
            continue
        image = folder / "images" / row["style"] / f"{row['content']}.png"
        label = stored[row["content"]]
        for path in (image, label.path):
            if not path.is_file():
                raise ExperimentError(
                    f"run {run}: {path} is not there, and its manifest says that it is done: "
                    "copy it again, or `synth2real run` its settings, which makes it again"
                )
        digests = row["image_sha256"], row["label_sha256"]
        items.append(Item(row["content"], row["style"], image, label, *digests))
    made_of: dict[str, set[str]] = {}
    for row in done:
        made_of.setdefault(row["content"], set()).add(row["content_sha256"])
    if not items:
        raise ExperimentError(f"run {run} has no item that is done: convert it before")
    method, model = frozen["method"], frozen["model"]
    return Run(
        run, folder, record["plan_hash"], method["method"], method.get("preset"),
        Size(model["width"], model["height"]), contents, made_of, styles, tuple(items), chosen,
        frozen["num_items"], len(done), is_partial,
    )  # fmt: skip


def _folder(name: str, root: Path) -> Path:
    if "://" in name or "://" in str(root):
        raise ExperimentError(
            f"{name} is in a bucket: copy its folder here, as with `aws s3 sync`, and give that"
        )
    found = [path for path in (root / "runs" / name, Path(name)) if (path / "run.json").is_file()]
    if not found:
        raise ExperimentError(
            f"there is no run {name} (no {root / 'runs' / name / 'run.json'}): name a run below "
            "--root, or the folder of one"
        )
    return found[0]


def _record(folder: Path) -> dict[str, Any]:
    record = read_json(folder / "run.json")
    version = record.get("format_version")
    if version != FORMAT_VERSION:
        raise ExperimentError(
            f"{folder / 'run.json'} has the format_version {version}, expected {FORMAT_VERSION}: "
            "use the downstream package of the version that made the run"
        )
    try:
        frozen, inputs = record["frozen"], record["inputs"]
        needed = frozen["plan_sha256"], frozen["num_items"], frozen["styles"], frozen["method"]
        _ = needed, frozen["model"]["width"], inputs["content"], inputs["style"], record["run"]
    except (KeyError, TypeError) as error:
        raise ExperimentError(
            f"{folder / 'run.json'} is no record of a run (it lacks {error}): `synth2real audit` "
            "tells what is wrong with the run"
        ) from error
    return record


def _plan(folder: Path, sha256: str) -> dict[str, Any]:
    path = folder / f"plan-{sha256}.json"
    plan = read_json(path)
    if file_sha256(path) != sha256:
        raise ExperimentError(f"{path} was altered: `synth2real audit` tells more")
    return plan


def _root(record: dict[str, Any], what: str, other: Path | None) -> Path:
    """Returns where the contents or styles are; nothing is read yet."""
    return other if other is not None else Path(record["inputs"][what])


def _content(run: str, of: dict[str, Any], root: Path) -> Content:
    label = of.get("label")
    return Content(of["name"], root / of["image"]["path"], None if label is None else LabelFile(
        root / label["file"]["path"],
        _kind(run, of["name"], label["reading"]["kind"]),
        label["reading"]["stated"],
        _look_alikes(label["reading"]),
    ))  # fmt: skip


def _style(of: dict[str, Any], root: Path) -> Style:
    label = of.get("label")
    path = None if label is None else root / label["file"]["path"]
    return Style(of["name"], root / of["image"]["path"], path)


def _stored_label(run: str, of: dict[str, Any], folder: Path) -> LabelFile:
    reading = of["label"]["reading"]
    kind = _kind(run, of["name"], reading.get("stored") or reading["kind"])
    path = folder / "labels" / f"{of['name']}.png"
    return LabelFile(path, kind, reading["stated"], _look_alikes(reading))


def _kind(run: str, content: str, kind: str) -> LabelKind:
    if kind not in set(LabelKind):
        raise ExperimentError(
            f"run {run}: the label of its content {content} is of {kind}, and only "
            f"{', '.join(LabelKind)} are read: give a run of contents with labels of Cityscapes' "
            "ids or colours"
        )
    return LabelKind(kind)


def _look_alikes(reading: dict[str, Any]) -> LabelKind | None:
    kind = reading.get("look_alikes")
    return None if kind is None else LabelKind(kind)


def _rows(folder: Path, run: str) -> list[dict[str, Any]]:
    path = folder / "manifest.parquet"
    if not path.is_file():
        raise ExperimentError(
            f"run {run} has no manifest: `synth2real collect {run}` makes it of what is committed"
        )
    try:
        return parquet.read_table(path, columns=list(COLUMNS)).to_pylist()
    except (OSError, ValueError) as error:
        raise ExperimentError(
            f"{path} cannot be read ({first_line(error)}): `synth2real collect {run}` makes it "
            "again"
        ) from error


def _check_complete(run: str, rows: Sequence[dict[str, Any]], planned: int, partial: bool) -> bool:
    """Returns whether items are missing; raises if they are and may not be."""
    failed = sum(row["status"] == "failed" for row in rows)
    if len(rows) == planned and failed == 0:
        return False
    if not partial:
        done = sum(row["status"] == "done" for row in rows)
        raise ExperimentError(
            f"run {run} is not complete ({done} of {planned} items done, {failed} failed): finish "
            f"it with `synth2real resume {run}`, or give --partial, which the result will say"
        )
    return True


def _chosen(run: str, styles: Sequence[str], globs: Sequence[str]) -> tuple[str, ...]:
    if not globs:
        return tuple(styles)
    for glob in globs:
        if not fnmatch.filter(styles, glob):
            raise ExperimentError(
                f"run {run} has no style {glob}: it has {', '.join(styles[:6])}"
                + (f" and {len(styles) - 6} more" if len(styles) > 6 else "")
            )
    return tuple(name for name in styles if any(fnmatch.fnmatchcase(name, g) for g in globs))


def check_style(run: Run, style: Style) -> None:
    """Raises if the files of a style are not those that the run was made with."""
    needs = "give the folder of the run's styles by --style-root"
    if not style.image.is_file():
        raise ExperimentError(f"run {run.name}: its style {style.image} is not there: {needs}")
    files = [style.image] + ([style.label] if style.label is not None else [])
    digests = [file_sha256(file) if file.is_file() else None for file in files]
    told = json.dumps([*digests, None][:2], separators=(",", ":"))
    sha256 = hashlib.sha256(told.encode()).hexdigest()
    if read_json(run.folder / "run.json")["frozen"]["styles"].get(style.name) == sha256:
        return
    # A run may go on with a style that was changed: its decision says the new digest.
    decisions = sorted((run.folder / "decisions").glob("*.json"))
    if not any(sha256 in path.read_text(errors="replace") for path in decisions):
        raise ExperimentError(
            f"run {run.name}: {style.image} is not what the run was made with: {needs}"
        )
