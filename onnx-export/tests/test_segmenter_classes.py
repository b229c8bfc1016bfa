"""Classes of segmenters are mapped onto Cityscapes' nineteen, or refused with the way out."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from downstream.classes import CLASSES
from onnx_export.errors import CheckpointError, UsageError
from onnx_export.segmenter.classes import (
    ADE20K,
    CITYSCAPES,
    KNOWN,
    Network,
    classes_of,
    unmapped,
)

NAMED = Network("a network", 4, ("street", "tree", "Tree", "bench"))
UNNAMED = Network("a network", 3, None)
COUNTED = Network("a network", 2, ("LABEL_0", "LABEL_1"))


def train_ids(network: Network, table: str | None) -> list[int | None]:
    return [each.train_id for each in classes_of(network, table)]


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_cityscapes_order_is_that_of_train_ids() -> None:
    assert tuple(of.name for of in CLASSES) == CITYSCAPES


def test_names_that_cityscapes_has_are_taken_however_they_are_written() -> None:
    names = ("Traffic Light", "traffic_sign", "traffic-light", "SKY", "rail track", "void")
    classes = classes_of(Network("a network", len(names), names), None)
    assert [each.train_id for each in classes] == [6, 7, 6, 10, None, None]
    assert tuple(each.name for each in classes) == names
    assert len(unmapped(classes)) == len(CITYSCAPES) - 3


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.json", '{"0": "road", "tree": 8, "Tree": "vegetation", "bench": null}'),
        ("t.json", '{"bench": "ignore", "2": 8, "1": "Vegetation", "street": 0}'),
        ("t.toml", 'street = "road"\n1 = 8\nTree = "vegetation"\nbench = "ignore"\n'),
        ("t.csv", "street,road\n1,8\nTree,vegetation\n3,ignore\n"),
        ("t.csv", 'class,train_id\r\n"street",0\r\n1,8\r\n\r\nTree,8\r\nbench,null\r\n'),
    ],
)
def test_a_table_names_classes_by_index_or_name(tmp_path: Path, name: str, text: str) -> None:
    classes = classes_of(NAMED, write(tmp_path / name, text))
    assert [each.train_id for each in classes] == [0, 8, 8, None]
    assert [each.name for each in classes] == ["street", "tree", "Tree", "bench"]


@pytest.mark.parametrize("network", [UNNAMED, Network("a network", 3, ("0", "class 1", "Label-2"))])
def test_classes_without_names_are_called_what_they_stand_for(
    network: Network, tmp_path: Path
) -> None:
    classes = classes_of(network, write(tmp_path / "t.json", '{"0": "sky", "1": null, "2": "car"}'))
    assert [each.name for each in classes] == ["sky", "class 1", "car"]


def test_known_data_sets_are_mapped_by_their_indices() -> None:
    assert train_ids(Network("a network", 19, None), "cityscapes") == list(range(19))
    voc = train_ids(Network("a network", 21, None), "voc")
    assert {index: train_id for index, train_id in enumerate(voc) if train_id is not None} == {
        2: 18, 6: 15, 7: 13, 14: 17, 15: 11, 19: 16,
    }  # fmt: skip
    ade = Network("a network", 150, None)
    assert [each.train_id for each in classes_of(ade, "ade20k")][:7] == [3, 2, 10, None, 8, None, 0]
    assert unmapped(classes_of(ade, "ade20k")) == ["rider", "train"]


def test_voc_is_as_torchvision_has_it() -> None:
    from torchvision.models.segmentation import DeepLabV3_ResNet50_Weights

    names = DeepLabV3_ResNet50_Weights.DEFAULT.meta["categories"]
    assert all(names[index] == name for index, (name, _) in KNOWN["voc"].mapped.items())
    assert len(names) == KNOWN["voc"].num_classes


def test_known_data_sets_are_held_against_a_networks_own_names() -> None:
    names = [f"thing {index}" for index in range(150)]
    for index, (name, _) in ADE20K.mapped.items():
        names[index] = f"{name}, as others say" if index % 2 else name
    assert train_ids(Network("a network", 150, tuple(names)), "ade20k")[136] == 6
    names[136] = "lamp"
    with pytest.raises(UsageError, match=r"has 'traffic light' as class 136, .* calls 'lamp'"):
        train_ids(Network("a network", 150, tuple(names)), "ade20k")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"0": "road", "1": "sky"}', "lacks 1 of the 3 classes of a network, class 2 among them"),
        ('{"0": "raod", "1": 1, "2": 2}', "'0' as 'raod', .* 'road' is near"),
        ('{"0": 19, "1": 1, "2": 2}', r"'0' as 19, which is neither .* train id \(0 to 18\)"),
        ('{"0": -1, "1": 1, "2": 2}', "'0' as -1"),
        ('{"0": true, "1": 1, "2": 2}', "'0' as True"),
        ('{"0": 1.0, "1": 1, "2": 2}', "'0' as 1.0"),
        ('{"0": 0, "1": 1, "2": 2, "3": 3}', "for class 3, and a network has 3, from 0 to 2"),
        ('{"0": 0, "1": 1, "2": 2, "0": 3}', "two entries for class 0, '0' is the second"),
        ('{"0": 0, "1": 1, "2": 2, "00": 3}', "two entries for class 0, '00' is the second"),
        ('{"0": 0, "1": 1, "tree": 2}', "'tree', and a network has no names: give indices"),
        ('{"0": null, "1": "ignore", "2": null}', "none of its 3 classes is one of Cityscapes'"),
        ("{}", "has no classes"),
        ("[0, 1, 2]", "it is not an object"),
        ('{"0": 0,', "cannot be read as a table"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_naming_the_class(
    tmp_path: Path, text: str, reason: str
) -> None:
    with pytest.raises((UsageError, CheckpointError)) as refused:
        classes_of(UNNAMED, write(tmp_path / "t.json", text))
    assert re.search(reason, str(refused.value)), refused.value
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("t.json", '{"street": 0, "tree": 8, "0": 1}', "two entries for class 0 ('street')"),
        ("t.json", '{"street": 0, "TREE": 8}', "calls several classes, 1 and 2 among them"),
        (
            "t.json",
            '{"stret": 0}',
            "'stret', and a network has no such class, 'street' or 'tree' is near",
        ),
        ("t.json", '{"zzzz": 0}', "has no such class: give one of its names, or an index"),
        ("t.csv", "street,0,1\n", "row 1 has 3 columns and not 2"),
        ("t.toml", "street\n", "cannot be read as a table"),
        ("t.toml", "a = 1\na = 2\n", "cannot be read as a table"),
        ("t.yaml", "street: road\n", "is neither a table (.json, .toml or .csv) nor one of"),
    ],
)
def test_a_table_of_names_that_does_not_fit_is_refused(
    tmp_path: Path, name: str, text: str, reason: str
) -> None:
    with pytest.raises((UsageError, CheckpointError)) as refused:
        classes_of(NAMED, write(tmp_path / name, text))
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    ("network", "table", "reason"),
    [
        (COUNTED, None, "has 2 classes without names: say which they are with --classes TABLE"),
        (Network("a network", 19, None), None, "has 19 classes without names"),
        (NAMED, None, "class 0 ('street') is no class of Cityscapes, and --classes is not given"),
        (Network("a network", 2, ("void", "static")), None, "none of its 2 classes"),
        (UNNAMED, "cityscapes", "--classes cityscapes has 19 classes, and a network has 3"),
        (Network("a network", 19, (*map(str.upper, CITYSCAPES[1:]), "road")),
         "cityscapes", "has 'road' as class 0, which a network calls 'SIDEWALK'"),
        (UNNAMED, "kitti", "--classes kitti is neither a table"),
        (UNNAMED, "missing.json", "missing.json is missing"),
    ],
)  # fmt: skip
def test_classes_that_nothing_maps_are_refused_with_the_way_out(
    network: Network, table: str | None, reason: str
) -> None:
    with pytest.raises((UsageError, CheckpointError)) as refused:
        classes_of(network, table)
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    ("name", "start", "end"), [("t.json", '{"0": ', "}"), ("t.toml", "0 = ", "")]
)
def test_a_table_that_is_too_deep_is_refused(
    tmp_path: Path, name: str, start: str, end: str
) -> None:
    table = write(tmp_path / name, start + 100_000 * "[" + 100_000 * "]" + end)
    with pytest.raises(CheckpointError, match="cannot be read as a table of classes") as refused:
        classes_of(UNNAMED, table)
    assert "\n" not in str(refused.value)


def test_a_table_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_bytes(json.dumps({"0": "road"}).encode("utf-16"))
    with pytest.raises(CheckpointError, match="cannot be read as a table of classes"):
        classes_of(UNNAMED, str(tmp_path / "t.json"))
