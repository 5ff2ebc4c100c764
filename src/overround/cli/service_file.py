"""Where the running service can be reached: `service.json` in its data directory."""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from overround.errors import OverroundError

_NAME = "service.json"
_TIMEOUT = 60.0  # seconds; a comparison with the database takes its time


@contextmanager
def announced(data_dir: Path, address: str) -> Iterator[None]:
    """Write the address for other commands for as long as the service runs."""
    data_dir.mkdir(parents=True, exist_ok=True)
    file = data_dir / _NAME
    file.write_text(json.dumps({"address": address, "pid": os.getpid()}), encoding="utf-8")
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def ask_service(data_dir: Path, path: str, *, method: str = "GET") -> dict[str, Any] | None:
    """Return the JSON object that the running service answers; None if none runs.

    Raises:
        OverroundError: it answers with an error, or not with JSON.
    """
    try:
        address = json.loads((data_dir / _NAME).read_text(encoding="utf-8"))["address"]
    except (OSError, ValueError, KeyError):
        return None
    try:
        request = urllib.request.Request(address + path, method=method)  # noqa: S310 - our own address
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:  # noqa: S310 - as above
            answer: dict[str, Any] = json.load(response)
            return answer
    except urllib.error.HTTPError as error:
        raise OverroundError(f"the service answers {error.code} to {path}") from error
    except ValueError as error:
        raise OverroundError(f"the service's answer to {path} is not JSON") from error
    except OSError:
        return None
