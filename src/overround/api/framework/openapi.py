"""The OpenAPI document: FastAPI's routes, rules that hold for all of them, and examples made from the schemas."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import msgspec
from fastapi import FastAPI

from overround.api.framework.problems import MEDIA_TYPE, Problem
from overround.api.framework.security import COOKIE, SAFE_METHODS

Json = dict[str, Any]

_PROBLEM = "#/components/schemas/Problem"
_OPEN = "/health/"
_ERRORS_FROM = 400
_PROBLEM_SCHEMAS = frozenset(("Problem", "HTTPValidationError"))
_BY_STATUS: Mapping[HTTPStatus, str] = MappingProxyType(
    {
        HTTPStatus.UNAUTHORIZED: "key_not_valid",
        HTTPStatus.TOO_MANY_REQUESTS: "cooling_down",
        HTTPStatus.SERVICE_UNAVAILABLE: "database_unavailable",
    }
)
_TEXT_EXAMPLES: Mapping[str, str] = MappingProxyType(
    {
        "text/plain": "# HELP overround_cache_events Events with prices.\n# TYPE overround_cache_events gauge\n"
        "overround_cache_events 1300.0\n",
        "text/csv": "sr_id,home,away,market,outcome\n61300947,Arsenal,Everton,match_result,home\n",
        "text/event-stream": 'event: heartbeat\nid: 1.7.0\ndata: {"cursor":"1.7.0","now":"2026-10-03T14:00:00Z"}\n\n',
    }
)


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A failure that any endpoint may answer with."""

    status: HTTPStatus
    codes: Mapping[str, str]
    header: str = ""
    changes_only: bool = False
    body_only: bool = False


FAILURES = (
    Failure(
        status=HTTPStatus.BAD_REQUEST, codes={"bad_request": "the body could not be read as a request"}, body_only=True
    ),
    Failure(
        status=HTTPStatus.UNAUTHORIZED,
        codes={
            "key_required": "an API key is needed, and none was sent",
            "key_not_valid": "the key or session is not valid, or no longer",
        },
        header="WWW-Authenticate",
    ),
    Failure(
        status=HTTPStatus.FORBIDDEN,
        codes={
            "operate_key_required": "the key may read only",
            "foreign_origin": "the request was sent by a web page of another origin",
        },
        changes_only=True,
    ),
    Failure(
        status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        codes={"body_too_large": "the body is larger than the service reads"},
    ),
    Failure(status=HTTPStatus.REQUEST_URI_TOO_LONG, codes={"uri_too_long": "path and query are too long"}),
    Failure(
        status=HTTPStatus.MISDIRECTED_REQUEST,
        codes={"foreign_host": "without a key, the service answers only to names of its own machine"},
    ),
    Failure(
        status=HTTPStatus.TOO_MANY_REQUESTS,
        codes={"rate_limited": "too many requests of this client"},
        header="Retry-After",
    ),
    Failure(
        status=HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, codes={"headers_too_large": "the headers are too large"}
    ),
    Failure(
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        codes={"keys_unavailable": "a key is needed, and the database that has the keys is away"},
    ),
)

# What particular endpoints answer with.
CODES: Mapping[str, str] = MappingProxyType(
    {
        "not_found": "there is no such path",
        "method_not_allowed": "the path has other methods; `Allow` names them",
        "key_not_valid": "the key or session is not valid, or no longer",
        "invalid_request": "a parameter or the body is not valid; `detail` names the place",
        "settings_invalid": "settings are out of bounds, or name a bookmaker that is not installed",
        "unknown_event": "no bookmaker lists the event",
        "unknown_run": "there is no such scrape run, or no longer",
        "unknown_market": "the catalogue has no such market",
        "unknown_listing": "the bookmaker has no such listing, or no longer",
        "unknown_dead_letter": "there is no such dead letter, or no longer",
        "run_in_progress": "a cycle is under way; `run_id` says which",
        "nothing_to_retry": "the run has no failures whose events are still to come",
        "cooling_down": "the event was scraped on demand just before; `Retry-After` says when it can be again",
        "nothing_held": "no rows of that bookmaker are held back",
        "too_many_streams": "as many clients follow live streams as there may be",
        "database_unavailable": "the database does not answer",
        "recovering": "the cache takes over the journal of an earlier process; `Retry-After` says when to ask again",
        "owned_elsewhere": "another service owns the database: this one scrapes nothing, and keeps its journal",
        "standby": "this service stands by while another one owns the database; `Retry-After` says when to ask again",
        "queue_refuses": "the write queue takes nothing: it is stopping, full, or its disk refuses",
        "internal_error": "a fault of the service; its log has the request's id",
    }
)


class DescribedApi(FastAPI):
    """An application whose OpenAPI document says of every endpoint how it fails, and shows an example."""

    def openapi(self) -> Json:
        """Return the document; made once."""
        if self.openapi_schema is None:
            self.openapi_schema = completed(super().openapi())
        return self.openapi_schema


def completed(document: Json) -> Json:
    """Complete a document as FastAPI makes it."""
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Problem"] = Problem.model_json_schema()
    components["responses"] = {_name(failure): _response(failure) for failure in FAILURES}
    components["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "An API key"},
        "session": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "A session of a browser"},
    }
    for path, method, operation in operations(document):
        _add_failures(path, method, operation)
        _mend_problems(path, operation)
        _add_examples(operation, schemas)
    return document


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    """Yield the document's operations with path and method, the method in capitals."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def _name(failure: Failure) -> str:
    return "Problem" + str(failure.status.value)


def _response(failure: Failure) -> Json:
    code, detail = next(iter(failure.codes.items()))
    response: Json = {
        "description": "; ".join(f"`{code}`: {text}" for code, text in failure.codes.items()),
        "content": {MEDIA_TYPE: {"schema": {"$ref": _PROBLEM}, "example": _problem(failure.status, code, detail)}},
    }
    if failure.header:
        response["headers"] = {failure.header: {"required": True, "schema": {"type": "string"}}}
    return response


def _problem(status: HTTPStatus, code: str, detail: str) -> Json:
    return Problem(title=status.phrase, status=status, code=code, detail=detail).model_dump(exclude_none=True)


def _add_failures(path: str, method: str, operation: Json) -> None:
    if path.startswith(_OPEN):
        operation["security"] = []
        return
    operation["security"] = [{}, {"key": []}, {"session": []}]
    for failure in FAILURES:
        applies = not (failure.changes_only and method in SAFE_METHODS)
        if applies and not (failure.body_only and "requestBody" not in operation):
            reference = {"$ref": f"#/components/responses/{_name(failure)}"}
            operation["responses"].setdefault(str(failure.status.value), reference)


def _mend_problems(path: str, operation: Json) -> None:
    """Give failures the media type and the schema that they really have, and an example with a code of theirs."""
    for status, response in operation["responses"].items():
        schema = response.get("content", {}).get("application/json", {}).get("schema", {})
        if int(status) >= _ERRORS_FROM and schema.get("$ref", "").rpartition("/")[2] in _PROBLEM_SCHEMAS:
            code = _likely_code(path, HTTPStatus(int(status)))
            example = _problem(HTTPStatus(int(status)), code, CODES[code])
            response["content"] = {MEDIA_TYPE: {"schema": {"$ref": _PROBLEM}, "example": example}}


def _likely_code(path: str, status: HTTPStatus) -> str:
    if status is HTTPStatus.NOT_FOUND:
        kinds = {
            "/runs": "unknown_run",
            "/listings": "unknown_listing",
            "/dead-letters": "unknown_dead_letter",
            "/markets": "unknown_market",
        }
        return next((code for part, code in kinds.items() if part in path), "unknown_event")
    if status is HTTPStatus.CONFLICT:
        return "nothing_to_retry" if path.endswith("/retry") else "run_in_progress"
    return _BY_STATUS.get(status, "invalid_request")


def _add_examples(operation: Json, schemas: Json) -> None:
    bodies = [operation["requestBody"]] if "requestBody" in operation else []
    for described in (*bodies, *operation["responses"].values()):
        for media_type, content in described.get("content", {}).items():
            if "example" not in content and "examples" not in content:
                fallback = _TEXT_EXAMPLES.get(media_type)
                content["example"] = fallback or sample(content.get("schema", {}), schemas)


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
