"""docs/api.md, the OpenAPI document and the endpoints are one."""

import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from overround.api.app import create_app
from overround.api.framework.openapi import CODES, FAILURES, operations
from overround.api.framework.reference import reference

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = create_app().openapi()
OPERATIONS = {f"{method} {path}": operation for path, method, operation in operations(DOCUMENT)}
CODE = re.compile(r'problem\(\s*HTTPStatus\.\w+,\s*"(\w+)"|code="(\w+)"|HTTPStatus\.\w+: "(\w+)"')


def contents(operation: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the described bodies of a request and of its answers."""
    bodies = [operation["requestBody"]] if "requestBody" in operation else []
    described = [*bodies, *(one for one in operation["responses"].values() if "$ref" not in one)]
    return [content for one in described for content in one.get("content", {}).values()]


def test_the_page_is_current() -> None:
    """docs/api.md is what `make docs` would write now."""
    assert (ROOT / "docs" / "api.md").read_text("utf-8") == reference(DOCUMENT), "run `make docs`"


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_endpoint_has_examples(name: str) -> None:
    """Every body has an example that its schema allows."""
    for content in contents(OPERATIONS[name]):
        schema = {**content.get("schema", {}), "components": DOCUMENT["components"]}
        assert jsonschema_rs.is_valid(schema, content["example"]), content["example"]


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_endpoint_says_how_it_fails(name: str) -> None:
    """Refusals of access, of size and of rate are documented for all but the health checks."""
    documented = {int(status) for status in OPERATIONS[name]["responses"]}
    if not name.startswith("GET /health"):
        assert {401, 413, 414, 421, 429, 431, 503} <= documented
        assert name.startswith("GET") or 403 in documented
        assert OPERATIONS[name]["security"] == [{}, {"key": []}, {"session": []}]
    for status, response in OPERATIONS[name]["responses"].items():
        if int(status) >= 400 and "$ref" not in response and "/health" not in name:
            assert list(response["content"]) == ["application/problem+json"]


def test_every_code_is_documented() -> None:
    """The codes in the source and the codes in the document are the same."""
    documented = CODES.keys() | {code for failure in FAILURES for code in failure.codes}
    sources = [path.read_text("utf-8") for path in (ROOT / "src/overround/api").rglob("*.py")]
    used = {next(filter(None, found)) for source in sources for found in CODE.findall(source)}
    assert used == documented
