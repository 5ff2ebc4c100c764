"""Settings that change while the service runs: kept in the database, applied without a restart."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Protocol

import structlog

from overround.bookmakers.registry import configured_options
from overround.configuration.tuning import Overrides, Tuning, paths_of, tuning_of, with_overrides
from overround.errors import DatabaseUnavailableError, SettingsError
from overround.fetching.http import HttpFetcher
from overround.ports import Bookmaker, Clock
from overround.scheduling.scheduler import SchedulePlan, ScrapeScheduler
from overround.scraping.enabled_bookmakers import EnabledBookmakers
from overround.scraping.event_coordinator import EventCoordinator
from overround.settings import Settings
from overround.upkeep.maintenance import Maintenance

_PAUSE = 5.0  # seconds between tries to read them

_log = structlog.get_logger(__name__)


class OverrideStore(Protocol):
    """Where changed settings are kept; both methods raise DatabaseUnavailableError."""

    async def overrides(self) -> Overrides:
        """Return what is set over the settings, by path."""

    async def save(self, changes: Overrides, at: datetime) -> None:
        """Keep values, in place of earlier ones of the same paths."""


class Adjustable(Protocol):
    """The running parts that follow the settings."""

    @property
    def roster(self) -> EnabledBookmakers:
        """Return who is asked."""

    @property
    def fetchers(self) -> Mapping[str, HttpFetcher]:
        """Return what asks, by bookmaker."""

    @property
    def scheduler(self) -> ScrapeScheduler:
        """Return what starts cycles."""

    @property
    def coordinator(self) -> EventCoordinator:
        """Return what runs them."""

    @property
    def maintenance(self) -> Maintenance:
        """Return what drops old history."""


class LiveSettings:
    """The settings as they are at present: those that the service was given, and over them what was changed since."""

    def __init__(
        self,
        given: Settings,
        bookmakers: Mapping[str, Bookmaker],
        store: OverrideStore,
        ready: asyncio.Event,
        clock: Clock,
    ) -> None:
        self._given = given
        self._bookmakers = bookmakers
        self._store = store
        self._ready = ready
        self._clock = clock
        self._overrides: Overrides = {}
        self._loaded = False
        self._one_at_a_time = asyncio.Lock()
        self._parts: Adjustable | None = None
        self.settings = given

    def tuning(self) -> Tuning:
        """Return what may be changed, as it is."""
        return tuning_of(self.settings, configured_options(self._bookmakers, self.settings.bookmakers))

    async def load(self) -> Settings:
        """Return the settings with what the database has over them; without it, if it does not answer."""
        if self._ready.is_set():
            await self._read()
        return self.settings

    async def change(self, patch: Mapping[str, object]) -> Tuning:
        """Keep a nested change of some values and apply it; a value of null goes back to the given one.

        Raises:
            SettingsError: a value is out of bounds, or a bookmaker is not installed; nothing has changed.
            DatabaseUnavailableError: it could not be kept; nothing has changed.
        """
        async with self._one_at_a_time:
            if not self._loaded:
                raise DatabaseUnavailableError("the settings that were changed before cannot be read yet")
            changes = dict(paths_of(patch))
            overrides = {**self._overrides, **changes}
            settings = self._checked(overrides)
            _refuse_crossed(settings, changes)
            await self._store.save(changes, self._clock.now())
            self._overrides, self.settings = overrides, settings
            self._apply()
        _log.info("settings_changed", **changes)
        return self.tuning()

    @asynccontextmanager
    async def applied_to(self, parts: Adjustable) -> AsyncIterator[None]:
        """Apply changes to running parts during the block; those of the database too, once it answers."""
        self._parts = parts
        task = asyncio.create_task(self._load_later(), name="live-settings")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _load_later(self) -> None:
        await self._ready.wait()
        if self._loaded:
            return
        while not await self._read_and_apply():
            await self._clock.sleep(_PAUSE)

    async def _read_and_apply(self) -> bool:
        async with self._one_at_a_time:
            await self._read()
            if self._loaded:
                self._apply()
            return self._loaded

    async def _read(self) -> None:
        try:
            found = await self._store.overrides()
        except DatabaseUnavailableError as error:
            _log.warning("settings_not_read", error=str(error))
            return
        self._overrides = {path: value for path, value in found.items() if self._still_good(path, value)}
        self.settings = self._checked(self._overrides)
        self._loaded = True

    def _still_good(self, path: str, value: object) -> bool:
        """Tell whether a kept value fits this release and its plug-ins; one that does not is no reason not to start."""
        try:
            self._checked({path: value})
        except SettingsError as error:
            _log.warning("setting_left_out", path=path, error=str(error))
            return False
        return True

    def _checked(self, overrides: Overrides) -> Settings:
        settings = with_overrides(self._given, overrides)
        configured_options(self._bookmakers, settings.bookmakers)
        return settings

    def _apply(self) -> None:
        parts, settings = self._parts, self.settings
        if parts is None:
            return
        for slug, options in configured_options(self._bookmakers, settings.bookmakers).items():
            parts.fetchers[slug].set_limits(options)
            parts.roster.switch(slug, on=options.enabled)
        parts.scheduler.set_plan(SchedulePlan.of(settings.schedule))
        parts.coordinator.near_kickoff = settings.schedule.near_kickoff
        parts.maintenance.keep = settings.retention.model_dump()


def _refuse_crossed(settings: Settings, changes: Overrides) -> None:
    schedule = settings.schedule
    if schedule.long_interval < schedule.short_interval and any(path.startswith("schedule.") for path in changes):
        raise SettingsError("the long interval is shorter than the short one")
