from pathlib import Path

import pytest
from fastapi.responses import FileResponse
from starlette.exceptions import HTTPException

from overround.api.framework.web import asset_file, index_page


def test_a_page_that_is_not_built_says_how(tmp_path: Path) -> None:
    """Without the built files the page answers 503 and names the command."""
    answer = index_page(tmp_path)
    assert answer.status_code == 503
    assert b"make web" in bytes(answer.body)


def test_assets_are_cached_for_ever_and_the_index_is_not(tmp_path: Path) -> None:
    """An asset's name changes with its content; the index names the assets of today."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "index-1a.js").write_text("")
    (tmp_path / "index.html").write_text("")
    asset = asset_file(tmp_path, "index-1a.js")
    assert isinstance(asset, FileResponse)
    assert asset.headers["cache-control"].endswith("immutable")
    assert index_page(tmp_path).headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("name", ["missing.js", "../index.html", "..", "a/b.js"])
def test_nothing_outside_the_assets_is_served(tmp_path: Path, name: str) -> None:
    """A name that is no asset is not found, whatever it points at."""
    (tmp_path / "index.html").write_text("")
    with pytest.raises(HTTPException):
        asset_file(tmp_path, name)
