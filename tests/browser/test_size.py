"""What is sent for the first page."""

import gzip
import re

from overround.api.framework.web import STATIC

MOST_BYTES = 350_000


def test_the_script_of_the_first_page_is_small() -> None:
    """The index and what it loads at once are at most 350 kB of compressed script, none of it from elsewhere."""
    index = (STATIC / "index.html").read_text(encoding="utf-8")
    scripts = re.findall(r'(?:src|href)="(/assets/[^"]+\.js)"', index)
    assert scripts
    assert sum(len(gzip.compress((STATIC / name.lstrip("/")).read_bytes())) for name in scripts) <= MOST_BYTES
    assert not re.search(r'(?:src|href)="(?:https?:)?//', index)
