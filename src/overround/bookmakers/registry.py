"""Which bookmakers there are, and how each is reached."""

import re
from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points

import msgspec

from overround.catalogue import Catalogue
from overround.errors import CatalogueError, SettingsError
from overround.ports import Bookmaker, BookmakerOptions
from overround.settings import BookmakerSettings

GROUP = "overround.bookmakers"
_SLUG = re.compile(r"[a-z][a-z0-9]*")
_MAX_NUMBER = 32767
_METHODS = ("normaliser", "client", "replay")


def load_bookmakers() -> dict[str, Bookmaker]:
    """Return every installed bookmaker by slug, in the order of their numbers.

    Raises:
        SettingsError: an entry point of the group does not lead to a plug-in, or two plug-ins share a
            slug or a number; the distributions are named.
    """
    found = [(_origin(entry), _loaded(entry)) for entry in entry_points(group=GROUP)]
    _refuse_shared("slug", ((bookmaker.slug, origin) for origin, bookmaker in found))
    _refuse_shared("number", ((str(bookmaker.number), origin) for origin, bookmaker in found))
    ordered = sorted((bookmaker for _, bookmaker in found), key=lambda bookmaker: bookmaker.number)
    return {bookmaker.slug: bookmaker for bookmaker in ordered}


def merged_options(bookmaker: Bookmaker, settings: BookmakerSettings | None) -> BookmakerOptions:
    """Return a bookmaker's options: its defaults, and over them what the settings set; headers merge by name."""
    if settings is None:
        return bookmaker.defaults
    changes = settings.model_dump(exclude_none=True)
    if "headers" in changes:
        changes["headers"] = _merged_headers(bookmaker.defaults.headers, changes["headers"])
    return msgspec.structs.replace(bookmaker.defaults, **changes)


def configured_options(
    bookmakers: Mapping[str, Bookmaker], settings: Mapping[str, BookmakerSettings]
) -> dict[str, BookmakerOptions]:
    """Return the merged options of every bookmaker by slug, disabled ones included.

    Raises:
        SettingsError: the settings name a bookmaker that is not installed.
    """
    unknown = sorted(settings.keys() - bookmakers.keys())
    if unknown:
        raise SettingsError(f"settings for {', '.join(unknown)}: installed are {', '.join(bookmakers)}")
    return {slug: merged_options(bookmaker, settings.get(slug)) for slug, bookmaker in bookmakers.items()}


def _merged_headers(defaults: Mapping[str, str], changes: Mapping[str, str]) -> dict[str, str]:
    """Merge without regard to case: a header set twice under two spellings would be sent twice."""
    changed = {name.lower() for name in changes}
    return {name: value for name, value in defaults.items() if name.lower() not in changed} | dict(changes)


def _origin(entry: EntryPoint) -> str:
    distribution = entry.dist.name if entry.dist else "an unnamed distribution"
    return f"{distribution} ({entry.value})"


def _loaded(entry: EntryPoint) -> Bookmaker:
    try:
        candidate: Bookmaker = entry.load()
    except (ImportError, AttributeError) as error:
        raise SettingsError(f"{_origin(entry)}: cannot be loaded: {error}") from error
    fault = _fault(candidate)
    if fault:
        raise SettingsError(f"{_origin(entry)}: no bookmaker plug-in: {fault}")
    return candidate


def _fault(candidate: object) -> str | None:
    """Return what a loaded object lacks to be a plug-in; None if nothing."""
    slug, number = getattr(candidate, "slug", None), getattr(candidate, "number", None)
    missing = [name for name in _METHODS if not callable(getattr(candidate, name, None))]
    if not isinstance(slug, str) or not _SLUG.fullmatch(slug):
        return f"slug {slug!r} is not lower case letters and digits"
    if not isinstance(number, int) or not 1 <= number <= _MAX_NUMBER:
        return f"number {number!r} is not from 1 to {_MAX_NUMBER}"
    if not isinstance(getattr(candidate, "name", None), str):
        return "it has no name"
    if not isinstance(getattr(candidate, "defaults", None), BookmakerOptions):
        return "its defaults are no BookmakerOptions"
    return f"it has no {', '.join(missing)}" if missing else None


def _refuse_shared(what: str, values: Iterable[tuple[str, str]]) -> None:
    owners: dict[str, list[str]] = {}
    for value, origin in values:
        owners.setdefault(value, []).append(origin)
    shared = [f"{what} {value}: {', '.join(sorted(origins))}" for value, origins in owners.items() if len(origins) > 1]
    if shared:
        raise SettingsError(f"bookmakers share a {'; '.join(shared)}")


def refuse_unknown_bookmakers(catalogue: Catalogue, bookmakers: Mapping[str, Bookmaker]) -> None:
    """Refuse a mapping file of the user's that names a bookmaker there is not.

    Raises:
        CatalogueError: it does; the file and the line are named.
    """
    for entry in catalogue.overrides.entries:
        if entry.bookmaker not in bookmakers:
            known = ", ".join(bookmakers)
            raise CatalogueError(f"{entry.place}: no bookmaker {entry.bookmaker!r}; there are {known}")
