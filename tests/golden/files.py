"""The golden files: readable JSON for each group, and what is too long for that, compressed beside it."""

import difflib
import hashlib
import json
import lzma
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.golden.recorder import Answers

Json = Any
PLACE = Path(__file__).with_name("answers")
_READABLE = 3_000  # characters; a longer body is kept compressed
_WIDTH = 120
_SHOWN = 60  # differing lines of one answer


def write(group: str, answers: Answers) -> None:
    """Write the golden files of a group."""
    readable, packed = _divided(answers)
    (PLACE / f"{group}.json").write_text(text_of(readable) + "\n")
    beside = PLACE / f"{group}.json.xz"
    beside.unlink(missing_ok=True)
    if not packed:
        return
    compact = json.dumps(packed, sort_keys=True, separators=(",", ":")).encode()
    beside.write_bytes(lzma.compress(compact, preset=9))


def read(group: str) -> Answers:
    """Return what was recorded of a group."""
    readable = json.loads((PLACE / f"{group}.json").read_text())
    beside = PLACE / f"{group}.json.xz"
    packed = json.loads(lzma.decompress(beside.read_bytes())) if beside.exists() else {}
    return {name: {**answer, "body": packed[name]} if name in packed else answer for name, answer in readable.items()}


def difference(recorded: Answers, answered: Answers) -> str:
    """Return which answers differ from those recorded, and then each one's lines; nothing where none does."""
    names = [*recorded, *(name for name in answered if name not in recorded)]
    differing = [name for name in names if recorded.get(name) != answered.get(name)]
    lines = [line for name in differing for line in _lines(name, recorded.get(name), answered.get(name))]
    return "\n".join([f"differs: {name}" for name in differing] + lines)


def text_of(value: Json, indent: int = 0) -> str:
    """Return a value as JSON; what fits on a line stands on one."""
    line = json.dumps(value, sort_keys=True, ensure_ascii=False)
    if len(line) + indent <= _WIDTH or not isinstance(value, dict | list) or not value:
        return line
    inner = " " * (indent + 1)
    if isinstance(value, dict):
        members = [f"{json.dumps(name)}: {text_of(value[name], indent + 1)}" for name in _ordered(value, indent)]
        return "{\n" + ",\n".join(inner + one for one in members) + "\n" + " " * indent + "}"
    return "[\n" + ",\n".join(inner + text_of(one, indent + 1) for one in value) + "\n" + " " * indent + "]"


def _ordered(value: Mapping[str, Json], indent: int) -> Sequence[str]:
    """Return the names of an object: the requests in the order in which they were made, all others sorted."""
    return list(value) if indent == 0 else sorted(value)


def _divided(answers: Answers) -> tuple[Answers, Answers]:
    readable, packed = {}, {}
    for name, answer in answers.items():
        body = json.dumps(answer.get("body"), sort_keys=True)
        if len(body) > _READABLE:
            packed[name] = answer["body"]
            told = {"packed": hashlib.sha256(body.encode()).hexdigest()[:16], "characters": len(body)}
            readable[name] = {**answer, "body": told}
        else:
            readable[name] = answer
    return readable, packed


def _lines(name: str, recorded: Json, answered: Json) -> Sequence[str]:
    if answered is None:
        return [f"--- {name}", "is no longer asked"]
    before, after = (text_of(value, 1).splitlines() for value in (recorded, answered))
    lines = list(difflib.unified_diff(before, after, "recorded", "answered", lineterm="", n=2))[2:]
    rest = [f"... and {len(lines) - _SHOWN} lines more"] if len(lines) > _SHOWN else []
    return [f"--- {name}", *lines[:_SHOWN], *rest]
