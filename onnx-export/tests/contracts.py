"""Holds contracts against their schemas, and reads them back into what they are written from."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, get_args, get_type_hints

from jsonschema import Draft202012Validator

from onnx_export.contract import FLATTENED, IF_GIVEN, Contract, ModelContract

Kind = TypeVar("Kind", bound=Contract)

REPOSITORY = Path(__file__).parents[2]


def schema_of(name: str) -> Draft202012Validator:
    """Returns what holds a contract against `shared/schemas/{name}.schema.json`."""
    text = (REPOSITORY / f"shared/schemas/{name}.schema.json").read_text(encoding="utf-8")
    schema = json.loads(text)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


MODEL, NETWORK = schema_of("model"), schema_of("network")


def valid_contract(path: Path) -> dict[str, Any]:
    """Returns the contract in a file, which is as the schema of its kind says."""
    contract: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    schema_for(path).validate(contract)
    return contract


def schema_for(path: Path) -> Draft202012Validator:
    return MODEL if path.name == ModelContract.FILE else NETWORK


def read_contract(kind: type[Kind], folder: Path) -> Kind:
    """Returns the contract of a folder; raises if it has another key than `kind` writes."""
    given = json.loads((folder / kind.FILE).read_text(encoding="utf-8"))
    contract: Kind = taken(kind, given)
    assert given == {}, f"{kind.FILE} has more keys: {list(given)}"
    return contract


def taken(kind: Any, given: dict[str, Any]) -> Any:
    """Returns a `kind` from its keys, which are taken out of `given`."""
    hints = get_type_hints(kind)
    return kind(
        **{
            each.name: taken(hints[each.name], given)
            if each.metadata == FLATTENED
            else read(hints[each.name], given.pop(each.name))
            for each in fields(kind)
            if each.metadata != IF_GIVEN or each.name in given
        }
    )


def read(hint: Any, value: Any) -> Any:
    """Returns a value of a field, of which `hint` is the type."""
    if isinstance(value, list):
        return tuple(read(get_args(hint)[0], each) for each in value)
    if isinstance(value, dict):
        (kind,) = (each for each in (get_args(hint) or (hint,)) if each is not NoneType)
        result = taken(kind, value)
        assert value == {}, f"{kind} has more keys: {list(value)}"
        return result
    return value
