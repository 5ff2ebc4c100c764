"""docs/settings.md and the settings are one."""

import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_json

from overround.settings import BookmakerSettings, Settings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "settings.md"
WORDED_DEFAULTS = {"OVERROUND_DATA_DIR": "the platform's user-data directory"}


def documented() -> dict[str, str]:
    """Return what the page's tables say: variable -> default."""
    rows = re.findall(r"^\| `(OVERROUND_[^`]+)` \| (.*?) \| \S.* \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) == len(dict(rows)), "a setting stands twice"
    return dict(rows)


def expected() -> dict[str, str]:
    """Return what the page ought to say."""
    settings = dict(defaults(Settings, "OVERROUND_"))
    bookmaker = {name: "from the plug-in" for name, _ in defaults(BookmakerSettings, "OVERROUND_BOOKMAKERS__<SLUG>__")}
    return settings | bookmaker


def defaults(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str]]:
    """Yield the variables of a settings model with their defaults as the page writes them."""
    for name, field in model.model_fields.items():
        variable = prefix + name.upper()
        if isinstance(field.default, BaseModel):
            yield from defaults(type(field.default), f"{variable}__")
        elif name != "bookmakers":
            yield variable, WORDED_DEFAULTS.get(variable) or default_text(field)


def default_text(field: FieldInfo) -> str:
    """Return a default in the form in which an environment variable would hold it."""
    if field.default is None:
        return "none"
    json = to_json(field.default).decode()
    return "`" + (json if json.startswith("[") else json.strip('"')) + "`"


def test_every_setting_is_documented_with_its_default() -> None:
    """Each setting has a row with its variable, its default and a sentence; and there is no row without a setting."""
    assert documented() == expected()
