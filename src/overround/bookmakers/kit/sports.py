"""The sports of a bookmaker: `sports.toml` in its package has its id for each of ours."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Final

import msgspec

from overround.errors import CatalogueError

SPORTS: Final = "sports.toml"


def read_sport_ids(package: str) -> Mapping[str, str]:
    """Return a bookmaker's ids by sport.

    Raises:
        CatalogueError: the file is not valid.
    """
    text = files(package).joinpath(SPORTS).read_text("utf-8")
    try:
        return msgspec.convert(tomllib.loads(text), dict[str, str])
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise CatalogueError(f"{package}/{SPORTS}: {error}") from error
