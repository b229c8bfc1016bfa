"""What the worker reads is written once: classes, schemas and committed contracts say the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from jsonschema import Draft202012Validator

from onnx_export.contract import (
    FLATTENED,
    Contract,
    FeaturesContract,
    InjectedLayer,
    ModelContract,
    NetworkContract,
    Normalisation,
    Part,
    Precision,
    Resize,
    SegmentEntry,
    SegmenterClass,
    StoredFile,
    TensorEntry,
    Translation,
)
from tests.contracts import MODEL, NETWORK, REPOSITORY, read_contract, schema_for, valid_contract

KINDS: tuple[type[Contract], ...] = (ModelContract, *NetworkContract.__subclasses__())
COMMITTED = [
    path
    for kind in KINDS
    for folder in ("infra/demo", "tests/fixtures")
    for path in sorted((REPOSITORY / folder).rglob(kind.FILE))
]
GOLDEN = REPOSITORY / "tests/fixtures/golden-model/model.json"
FEATURES = REPOSITORY / "infra/demo/features/features.json"
SEGMENTER = REPOSITORY / "tests/fixtures/segmenter/segmenter.json"
TRANSLATOR = REPOSITORY / "tests/fixtures/translator/translator.json"
CHANGED = [GOLDEN, FEATURES, SEGMENTER, TRANSLATOR]
WRONG = {str: 7, int: "7", float: "7", bool: "yes", list: {}, dict: [], type(None): 7}

Where = tuple[str | int, ...]


def named(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def test_contracts_of_every_kind_are_committed() -> None:
    assert {path.name for path in COMMITTED} == {kind.FILE for kind in KINDS}
    assert set(CHANGED) < set(COMMITTED)


def kind_of(path: Path) -> type[Contract]:
    (kind,) = (kind for kind in KINDS if path.name == kind.FILE)
    return kind


def version_of(path: Path) -> int:
    return int(json.loads(path.read_text(encoding="utf-8"))["format_version"])


# Those of an earlier version are read, and nothing writes them any more.
AS_WRITTEN = [path for path in COMMITTED if version_of(path) == kind_of(path).format_version]


def test_a_model_of_each_version_is_committed() -> None:
    models = [path for path in COMMITTED if kind_of(path) is ModelContract]
    assert {version_of(path) for path in models} == {1, ModelContract.format_version}


@pytest.mark.parametrize("path", AS_WRITTEN, ids=named)
def test_a_committed_contract_is_written_again_to_its_bytes(path: Path) -> None:
    kind = kind_of(path)
    contract, stored = read_contract(kind, path.parent), path.read_bytes()
    # What was written by hand may end without the line's end.
    ending = b"\n" if contract.producer == "by hand" and not stored.endswith(b"\n") else b""
    assert contract.to_json().encode() == stored + ending


@pytest.mark.parametrize("path", COMMITTED, ids=named)
def test_a_committed_contract_is_as_its_schema_says(path: Path) -> None:
    valid_contract(path)


def keys_of(kind: type) -> set[str]:
    """Returns the keys that a class writes."""
    hints = get_type_hints(kind)
    keys: set[str] = set()
    for each in fields(kind):
        keys |= keys_of(hints[each.name]) if each.metadata == FLATTENED else {each.name}
    return keys


@pytest.mark.parametrize(
    ("schema", "name", "kinds"),
    [
        (MODEL, None, (ModelContract,)),
        (MODEL, "segment", (SegmentEntry,)),
        (MODEL, "part", (Part,)),
        (MODEL, "layer", (InjectedLayer,)),
        (MODEL, "precision", (Precision,)),
        (MODEL, "tensor", (TensorEntry,)),
        (MODEL, "stored_file", (StoredFile,)),
        (NETWORK, None, tuple(kind for kind in KINDS if kind is not ModelContract)),
        (NETWORK, "resize", (Resize,)),
        (NETWORK, "class", (SegmenterClass,)),
        (NETWORK, "normalisation", (Normalisation,)),
        (NETWORK, "translation", (Translation,)),
        (NETWORK, "tensor", (TensorEntry,)),
        (NETWORK, "stored_file", (StoredFile,)),
    ],
)
def test_a_schema_has_the_keys_of_its_class_and_no_other(
    schema: Draft202012Validator, name: str | None, kinds: tuple[type, ...]
) -> None:
    said = schema.schema if name is None else schema.schema["$defs"][name]
    assert set(said["properties"]) == set().union(*(keys_of(kind) for kind in kinds))


def test_what_both_schemas_define_is_the_same_in_both() -> None:
    first, second = (schema.schema["$defs"] for schema in (MODEL, NETWORK))
    shared = first.keys() & second.keys()
    assert shared == {"file", "source", "stored_file", "tensor"}
    assert all(first[name] == second[name] for name in shared)


def places(value: Any, where: Where = ()) -> Iterator[Where]:
    """Gives where each value of a contract is; of a list's, only the first."""
    if where:
        yield where
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*where, key))
    if isinstance(value, list) and value:
        yield from places(value[0], (*where, 0))


def holder_of(contract: dict[str, Any], where: Where) -> Any:
    """Returns the object or list that has the value."""
    holder: Any = contract
    for key in where[:-1]:
        holder = holder[key]
    return holder


# What the worker's reader asks for.
OPTIONAL: dict[str, set[Where]] = {
    "model.json": {("freeu",), ("prompt", "text"), ("vae_encoder", "data"), ("vae_decoder", "data"),
                   ("segments", 0, "data"), ("segments", 0, "layer"),
                   ("segments", 0, "layer", "input")},
    "features.json": {("published_fid",), ("resize",), ("num_features",), ("data",)},
    "segmenter.json": {("resize",), ("classes",), ("normalisation",), ("data",)},
    "translator.json": {("translation",), ("translation", "unknown"), ("data",)},
}  # fmt: skip
# What may be left out but not be null, and what may be null but not be left out.
NEVER_NULL: set[Where] = {("published_fid",)}
SAID_AS_NULL: set[Where] = {("classes", 0, "train_id")}
# FreeU's own keys are for people.
FREE = "freeu"


@pytest.mark.parametrize("path", CHANGED, ids=named)
def test_a_key_that_is_missing_is_refused_unless_the_worker_does_without(path: Path) -> None:
    valid, schema = valid_contract(path), schema_for(path)
    for where in places(valid):
        if not isinstance(where[-1], str):
            continue
        contract = deepcopy(valid)
        del holder_of(contract, where)[where[-1]]
        free = where[0] == FREE or where in OPTIONAL[path.name]
        assert schema.is_valid(contract) == free, where


@pytest.mark.parametrize("path", CHANGED, ids=named)
def test_null_is_refused_unless_the_worker_takes_it_for_a_missing_key(path: Path) -> None:
    valid, schema = valid_contract(path), schema_for(path)
    for where in places(valid):
        contract = deepcopy(valid)
        holder_of(contract, where)[where[-1]] = None
        optional = where in (OPTIONAL[path.name] | SAID_AS_NULL) - NEVER_NULL
        assert schema.is_valid(contract) == (where[0] == FREE or optional), where


@pytest.mark.parametrize("path", CHANGED, ids=named)
def test_a_value_of_another_type_is_refused(path: Path) -> None:
    valid, schema = valid_contract(path), schema_for(path)
    for where in places(valid):
        contract = deepcopy(valid)
        holder = holder_of(contract, where)
        holder[where[-1]] = True if "shape" in where[:-1] else WRONG[type(holder[where[-1]])]
        assert schema.is_valid(contract) == (where[0] == FREE), where


@pytest.mark.parametrize(
    ("path", "open_objects"),
    [
        (GOLDEN, {("freeu",), ("segments", 0)}),
        (FEATURES, {()}),
        (SEGMENTER, {()}),
        (TRANSLATOR, {()}),
    ],
    ids=["model", "features", "segmenter", "translator"],
)
def test_a_key_too_many_is_refused_where_the_worker_refuses_it(
    path: Path, open_objects: set[Where]
) -> None:
    valid, schema = valid_contract(path), schema_for(path)
    for where in [(), *places(valid)]:
        contract = deepcopy(valid)
        holder = holder_of(contract, (*where, "added"))
        if isinstance(holder, dict):
            holder["added"] = True
            assert schema.is_valid(contract) == (where in open_objects), where


@pytest.mark.parametrize("file", ["", "/etc/passwd", "../model.onnx", "unet/../../x", ".", "a/.."])
def test_a_file_outside_the_folder_is_refused(file: str) -> None:
    contract = valid_contract(GOLDEN)
    contract["vae_encoder"]["file"] = file
    assert not MODEL.is_valid(contract)


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("format_version",), 4),
        (("width",), 0),
        (("dtype",), "bf16"),
        (("vae_scale",), 0.0),
        (("schedule", "beta_schedule"), "linear"),
        (("freeu", "backbone_half"), 0),
        (("segments",), []),
        (("vae_decoder", "outputs", 0, "shape"), [1] * 9),
    ],
)
def test_a_value_that_the_worker_refuses_is_refused(where: Where, value: object) -> None:
    contract = valid_contract(GOLDEN)
    holder_of(contract, where)[where[-1]] = value
    assert not MODEL.is_valid(contract)


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("classes",), []),
        (("classes",), 1025 * [{"name": "road", "train_id": 0}]),
        (("classes", 0, "train_id"), 19),
        (("classes", 0, "train_id"), -1),
        (("normalisation", "mean"), [0.5, 0.5]),
        (("normalisation", "std"), [1.0, 1.0, 1.0, 1.0]),
    ],
)
def test_a_segmenter_that_the_worker_refuses_is_refused(where: Where, value: object) -> None:
    contract = valid_contract(SEGMENTER)
    holder_of(contract, where)[where[-1]] = value
    assert not NETWORK.is_valid(contract)


def test_a_number_that_is_none_is_not_written() -> None:
    given = json.loads(FEATURES.read_text())
    contract = read_contract(FeaturesContract, FEATURES.parent)
    assert json.loads(contract.to_json()) == given
    object.__setattr__(contract, "num_features", float("nan"))
    with pytest.raises(ValueError, match="not JSON compliant"):
        contract.to_json()
