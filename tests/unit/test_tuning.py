import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest

from overround.bookmakers.registry import configured_options, load_bookmakers
from overround.configuration.live_settings import LiveSettings
from overround.configuration.tuning import paths_of, tuning_of, with_overrides
from overround.errors import DatabaseUnavailableError, SettingsError
from overround.fetching.admission import AdaptiveLimit
from overround.fetching.circuit_breaker import RequestOutcome
from overround.scraping.enabled_bookmakers import EnabledBookmakers
from overround.settings import BookmakerSettings, Settings
from overround.testing import ManualClock
from tests.support.desk import Desk


def test_overrides_lie_over_the_settings() -> None:
    """Each path changes its own value and leaves all others as given; null leaves it too."""
    given = Settings(bookmakers={"bet9ja": BookmakerSettings(timeout=7, concurrency=5)})
    changed = with_overrides(
        given,
        {
            "schedule.short_interval_seconds": 90,
            "schedule.long_interval_seconds": None,
            "retention.odds_snapshots_days": 2.5,
            "bookmakers.bet9ja.concurrency": 9,
            "bookmakers.sportybet.enabled": False,
        },
    )
    assert changed.schedule.short_interval == timedelta(seconds=90)
    assert changed.schedule.long_interval == given.schedule.long_interval
    assert changed.retention.odds_snapshots == timedelta(days=2.5)
    assert changed.bookmakers["bet9ja"] == BookmakerSettings(timeout=7, concurrency=9)
    assert changed.bookmakers["sportybet"].enabled is False
    assert with_overrides(given, {}) == given


def test_what_is_shown_can_be_set() -> None:
    """Setting everything to what is shown changes nothing."""
    given, bookmakers = Settings(), load_bookmakers()
    tuning = tuning_of(given, configured_options(bookmakers, given.bookmakers))
    shown = {
        "schedule": {"near_kickoff_seconds": tuning.schedule.near_kickoff_seconds},
        "bookmakers": {slug: {"concurrency": one.concurrency} for slug, one in tuning.bookmakers.items()},
        "retention": {"odds_snapshots_days": tuning.retention.odds_snapshots_days},
    }
    again = with_overrides(given, dict(paths_of(shown)))
    assert tuning_of(again, configured_options(bookmakers, again.bookmakers)) == tuning


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("schedule.enabled", False),
        ("schedule.short_interval_seconds", 0),
        ("schedule.short_interval_seconds", "soon"),
        ("schedule.short_interval_seconds", True),
        ("retention.odds_snapshots_days", 0.5),
        ("bookmakers.bet9ja.concurrency", 0),
        ("bookmakers.bet9ja.concurrency", 501),
        ("bookmakers.bet9ja.base_url", "http://elsewhere"),
        ("bookmakers.bet9ja", {}),
        ("database_url", "postgresql://elsewhere"),
    ],
)
def test_what_may_not_change_is_refused(path: str, value: object) -> None:
    """Neither values out of bounds nor other settings come in this way."""
    with pytest.raises(SettingsError):
        with_overrides(Settings(), {path: value})


class Kept:
    """Overrides in memory; implements `OverrideStore`."""

    def __init__(self, content: dict[str, object]) -> None:
        self.content = content

    async def overrides(self) -> Mapping[str, object]:
        """Return them."""
        return self.content

    async def save(self, changes: Mapping[str, object], at: datetime) -> None:
        """Keep some."""
        del at
        self.content |= changes


async def test_without_the_database_nothing_is_changed() -> None:
    """What was changed before is not known yet: a change now could not be laid over it."""
    ready, kept = asyncio.Event(), Kept({"schedule.short_interval_seconds": 90})
    live = LiveSettings(Settings(), load_bookmakers(), kept, ready, ManualClock())
    assert await live.load() == Settings()
    with pytest.raises(DatabaseUnavailableError):
        await live.change({"schedule": {"long_interval_seconds": 900}})
    ready.set()
    assert (await live.load()).schedule.short_interval == timedelta(seconds=90)
    tuning = await live.change({"schedule": {"long_interval_seconds": 900}})
    assert (tuning.schedule.short_interval_seconds, tuning.schedule.long_interval_seconds) == (90, 900)
    assert kept.content == {"schedule.short_interval_seconds": 90, "schedule.long_interval_seconds": 900}


def test_a_roster_changes() -> None:
    """Who is switched off is no longer among those asked, is still found, and is still shown."""
    desk = Desk("betpawa", "sportybet", "bet9ja")
    roster = EnabledBookmakers(desk.context.sources, ["betpawa", "sportybet"])
    assert (list(roster), roster.shown) == (["betpawa", "sportybet"], ("betpawa", "sportybet"))
    roster.switch("betpawa", on=False)
    roster.switch("bet9ja", on=True)
    assert (list(roster), len(roster)) == (["sportybet", "bet9ja"], 2)
    assert "betpawa" not in roster
    assert roster["betpawa"] is desk.context.sources["betpawa"]
    assert roster.shown == ("betpawa", "sportybet", "bet9ja")


def test_a_limit_that_changes_keeps_what_was_learnt() -> None:
    """A bookmaker that bore the old limit may have the new one at once; one that complained has to earn it."""
    limit = AdaptiveLimit(10)
    limit.set_limit(20)
    assert limit.allowed == 20
    limit.set_limit(4)
    assert limit.allowed == 4
    limit.ended(limit.generation, RequestOutcome.COMPLAINED)
    assert limit.allowed == 2
    limit.set_limit(20)
    assert (limit.allowed, limit.limit) == (2, 20)
