"""Which plug-ins are taken, and how settings merge over their defaults."""

from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from overround.bookmakers.registry import configured_options, load_bookmakers, merged_options
from overround.errors import SettingsError
from overround.settings import BookmakerSettings, Settings

PLUG_IN = """
from toy_bookmaker import BOOKMAKER as TOY
import msgspec

class Other(type(TOY), frozen=True, kw_only=True):
    pass

BOOKMAKER = Other({fields})
NOT_ONE = 7
class Half:
    slug, name, number, defaults = "half", "Half", 31000, TOY.defaults
"""


@pytest.fixture
def distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a maker of distributions with one entry point each, on the path beside the toy's."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent / "toy"))

    def make(name: str, *, fields: str = "", attribute: str = "BOOKMAKER") -> None:
        root = tmp_path / name
        info = root / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (root / f"{name}.py").write_text(PLUG_IN.format(fields=fields))
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[overround.bookmakers]\nany = {name}:{attribute}\n")
        monkeypatch.syspath_prepend(str(root))

    return make


def test_bookmakers_come_by_number() -> None:
    """Those that ship are found, in the order of their numbers."""
    assert [(slug, bookmaker.number) for slug, bookmaker in load_bookmakers().items()] == [
        ("betpawa", 1),
        ("sportybet", 2),
        ("bet9ja", 3),
    ]


def test_another_distribution_adds_one(distribution: Any) -> None:
    """A plug-in of another distribution is found where it is installed."""
    distribution("other_a", fields='slug="other", number=5')
    assert list(load_bookmakers()) == ["betpawa", "sportybet", "bet9ja", "other", "toy"]


@pytest.mark.parametrize(
    ("name", "fields", "attribute", "message"),
    [
        ("same_slug", 'number=5, slug="betpawa"', "BOOKMAKER", "share a slug betpawa: .*overround .*same_slug"),
        ("same_number", 'number=1, slug="other"', "BOOKMAKER", "share a number 1: .*overround .*same_number"),
        ("bad_slug", 'slug="Other One"', "BOOKMAKER", "bad_slug .*slug 'Other One' is not lower case"),
        ("bad_number", 'slug="other", number=0', "BOOKMAKER", "bad_number .*number 0 is not from 1 to 32767"),
        ("no_plug_in", 'slug="other"', "NOT_ONE", "no_plug_in .*no bookmaker plug-in"),
        ("half_a_one", 'slug="other"', "Half", "half_a_one .*it has no normaliser, client, replay"),
        ("not_there", 'slug="other"', "MISSING", "not_there .*cannot be loaded"),
    ],
)
def test_what_does_not_fit_is_refused_by_distribution(
    distribution: Any, name: str, fields: str, attribute: str, message: str
) -> None:
    """A clash, and what is no plug-in, stops the start with the name of the distribution."""
    distribution(name, fields=fields, attribute=attribute)
    with pytest.raises(SettingsError, match=message):
        load_bookmakers()


def test_a_module_that_cannot_be_imported_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry point to nowhere stops the start with its own words."""
    entry = EntryPoint(name="x", value="nowhere.at_all:BOOKMAKER", group="overround.bookmakers")
    monkeypatch.setattr("overround.bookmakers.registry.entry_points", lambda group: [entry] if group else [])
    with pytest.raises(SettingsError, match=r"unnamed distribution \(nowhere.at_all:BOOKMAKER\): cannot be loaded"):
        load_bookmakers()


def test_unset_settings_keep_the_defaults() -> None:
    """Without settings, and with empty ones, the plug-in's defaults stand."""
    betpawa = load_bookmakers()["betpawa"]
    assert merged_options(betpawa, None) == betpawa.defaults
    assert merged_options(betpawa, BookmakerSettings()) == betpawa.defaults


def test_limits_are_those_of_the_bookmakers() -> None:
    """Each plug-in states how hard its bookmaker may be asked."""
    limits = {
        slug: (bookmaker.defaults.concurrency, bookmaker.defaults.min_interval_ms)
        for slug, bookmaker in load_bookmakers().items()
    }
    assert limits == {"betpawa": (30, 0), "sportybet": (30, 0), "bet9ja": (15, 25)}


def test_set_values_win_and_headers_merge() -> None:
    """What is set replaces the default, false values too; a header replaces its namesake in any spelling."""
    settings = BookmakerSettings(
        enabled=False, min_interval_ms=0, timeout=3, proxy="http://proxy:1", headers={"X-Pawa-Brand": "b", "x-new": "n"}
    )
    options = merged_options(load_bookmakers()["betpawa"], settings)
    assert (options.enabled, options.timeout, options.proxy) == (False, 3, "http://proxy:1")
    assert options.base_url == "https://www.betpawa.ng"
    assert {name: options.headers[name] for name in ("X-Pawa-Brand", "x-new", "accept")} == {
        "X-Pawa-Brand": "b",
        "x-new": "n",
        "accept": "application/json",
    }
    assert "x-pawa-brand" not in options.headers


def test_environment_reaches_the_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """A nested environment variable sets one bookmaker's base address and leaves the others."""
    monkeypatch.setenv("OVERROUND_BOOKMAKERS__SPORTYBET__BASE_URL", "http://127.0.0.1:9001/sportybet")
    options = configured_options(load_bookmakers(), Settings().bookmakers)
    assert options["sportybet"].base_url == "http://127.0.0.1:9001/sportybet"
    assert options["sportybet"].concurrency == 30
    assert options["bet9ja"].base_url == "https://sports.bet9ja.com"


def test_settings_of_an_unknown_bookmaker_are_refused() -> None:
    """A slug that nothing installed answers to is named, with those that are."""
    with pytest.raises(SettingsError, match="settings for betpwaa: installed are betpawa, sportybet, bet9ja"):
        configured_options(load_bookmakers(), {"betpwaa": BookmakerSettings(enabled=True)})
