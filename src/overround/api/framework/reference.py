"""The API for people: the OpenAPI document as text, which `docs/api.md` and `/api/docs` both are."""

import html
import json
from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from overround.api.framework.openapi import CODES, FAILURES, operations

Json = Mapping[str, Any]

_LONGEST_EXAMPLE = 60  # lines

_INTRODUCTION = """# API

Made from the OpenAPI document by `make docs`; the running service has it at `/api/openapi.json`, and this page at
`/api/docs`. Examples are made from the schemas.

JSON throughout; times are ISO 8601 in UTC, prices decimal text. Who may use it, and how, stands in
[operations](operations.md#who-may-use-it): on the service's own machine no key is needed, elsewhere
`Authorization: Bearer KEY`. `GET` needs a key that may read, everything else one that may operate.

Failures are problem details ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)) of the media type
`application/problem+json`: `code` is for programs and stays, `detail` is for people. Each answer carries its request's
id in `X-Request-ID`.
"""

router = APIRouter(include_in_schema=False)


@router.get("/api/docs")
async def reference_page(request: Request) -> HTMLResponse:
    """Show the reference, without anything that would have to be fetched from elsewhere."""
    text = html.escape(reference(request.app.openapi()))
    return HTMLResponse(
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Overround: API</title><pre>{text}</pre>"
    )


def reference(document: Json) -> str:
    """Return the reference as Markdown."""
    return "\n".join([*_introduction(), *_endpoints(document), *_schemas(document)]).rstrip("\n") + "\n"


def _introduction() -> Iterator[str]:
    yield _INTRODUCTION
    yield "## Failures\n"
    yield "Any endpoint may answer with these:\n"
    yield "| status | code | when |\n|---|---|---|"
    for failure in FAILURES:
        for code, when in failure.codes.items():
            yield f"| {failure.status.value} | `{code}` | {when} |"
    yield "\nAnd some with these:\n"
    yield "| code | when |\n|---|---|"
    general = {code for failure in FAILURES for code in failure.codes}
    yield from (f"| `{code}` | {when} |" for code, when in CODES.items() if code not in general)


def _endpoints(document: Json) -> Iterator[str]:
    tag = ""
    for path, method, operation in sorted(operations(dict(document)), key=lambda found: found[2]["tags"][0]):
        if operation["tags"][0] != tag:
            tag = operation["tags"][0]
            yield f"\n## {tag.capitalize()}"
        yield f"\n### {method} {path}\n"
        yield str(operation.get("description", operation["summary"]))
        yield from _parameters(operation)
        yield from _request(operation)
        yield from _answers(operation)


def _parameters(operation: Json) -> Iterator[str]:
    if not operation.get("parameters"):
        return
    yield "\n| parameter | in | type | what it does |\n|---|---|---|---|"
    for one in operation["parameters"]:
        schema = one["schema"]
        default = f", default `{json.dumps(schema['default'])}`" if schema.get("default") not in (None, "") else ""
        needed = ", required" if one["in"] == "query" and one.get("required") else ""
        text = _cell(one.get("description", schema.get("description", "")))
        yield f"| `{one['name']}` | {one['in']} | {_type(schema)}{default}{needed} | {text} |"


def _request(operation: Json) -> Iterator[str]:
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"\nBody ({media_type}): {_type(content['schema'])}"
        yield from _example(media_type, content)


def _answers(operation: Json) -> Iterator[str]:
    for status, response in operation["responses"].items():
        if "$ref" in response:
            continue
        for media_type, content in response.get("content", {}).items():
            if int(status) < 400:  # noqa: PLR2004 - where failures begin
                yield f"\n{status} ({media_type}): {_type(content.get('schema', {}))}"
                yield from _example(media_type, content)
            elif media_type != "application/problem+json":
                yield f"\n{status} ({media_type}): {_type(content.get('schema', {}))}"
            else:
                yield f"\n{status}: {response['description']}, such as `{content['example']['code']}`"
        if not response.get("content"):
            yield f"\n{status}: {response['description']}, no body"


def _example(media_type: str, content: Json) -> Iterator[str]:
    example = content.get("example")
    if example is None:
        return
    text = example if isinstance(example, str) else json.dumps(example, indent=2, ensure_ascii=False)
    lines = text.splitlines()
    if len(lines) > _LONGEST_EXAMPLE:
        lines = [*lines[:_LONGEST_EXAMPLE], "..."]
    yield "\n```" + ("json" if media_type == "application/json" else "")
    yield from lines
    yield "```"


def _schemas(document: Json) -> Iterator[str]:
    yield "\n## Objects"
    for name, schema in sorted(document["components"]["schemas"].items()):
        yield f"\n### {name}\n"
        yield schema.get("description", "").replace("\n\n", "\n")
        if "enum" in schema:
            yield "\nOne of " + ", ".join(f"`{one}`" for one in schema["enum"]) + "."
        if schema.get("properties"):
            yield "\n| field | type | what it is |\n|---|---|---|"
            for field, inner in schema["properties"].items():
                yield f"| `{field}` | {_type(inner)} | {_cell(inner.get('description', ''))} |"


def _type(schema: Json) -> str:
    """Return a schema's type in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return " or ".join(dict.fromkeys(_type(one) for one in schema[choice]))
    if "allOf" in schema:
        return " and ".join(_type(one) for one in schema["allOf"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if isinstance(schema.get("additionalProperties"), Mapping):
        return f"object of {_type(schema['additionalProperties'])}"
    return str(schema.get("format") or schema.get("type") or "any value")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
