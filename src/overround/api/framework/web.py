"""The trader's page: the files that `web/` is built into, and its index for every address of the page."""

from pathlib import Path

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse, HTMLResponse
from starlette.exceptions import HTTPException
from starlette.routing import Route

STATIC = Path(__file__).resolve().parents[2] / "web" / "static"

_POLICY = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
_FOR_EVER = "public, max-age=31536000, immutable"
_NOT_BUILT = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>Overround</title>"
    "<h1>The page is not built</h1><p>Run <code>make web</code> in the checkout, then load this page again.</p>"
    "<p>The API is at <a href=/api/docs>/api/docs</a>.</p>"
)

router = APIRouter(include_in_schema=False)


def index_page(static: Path) -> Response:
    """Return the page's index, or how to build it where it is not there."""
    index = static / "index.html"
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
    if not index.is_file():
        return HTMLResponse(_NOT_BUILT, status_code=503, headers=headers)
    return FileResponse(index, media_type="text/html", headers=headers)


def asset_file(static: Path, name: str) -> Response:
    """Return a built file, whose name changes with its content; raises a 404 where there is none."""
    asset = static / "assets" / name
    if "/" in name or ".." in name or not asset.is_file():
        raise HTTPException(status_code=404)
    return FileResponse(asset, headers={"Cache-Control": _FOR_EVER, "X-Content-Type-Options": "nosniff"})


@router.get("/")
@router.get("/events/{sr_id}")
@router.get("/coverage")
@router.get("/runs")
@router.get("/health-board")
@router.get("/settings")
async def page() -> Response:
    """Show the page; its script reads the address."""
    return index_page(STATIC)


@router.get("/assets/{name}")
async def asset(name: str) -> Response:
    """Return a script or a style sheet."""
    return asset_file(STATIC, name)


@router.get("/favicon.svg")
async def favicon() -> Response:
    """Return the page's icon."""
    icon = STATIC / "favicon.svg"
    if not icon.is_file():
        raise HTTPException(status_code=404)
    return FileResponse(icon, headers={"Cache-Control": "public, max-age=86400"})


def shows_no_data(path: str) -> bool:
    """Tell whether a path is one of the page's own files, which anybody may have: the data come from the API."""
    return any(isinstance(route, Route) and route.path_regex.match(path) for route in router.routes)
