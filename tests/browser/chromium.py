"""Where the browser tests find Chromium; run as a module it installs one where it can."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import sync_playwright

_COMMANDS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_PATIENCE = 300  # seconds for an installation
MISSING = (
    "THE PAGE WAS NOT TESTED: there is no Chromium, and none could be had. As root on Debian `make test-page` installs "
    "it; elsewhere install chromium, or run `.venv/bin/playwright install chromium`."
)


def installed() -> Path | None:
    """Return the Chromium of this machine, else the one that Playwright has fetched, if there is one."""
    found = next(filter(None, map(shutil.which, _COMMANDS)), None)
    if found:
        return Path(found)
    with sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
    return own if own.exists() else None


def main() -> int:
    """Install Chromium where it is missing; always 0: the tests tell what follows."""
    if installed() is not None:
        return 0
    sys.stderr.write("Chromium is not there: installing it\n")
    if os.geteuid() == 0 and shutil.which("apt-get"):
        _run("apt-get", "-qq", "update")
        _run("apt-get", "-qq", "install", "--yes", "--no-install-recommends", "chromium", "fonts-dejavu-core")
    if installed() is None:
        _run(sys.executable, "-m", "playwright", "install", "chromium")
    return 0


def _run(*command: str) -> None:
    try:
        _started(command)
    except (OSError, subprocess.SubprocessError) as error:
        sys.stderr.write(f"{error}\n")


def _started(command: Sequence[str]) -> None:
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(  # noqa: S603 - the commands above
        command, check=True, timeout=_PATIENCE, env=quiet, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )


if __name__ == "__main__":
    sys.exit(main())
