"""What is wrong with a custom resource, by the schema that its maker publishes.

KEDA and the Prometheus operator publish definitions of their resources; cloudcoil's packages carry
them as models, out of which the schema is made again. A key that a definition does not have is a
mistake here, as with a strict server.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from cloudcoil.models.keda import v1alpha1 as keda
from cloudcoil.models.prometheus_operator import v1 as operator
from jsonschema import Draft202012Validator

MODELS = {
    "ScaledJob": keda.ScaledJob,
    "ScaledObject": keda.ScaledObject,
    "TriggerAuthentication": keda.TriggerAuthentication,
    "ServiceMonitor": operator.ServiceMonitor,
    "PrometheusRule": operator.PrometheusRule,
}


def closed(schema: Any) -> Any:
    """A schema that takes no key that it does not name."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    out = {key: closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        out.setdefault("additionalProperties", False)
    return out


@cache
def validator(kind: str) -> Draft202012Validator:
    schema = closed(MODELS[kind].model_json_schema(by_alias=True))
    return Draft202012Validator(schema)


def mistakes(manifest: dict[str, Any]) -> list[str]:
    errors = validator(manifest["kind"]).iter_errors(manifest)
    return [f"{error.json_path}: {error.message}" for error in errors]
