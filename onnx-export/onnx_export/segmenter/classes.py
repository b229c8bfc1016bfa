"""Which class of a segmenter is which of the nineteen that Cityscapes is trained on."""

from __future__ import annotations

import csv
import io
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from onnx_export.contract import SegmenterClass
from onnx_export.errors import CheckpointError, UsageError, first_line
from onnx_export.files import small_file

CITYSCAPES = (
    "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign",
    "vegetation", "terrain", "sky", "person", "rider", "car", "truck", "bus", "train",
    "motorcycle", "bicycle",
)  # fmt: skip
"""The classes that are trained on, in the order of train ids."""
NOT_TRAINED_ON = (
    "unlabeled", "ego vehicle", "rectification border", "out of roi", "static", "dynamic", "ground",
    "parking", "rail track", "guard rail", "bridge", "tunnel", "polegroup", "caravan", "trailer",
    "license plate", "background", "void", "ignore",
)  # fmt: skip
"""Names of Cityscapes' other labels, and of what is no class: they stand for none."""
IGNORE = "ignore"
ADVICE = "give --classes TABLE, which has each class and `ignore` for those that are none"
NOTHING_SAID = re.compile(r"(label|class)?\d+")
"""Names, as [`plain`] has them, that only count."""


@dataclass(frozen=True)
class Known:
    """The classes of a data set: how many, and those that stand for one of Cityscapes'."""

    num_classes: int
    mapped: Mapping[int, tuple[str, str]]


VOC = Known(21, {
    2: ("bicycle", "bicycle"), 6: ("bus", "bus"), 7: ("car", "car"),
    14: ("motorbike", "motorcycle"), 15: ("person", "person"), 19: ("train", "train"),
})  # fmt: skip
"""Pascal VOC's twenty and the background before them, as torchvision has them."""
ADE20K = Known(150, {
    0: ("wall", "wall"), 1: ("building", "building"), 2: ("sky", "sky"), 4: ("tree", "vegetation"),
    6: ("road", "road"), 9: ("grass", "terrain"), 11: ("sidewalk", "sidewalk"),
    12: ("person", "person"), 17: ("plant", "vegetation"), 20: ("car", "car"),
    25: ("house", "building"), 29: ("field", "terrain"), 32: ("fence", "fence"),
    43: ("signboard", "traffic sign"), 48: ("skyscraper", "building"), 72: ("palm", "vegetation"),
    80: ("bus", "bus"), 83: ("truck", "truck"), 87: ("streetlight", "pole"), 93: ("pole", "pole"),
    102: ("van", "car"), 116: ("minibike", "motorcycle"), 127: ("bicycle", "bicycle"),
    136: ("traffic light", "traffic light"),
})  # fmt: skip
"""The 150 of ADE20K's scene parsing benchmark. It tells neither riders nor trains."""
KNOWN = {
    "ade20k": ADE20K,
    "cityscapes": Known(len(CITYSCAPES), {at: (name, name) for at, name in enumerate(CITYSCAPES)}),
    "voc": VOC,
}


def plain(name: str) -> str:
    """Returns a name without what people write in different ways."""
    return re.sub(r"[\s_-]+", "", name).casefold()


def first_word(name: str) -> str:
    """Returns the first of the words that a data set has for a class: `car` of `car, auto`."""
    return plain(re.split("[,;]", name)[0])


TRAIN_IDS = {plain(name): at for at, name in enumerate(CITYSCAPES)}
NO_CLASSES = {plain(name) for name in NOT_TRAINED_ON}


@dataclass(frozen=True)
class Network:
    """The classes of a network as it says of itself: how many, and its names if it has any."""

    name: str
    num_classes: int
    names: tuple[str, ...] | None

    @property
    def telling(self) -> tuple[str, ...] | None:
        """The names, if they are more than numbers."""
        if self.names is None or all(NOTHING_SAID.fullmatch(plain(name)) for name in self.names):
            return None
        return self.names

    def called(self, index: int) -> str:
        """Returns what people call a class: its index, and its name if it has one."""
        names = self.telling
        return f"class {index}" + ("" if names is None else f" ({names[index]!r})")


def classes_of(network: Network, table: str | None) -> tuple[SegmenterClass, ...]:
    """Returns the classes of a network, mapped by a built-in table, a file, or their names.

    Raises `CheckpointError` or `UsageError` naming the class that cannot be mapped.
    """
    if table is None:
        targets = by_names(network)
    elif table in KNOWN:
        targets = by_known(network, table)
    else:
        targets = by_table(network, Path(table))
    if all(target is None for target in targets):
        raise CheckpointError(
            f"{network.name}: none of its {network.num_classes} classes is one of Cityscapes' "
            f"nineteen, so that nothing could be counted: {ADVICE}"
        )
    names = network.telling or [
        f"class {index}" if target is None else CITYSCAPES[target]
        for index, target in enumerate(targets)
    ]
    return tuple(map(SegmenterClass, names, targets))


def by_names(network: Network) -> list[int | None]:
    names = network.telling
    if names is None:
        which = ", ".join(sorted(KNOWN))
        raise UsageError(
            f"{network.name} has {network.num_classes} classes without names: say which they are "
            f"with --classes TABLE, or {which} if it was trained on one of these"
        )
    targets: list[int | None] = []
    for index, name in enumerate(names):
        if plain(name) not in TRAIN_IDS and plain(name) not in NO_CLASSES:
            raise UsageError(
                f"{network.name}: {network.called(index)} is no class of Cityscapes, and "
                f"--classes is not given: {ADVICE}"
            )
        targets.append(TRAIN_IDS.get(plain(name)))
    return targets


def by_known(network: Network, table: str) -> list[int | None]:
    known = KNOWN[table]
    if network.num_classes != known.num_classes:
        raise UsageError(
            f"--classes {table} has {known.num_classes} classes, and {network.name} has "
            f"{network.num_classes}: {ADVICE}"
        )
    targets: list[int | None] = [None] * network.num_classes
    for index, (name, target) in known.mapped.items():
        if network.telling is not None and first_word(network.telling[index]) != plain(name):
            raise UsageError(
                f"--classes {table} has {name!r} as class {index}, which {network.name} calls "
                f"{network.telling[index]!r}: {ADVICE}"
            )
        targets[index] = TRAIN_IDS[plain(target)]
    return targets


def by_table(network: Network, path: Path) -> list[int | None]:
    """Returns the train id of each class as a table says, which has every class once."""
    found: dict[int, int | None] = {}
    for key, target in entries_in(path):
        index = index_of(network, path, key)
        if index in found:
            raise UsageError(
                f"{path} has two entries for {network.called(index)}, {key!r} is the second: "
                "leave one of them out"
            )
        found[index] = target_of(path, key, target)
    missing = [index for index in range(network.num_classes) if index not in found]
    if missing:
        raise UsageError(
            f"{path} lacks {len(missing)} of the {network.num_classes} classes of {network.name}, "
            f"{network.called(missing[0])} among them: add them, with `{IGNORE}` for what is none"
        )
    return [found[index] for index in range(network.num_classes)]


def index_of(network: Network, path: Path, key: str) -> int:
    """Returns which class an entry is of: its index, or its name as the network has it."""
    if re.fullmatch(r"\d{1,9}", key.strip()):
        index = int(key)
        if index >= network.num_classes:
            raise UsageError(
                f"{path} has an entry for class {index}, and {network.name} has "
                f"{network.num_classes}, from 0 to {network.num_classes - 1}: leave it out"
            )
        return index
    names = network.telling or ()
    same = [index for index, name in enumerate(names) if name.strip() == key.strip()] or [
        index for index, name in enumerate(names) if plain(name) == plain(key)
    ]
    if len(same) == 1:
        return same[0]
    if same:
        raise UsageError(
            f"{path} has an entry for {key!r}, which {network.name} calls several classes, "
            f"{same[0]} and {same[1]} among them: give their indices"
        )
    near = get_close_matches(key, names, n=3)
    which = (
        "has no names: give indices"
        if not names
        else f"has no such class{', ' + ' or '.join(map(repr, near)) + ' is near' if near else ''}:"
        " give one of its names, or an index"
    )
    raise UsageError(f"{path} has an entry for {key!r}, and {network.name} {which}")


def target_of(path: Path, key: str, target: Any) -> int | None:
    """Returns the train id that an entry gives; none for what is ignored."""
    if target is None:
        return None
    if isinstance(target, str):
        text = target.strip()
        if plain(text) in TRAIN_IDS:
            return TRAIN_IDS[plain(text)]
        if plain(text) in (IGNORE, "null"):
            return None
        target = int(text) if re.fullmatch(r"\d{1,9}", text) else text
    if isinstance(target, int) and not isinstance(target, bool) and 0 <= target < len(CITYSCAPES):
        return target
    near = get_close_matches(str(target), CITYSCAPES, n=1)
    raise UsageError(
        f"{path} has {key!r} as {target!r}, which is neither a class of Cityscapes, nor its train "
        f"id (0 to {len(CITYSCAPES) - 1}), nor `{IGNORE}`"
        + (f": {near[0]!r} is near" if near else ": give one of these")
    )


def entries_in(path: Path) -> list[tuple[str, Any]]:
    """Returns the entries of a table: JSON or TOML with a key for each class, or CSV with a row."""
    kinds: dict[str, Callable[[str], list[tuple[str, Any]]]] = {
        ".json": json_entries,
        ".toml": toml_entries,
        ".csv": csv_entries,
    }
    if path.suffix not in kinds:
        raise UsageError(
            f"--classes {path} is neither a table (.json, .toml or .csv) nor one of "
            f"{', '.join(sorted(KNOWN))}"
        )
    try:
        entries = kinds[path.suffix](small_file(path, "give a table").read_bytes().decode("utf-8"))
    except (ValueError, csv.Error, RecursionError) as error:
        raise CheckpointError(
            f"{path} cannot be read as a table of classes: {first_line(error)}: it has one entry "
            f"for each class, such as {EXAMPLES[path.suffix]}"
        ) from error
    if not entries:
        raise CheckpointError(f"{path} has no classes: {ADVICE}")
    return entries


EXAMPLES = {
    ".json": '{"0": "road", "tree": "vegetation", "2": null}',
    ".toml": f'tree = "vegetation" or 2 = "{IGNORE}"',
    ".csv": f"tree,vegetation or 2,{IGNORE}",
}


def json_entries(text: str) -> list[tuple[str, Any]]:
    class Pairs(list[tuple[str, Any]]):
        """An object with all of its keys, be one there twice."""

    entries = json.loads(text, object_pairs_hook=Pairs)
    if not isinstance(entries, Pairs):
        raise ValueError("it is not an object")
    return list(entries)


def toml_entries(text: str) -> list[tuple[str, Any]]:
    return list(tomllib.loads(text).items())


def csv_entries(text: str) -> list[tuple[str, Any]]:
    rows = [row for row in csv.reader(io.StringIO(text), strict=True) if row]
    for number, row in enumerate(rows, start=1):
        if len(row) != 2:
            raise ValueError(f"row {number} has {len(row)} columns and not 2")
    header = ["class", "train_id"]
    if rows and [cell.strip().casefold() for cell in rows[0]] == header:
        rows = rows[1:]
    return [(key, target) for key, target in rows]


def unmapped(classes: Sequence[SegmenterClass]) -> list[str]:
    """Returns the names of Cityscapes' classes that no class of the segmenter stands for."""
    there: Iterable[int | None] = {each.train_id for each in classes}
    return [name for index, name in enumerate(CITYSCAPES) if index not in there]
