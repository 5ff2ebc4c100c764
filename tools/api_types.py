"""Writes the page's types from the OpenAPI document; `make docs`. With --check it tells whether they are due."""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from overround.api.app import create_app
from overround.api.framework.openapi import operations

FILE = Path(__file__).resolve().parents[1] / "web" / "src" / "api" / "schema.ts"
HEAD = "// Made from the OpenAPI document by `make docs`; `make check` tells when it is due. Not to be edited.\n"
PREFIX = "#/components/schemas/"
PLAIN = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}

Schema = dict[str, Any]


def main(arguments: list[str]) -> int:
    """Write the file, or compare."""
    text = types(create_app().openapi())
    if "--check" not in arguments:
        FILE.write_text(text, encoding="utf-8")
        return 0
    if FILE.exists() and FILE.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write(f"{FILE.name} is not as the OpenAPI document says: run `make docs`, and look at the difference\n")
    return 1


def types(document: Schema) -> str:
    """Return the TypeScript: an interface per schema, and what each GET answers."""
    schemas = document["components"]["schemas"]
    asked = set(_reachable(schemas, _bodies(document)))
    parts = [_declaration(name, schemas[name], optional=name in asked) for name in sorted(schemas)]
    return "\n".join([HEAD, *parts, _answers(document)])


def _bodies(document: Schema) -> Iterator[Schema]:
    for _, _, operation in operations(document):
        yield operation.get("requestBody", {})


def _reachable(schemas: Schema, roots: Iterable[Schema]) -> Iterator[str]:
    """Names of the schemas that these speak of, directly or through others."""
    waiting, known = [name for root in roots for name in _named(root)], set[str]()
    while waiting:
        name = waiting.pop()
        if name not in known:
            known.add(name)
            yield name
            waiting.extend(_named(schemas[name]))


def _named(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(reference := value.get("$ref"), str):
            yield reference.removeprefix(PREFIX)
        for inner in value.values():
            yield from _named(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _named(inner)


def _declaration(name: str, schema: Schema, *, optional: bool) -> str:
    """What is answered always has all properties; what is sent may leave out those with a default."""
    if "properties" not in schema:
        return f"export type {_name(name)} = {_type(schema)};\n"
    required = set(schema.get("required", ())) if optional else set(schema["properties"])
    lines = [f"  {key}{'' if key in required else '?'}: {_type(inner)};" for key, inner in schema["properties"].items()]
    return "\n".join([f"export interface {_name(name)} {{", *lines, "}", ""])


def _type(schema: Schema) -> str:
    if reference := schema.get("$ref"):
        return _name(reference.removeprefix(PREFIX))
    if "enum" in schema or "const" in schema:
        return " | ".join(json.dumps(value) for value in schema.get("enum", [schema.get("const")]))
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_type(inner) for inner in schema["anyOf"]))
    if schema.get("type") == "array":
        inner = _type(schema["items"])
        return f"({inner})[]" if " " in inner else f"{inner}[]"
    if schema.get("type") == "object":
        values = schema.get("additionalProperties")
        return f"Record<string, {_type(values) if isinstance(values, dict) else 'unknown'}>"
    return PLAIN.get(schema.get("type", ""), "unknown")


def _name(name: str) -> str:
    """`overround__api__coverage__CoverageView`, one of several of that name, becomes `CoverageCoverageView`."""
    *_, place, own = ["", *name.split("__")]
    return place.title().replace("_", "") + own


def _answers(document: Schema) -> str:
    lines = [
        f"  {json.dumps(path)}: {_type(content['schema'])};"
        for path, method, operation in sorted(operations(document), key=lambda found: found[0])
        if method == "GET" and (content := _json(operation))
    ]
    return "\n".join(["/** What GET answers, by path. */", "export interface Answers {", *lines, "}", ""])


def _json(operation: Schema) -> Schema:
    answer = operation["responses"].get("200", {}).get("content", {}).get("application/json", {})
    return answer if "schema" in answer else {}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
