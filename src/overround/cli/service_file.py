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
from overround.settings import Settings

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


def stated_address(data_dir: Path) -> str | None:
    """Return the address that a service wrote there; one that was killed does not take it back."""
    try:
        return str(json.loads((data_dir / _NAME).read_text(encoding="utf-8"))["address"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def ask_service(data_dir: Path, path: str, *, method: str = "GET", body: object = None) -> dict[str, Any] | None:
    """Return the JSON object that the running service answers to a request with a JSON body; None if none runs.

    A service that needs a key is shown the one of the settings.

    Raises:
        OverroundError: it answers with an error, or not with JSON.
    """
    address = stated_address(data_dir)
    if address is None:
        return None
    try:
        content = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **_key_header()}
        request = urllib.request.Request(address + path, content, headers, method=method)  # noqa: S310 - our own
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:  # noqa: S310 - as above
            answer: dict[str, Any] = json.load(response)
            return answer
    except urllib.error.HTTPError as error:
        raise OverroundError(f"the service answers {error.code} to {path}{_detail(error)}") from error
    except ValueError as error:
        raise OverroundError(f"the service's answer to {path} is not JSON") from error
    except OSError:
        return None


def _key_header() -> dict[str, str]:
    key = Settings().api_key
    return {} if key is None else {"Authorization": f"Bearer {key.get_secret_value()}"}


def _detail(error: urllib.error.HTTPError) -> str:
    """Return what a problem's body says for people; empty if it is none."""
    try:
        detail = str(json.load(error)["detail"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return f": {detail}" if detail else ""
