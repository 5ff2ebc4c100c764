"""Every endpoint answers as it was recorded; `python -m tests.golden --renew` records what is meant to change."""

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import structlog

from overround.api.app import create_app
from tests.golden import files
from tests.golden.masks import MASKS, OMISSIONS, ORDERS, Mask, Omission, Order, applies
from tests.golden.openapi import operation_of, operations
from tests.golden.recorder import COMMON_HEADERS
from tests.golden.scenarios import GROUPS

LONGEST = 300  # seconds
MOST_BYTES = 300_000
# What any endpoint may answer; the group `keys_needed` and the step `refused` show each once.
ANYWHERE = frozenset({"400", "401", "403", "413", "414", "421", "429", "431", "503"})
# What a client cannot bring about without changing the service, or without a second one on its database.
UNREACHED = frozenset(
    {"internal_error", "queue_refuses", "too_many_streams", "recovering", "standby", "owned_elsewhere"}
)
# Rows are held once a bookmaker has more than twenty dead letters; tests/integration has the answers then.
UNRECORDED = frozenset({"POST /api/queue/held/retry 200", "POST /api/queue/held/drop 200"})
API_PAGE = Path(__file__).parents[2] / "docs/api.md"


@pytest.fixture(scope="session")
def renewed(request: pytest.FixtureRequest) -> bool:
    """Tell whether answers are recorded instead of compared."""
    return bool(request.config.pluginmanager.has_plugin("tests.golden.renewal"))


@pytest.fixture
def quiet() -> None:
    """Keep the service's log out of the way of the difference."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("group", GROUPS)
async def test_answers_are_those_recorded(group: str, database_url: str, tmp_path: Path, *, renewed: bool) -> None:
    """Each answer of a group, without what the written list masks, equals the golden one; the difference is shown."""
    async with asyncio.timeout(LONGEST):
        answers = await GROUPS[group](database_url, tmp_path)
    if renewed:
        files.write(group, answers)
    difference = files.difference(files.read(group), answers)
    if difference:  # not an assertion, which pytest would shorten
        pytest.fail(f"answers differ from those recorded in {group}\n{difference}", pytrace=False)


def request_of(name: str) -> str:
    """Return the method and path in the name of an answer."""
    found = re.search(r"(GET|PUT|POST|DELETE) \S+", name)
    assert found is not None, name
    return found[0]


def golden() -> Mapping[str, Mapping[str, Any]]:
    """Return all recorded answers by the request, written as method and path, and what tells it from others."""
    return {
        f"{group} | {name}": answer
        | {"request": request_of(name), "headers": COMMON_HEADERS | answer.get("headers", {})}
        for group in GROUPS
        for name, answer in files.read(group).items()
    }


def of_operations() -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """Return the recorded answers of each operation of the OpenAPI document."""
    names = [name for name, _ in operations(create_app().openapi())]
    found: dict[str, list[Mapping[str, Any]]] = {name: [] for name in names}
    for answer in golden().values():
        operation = operation_of(names, answer["request"])
        if operation is not None:
            found[operation].append(answer)
    return found


def test_every_operation_is_recorded() -> None:
    """Each operation of the OpenAPI document has a successful answer among the golden ones."""
    succeeded = {
        name
        for name, answers in of_operations().items()
        if any(answer.get("status", 0) // 100 == 2 for answer in answers)
    }
    excepted = {name.removesuffix(" 200") for name in UNRECORDED}
    assert sorted(of_operations().keys() - succeeded - excepted) == []


def test_every_query_parameter_and_status_is_recorded() -> None:
    """Each query parameter was sent once, and each status that is an operation's own was answered once."""
    recorded, lacking = of_operations(), []
    for name, operation in operations(create_app().openapi()):
        queries = [answer["request"].partition("?")[2] for answer in recorded[name]]
        sent = {part.partition("=")[0] for query in queries for part in query.split("&")}
        asked = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"}
        answered = {str(answer.get("status")) for answer in recorded[name]}
        lacking += [f"{name} ?{parameter}" for parameter in asked - sent]
        lacking += [f"{name} {status}" for status in operation["responses"].keys() - answered - ANYWHERE]
    assert sorted(set(lacking) - UNRECORDED) == []


def test_every_problem_code_is_recorded() -> None:
    """Each code that docs/api.md lists is that of a golden answer, but for those that no client can bring about."""
    failures = API_PAGE.read_text().partition("\n## Failures\n")[2].partition("\n## ")[0]
    listed = set(re.findall(r"^\|(?: \d+ \|)? `([a-z_]+)` \|", failures, re.MULTILINE))
    bodies = [answer.get("body") for answer in golden().values()]
    codes = {body["code"] for body in bodies if isinstance(body, dict) and "code" in body}
    assert codes == listed - UNREACHED


def test_every_mask_is_needed() -> None:
    """Each entry of the written list applies to a golden answer, and says why it is there."""
    answers = list(golden().values())
    written: list[Mask | Order | Omission] = [*MASKS, *ORDERS, *OMISSIONS]
    unused = [one for one in written if not any(applies(one, answer["request"], answer) for answer in answers)]
    assert unused == []
    assert all(len(one.reason) > 10 for one in written)


def test_the_golden_files_are_small() -> None:
    """What is recorded can be read, and does not weigh on a clone."""
    assert sum(file.stat().st_size for file in files.PLACE.iterdir()) < MOST_BYTES


def test_a_difference_is_shown_by_request_and_line() -> None:
    """A changed value is shown with its request and both lines, as are requests that are new or no longer made."""
    recorded = {"GET /a": {"body": {"price": "2.10"}}, "GET /b": {"status": 200}}
    answered = {"GET /a": {"body": {"price": "2.20"}}, "GET /c": {"status": 200}}
    assert files.difference(recorded, recorded) == ""
    shown = files.difference(recorded, answered)
    assert shown.splitlines()[:3] == ["differs: GET /a", "differs: GET /b", "differs: GET /c"]
    assert '-{"body": {"price": "2.10"}}' in shown
    assert '+{"body": {"price": "2.20"}}' in shown
    assert "--- GET /b\nis no longer asked" in shown
    assert "--- GET /c" in shown
