"""Writes docs/api.md from the OpenAPI document; `make docs`."""

import sys
from pathlib import Path

from overround.api.app import create_app
from overround.api.framework.reference import reference

PAGE = Path(__file__).resolve().parents[1] / "docs" / "api.md"


def main() -> int:
    """Write the page."""
    PAGE.write_text(reference(create_app().openapi()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
