"""Asks a running service, and keeps its answers as JSON that can be compared."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

import aiohttp

from tests.golden.masks import Json, masked
from tests.golden.openapi import described

Answers = dict[str, Json]

# The same in every answer: in the golden files they stand only where they differ.
COMMON_HEADERS: Mapping[str, str | None] = MappingProxyType(
    {
        "cache-control": "private, no-cache",
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        "content-type": "application/json",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "x-request-id": "<text>",
    }
)
_UNTOLD = frozenset({"connection", "date", "content-length", "server", "transfer-encoding"})  # of HTTP, not of the API
_FAMILY = re.compile(r"# (HELP|TYPE) (\S+) (.*)")
_SAMPLE = re.compile(r"(\w+)(?:\{(.*)\})? ")
_LABEL = re.compile(r'(\w+)="')


class Recorder:
    """Keeps the answers of one group by step and request, values that differ from run to run masked."""

    def __init__(self, session: aiohttp.ClientSession, answers: Answers | None = None) -> None:
        """Record what a session is answered, beside answers that were recorded before."""
        self.answers: Answers = {} if answers is None else answers
        self._session = session
        self._step = ""

    def step(self, name: str) -> None:
        """Begin a step; its name stands before those of the requests that follow."""
        self._step = name

    async def ask_all(self, *requests: str) -> None:
        """Ask these, each written as method and path."""
        for request in requests:
            await self.ask(request)

    async def ask(self, request: str, note: str = "", body: object = None, **headers: str) -> aiohttp.ClientResponse:
        """Ask once; `note` tells requests of one path apart, `body` is sent as JSON."""
        method, path = request.split(" ", 1)
        sent = {"Accept-Encoding": "identity"} | {name.replace("_", "-"): text for name, text in headers.items()}
        async with self._session.request(method, path, headers=sent, json=body) as response:
            self._keep(request, note if body is None else note or json.dumps(body), response, await _body(response))
            return response

    async def ask_until(self, status: int, request: str) -> None:
        """Ask again and again, up to the first answer of a status; that one is kept."""
        method, path = request.split(" ", 1)
        answered = 0
        while answered != status:
            async with self._session.request(method, path) as response:
                answered, body = response.status, await _body(response)
        self._keep(request, "too often", response, body)

    async def ask_raw(self, request: str, note: str, data: bytes, name: str = "") -> None:
        """Send bytes that are said to be JSON; `name` is what the answer is kept by where the path is too long."""
        method, path = request.split(" ", 1)
        kind = {"Content-Type": "application/json"}
        async with self._session.request(method, path, data=data, headers=kind) as response:
            self._keep(name or request, note, response, await _body(response))

    async def follow(self, request: str, last: str) -> str:
        """Follow a stream up to the message of a name; return the last cursor."""
        async with self._session.get(request.removeprefix("GET ")) as response:
            messages = await read_messages(response, {last})
            self._keep(request, "", response, list(messages))
        await self.until_nobody_follows()
        return next(str(one["id"]) for one in reversed(messages) if one.get("id"))

    async def until_nobody_follows(self) -> None:
        """Wait until the service has seen that its stream's clients are gone: it counts them in its status."""
        clients = 1
        while clients:
            async with self._session.get("/api/status") as response:
                clients = (await response.json())["streams"]["clients"]

    def keep_messages(self, request: str, messages: Sequence[Json], note: str = "") -> None:
        """Keep messages that were read elsewhere."""
        self._put(request, note, {"messages": list(messages)})

    def _keep(self, request: str, note: str, response: aiohttp.ClientResponse, body: Json) -> None:
        headers = {name.lower(): text for name, text in response.headers.items() if name.lower() not in _UNTOLD}
        self._put(request, note, {"status": response.status, "headers": headers, "body": body})

    def _put(self, request: str, note: str, answer: Json) -> None:
        name = " | ".join(filter(None, (self._step, request, note)))
        assert name not in self.answers, name
        answer = masked(request, answer)
        if "headers" in answer:
            answer["headers"] = _uncommon(answer["headers"])
        self.answers[name] = answer


def _uncommon(headers: Mapping[str, str]) -> Mapping[str, str | None]:
    """Return the headers that differ from the common ones; None: it is lacking."""
    names = sorted(COMMON_HEADERS.keys() | headers.keys())
    return {name: headers.get(name) for name in names if headers.get(name) != COMMON_HEADERS.get(name)}


async def read_messages(
    response: aiohttp.ClientResponse, last: Collection[str], count: int = 1
) -> list[dict[str, Json]]:
    """Return a stream's messages up to the given number of those of some names, or of those that have such a field."""
    found: list[dict[str, Json]] = []
    while count:
        text = (await response.content.readuntil(b"\n\n")).decode()
        fields = [line.partition(":") for line in text.splitlines() if line]
        message: dict[str, Json] = {name or ":": value.strip() for name, _, value in fields}
        if "data" in message:
            message["data"] = json.loads(str(message["data"]))
        found.append(message)
        count -= message.get("event") in last or any(name in message for name in last)
    return found


async def _body(response: aiohttp.ClientResponse) -> Json:
    kind, text = response.content_type, await response.text()
    if not text:
        return None
    if kind == "text/html":
        return "a page"
    if kind == "text/plain" and text.startswith("# "):
        return _families(text)
    if not kind.endswith("json"):
        return list(text.splitlines())
    body = json.loads(text)
    return described(body) if isinstance(body, dict) and "openapi" in body else body


def _families(text: str) -> Json:
    """Return the metrics by name: what they are, and the labels of their samples, without values."""
    found: dict[str, dict[str, Json]] = {}
    labels: dict[str, set[str]] = {}
    for line in text.splitlines():
        if told := _FAMILY.match(line):
            found.setdefault(told[2], {})[told[1].lower()] = told[3]
        elif sample := _SAMPLE.match(line):
            labels.setdefault(sample[1], set()).update(_LABEL.findall(sample[2] or ""))
    samples: dict[str, Json] = {name: sorted(used) for name, used in labels.items()}
    return {"families": {**found}, "samples": samples}
