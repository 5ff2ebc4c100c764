"""Example values for the OpenAPI document, made from the schemas: an endpoint has one without anybody's doing."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

Schema = Mapping[str, Any]

_DEEPEST = 30  # no schema of ours nests so far; one that contains itself would

# By the name of a field, where its type alone would say little.
_BY_NAME: Mapping[str, Any] = MappingProxyType(
    {
        "sr_id": 61300947,
        "event_id": 61300947,
        "home": "Arsenal",
        "away": "Everton",
        "sport": "football",
        "country": "England",
        "tournament": "Premier League",
        "listing_id": "30488652",
        "bookmaker": "a-bookmaker",
        "name": "A name",
        "key": "match_result",
        "market": "match_result",
        "outcome": "home",
        "outcomes": "home",
        "group": "main",
        "price": "2.10",
        "before": "2.10",
        "after": "2.15",
        "previous": "2.05",
        "margin": 0.052,
        "run_id": 42,
        "scrape_run_id": 42,
        "limit": 50,
        "offset": 0,
        "version": "0.1.0",
        "reason": "as the bookmaker says",
        "error_class": "transient",
        "likeness": 0.93,
        "probability_sum": 1,
        "status": "completed",
    }
)
# The name of an entry in an object whose keys are data.
_ENTRIES: Mapping[str, str] = MappingProxyType(
    {"specifiers": "line", "errors": "transient", "retries": "transient", "kinds": "snapshot", "buckets": "0.1"}
)
_BY_FORMAT: Mapping[str, str] = MappingProxyType(
    {"date-time": "2026-10-03T14:00:00Z", "date": "2026-10-03", "duration": "PT1M", "uri": "http://127.0.0.1:8000/"}
)
_BY_TYPE: Mapping[str, Any] = MappingProxyType(
    {"string": "text", "integer": 3, "number": 1.5, "boolean": True, "null": None}
)


def sample(schema: Schema, schemas: Mapping[str, Schema], name: str = "", depth: int = 0) -> Any:  # noqa: ANN401 - JSON
    """Return a value that a schema allows; `schemas` are those that it may refer to."""
    if depth > _DEEPEST:
        return None
    for stated in ("example", "const"):
        if stated in schema:
            return schema[stated]
    for several in ("examples", "enum"):
        if schema.get(several):
            return schema[several][0]
    if "$ref" in schema:
        return sample(schemas[schema["$ref"].rpartition("/")[2]], schemas, name, depth + 1)
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            wanted: Schema = next((one for one in schema[choice] if one.get("type") != "null"), {})
            return sample(wanted, schemas, name, depth + 1)
    return _of_type(schema, schemas, name, depth)


def _of_type(schema: Schema, schemas: Mapping[str, Schema], name: str, depth: int) -> Any:  # noqa: ANN401 - as above
    kind = schema.get("type")
    if kind == "object":
        return _object(schema, schemas, name, depth)
    if kind == "array":
        items = schema.get("prefixItems") or [schema.get("items", {})]
        return [sample(item, schemas, name, depth + 1) for item in items]
    if schema.get("format") in _BY_FORMAT:
        return _BY_FORMAT[schema["format"]]
    return _scalar(schema, name) if kind in _BY_TYPE else {}


def _object(schema: Schema, schemas: Mapping[str, Schema], name: str, depth: int) -> dict[str, Any]:
    fields = {field: sample(inner, schemas, field, depth + 1) for field, inner in schema.get("properties", {}).items()}
    entries = schema.get("additionalProperties")
    if isinstance(entries, Mapping) and entries:
        fields[_ENTRIES.get(name, "a-bookmaker")] = sample(entries, schemas, "", depth + 1)
    return fields


def _scalar(schema: Schema, name: str) -> Any:  # noqa: ANN401 - as above
    kind = schema["type"]
    if schema.get("default") is not None:
        return schema["default"]
    value = _BY_NAME.get(name, _BY_TYPE[kind])
    if type(value) is not type(_BY_TYPE[kind]) and not (kind == "number" and isinstance(value, int)):
        value = _BY_TYPE[kind]
    if kind in {"integer", "number"}:
        value = max(value, schema.get("minimum", value))
        value = min(value, schema.get("maximum", value))
    return value
