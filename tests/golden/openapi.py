"""What an OpenAPI document promises, without the names of its schemas, which say where a class stands."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Json = Any
METHODS = ("get", "put", "post", "delete", "patch")
_ENDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "maxItems", "pattern")


def operations(document: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
    """Yield each operation by its method and path, as `GET /api/events`."""
    for path, one in document["paths"].items():
        yield from ((f"{method.upper()} {path}", one[method]) for method in METHODS if method in one)


def described(document: Mapping[str, Json]) -> Json:
    """Return what the document says of paths, parameters, statuses and fields."""
    schemas = _Schemas(document["components"]["schemas"])
    found = {name: schemas.operation(one) for name, one in operations(document)}
    return {"openapi": document["openapi"], "operations": found}


def operation_of(names: Sequence[str], request: str) -> str | None:
    """Return which of the operations a request, written as method and path, belongs to; literal paths go first."""
    asked = request.split("?", maxsplit=1)[0]
    for name in sorted(names, key=lambda name: name.count("{")):
        if re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(name)), asked):
            return name
    return None


class _Schemas:
    """Follows references, and writes schemas in one line a field."""

    def __init__(self, schemas: Mapping[str, Json]) -> None:
        self._schemas = schemas

    def operation(self, operation: Json) -> Json:
        found = {f"{one['in']} {one['name']}": self._parameter(one) for one in operation.get("parameters", ())}
        if "requestBody" in operation:
            found["body"] = self._content(operation["requestBody"])
        return found | {status: self._content(one) for status, one in sorted(operation["responses"].items())}

    def _parameter(self, parameter: Json) -> str:
        schema = parameter["schema"]
        need = "required" if parameter.get("required") else f"default {schema.get('default')!r}"
        return f"{self._kind(schema)}, {need}"

    def _content(self, one: Json) -> Json:
        return {kind: self._shape(content.get("schema", {})) for kind, content in one.get("content", {}).items()}

    def _shape(self, schema: Json) -> Json:
        """Return an object's fields, else the kind of value; a field that may be left out ends with `?`."""
        schema = self._resolved(schema)
        if "properties" in schema:
            required = schema.get("required", ())
            return {
                name if name in required else f"{name}?": self._shape(one) for name, one in schema["properties"].items()
            }
        if "items" in schema:
            return [self._shape(schema["items"])]
        if isinstance(schema.get("additionalProperties"), dict):
            return {"*": self._shape(schema["additionalProperties"])}
        parts = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
        if len(parts) == 1 and isinstance(shape := self._shape(parts[0]), dict | list):
            return {"or null": shape}
        return self._kind(schema)

    def _kind(self, schema: Json) -> str:
        schema = self._resolved(schema)
        if "anyOf" in schema:
            return " or ".join(self._kind(one) for one in schema["anyOf"])
        if "items" in schema:
            return f"list of {self._kind(schema['items'])}"
        told = [str(schema.get("format") or schema.get("type", "any"))]
        told += [" ".join(map(str, ("one of", *schema["enum"])))] if "enum" in schema else []
        told += [f"{name} {schema[name]}" for name in _ENDS if name in schema]
        return " ".join(told)

    def _resolved(self, schema: Json) -> Json:
        reference = schema.get("$ref")
        return schema if reference is None else self._schemas[reference.rsplit("/", 1)[1]]
