"""The settings that may change while the service runs: their names, their values, what they make of the rest."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from types import MappingProxyType

import msgspec

from overround.errors import SettingsError
from overround.ports import BookmakerOptions
from overround.settings import BookmakerSettings, RetentionSettings, ScheduleSettings, Settings

Overrides = Mapping[str, object]

# Path -> field of the settings, and its unit.
_SCHEDULE: Mapping[str, str] = MappingProxyType(
    {
        "short_interval_seconds": "short_interval",
        "long_interval_seconds": "long_interval",
        "near_kickoff_seconds": "near_kickoff",
    }
)
_RETENTION: Mapping[str, str] = MappingProxyType(
    {"odds_snapshots_days": "odds_snapshots", "event_scrape_status_days": "event_scrape_status"}
)
_BOOKMAKER = ("enabled", "concurrency", "min_interval_ms", "requests_per_minute")


class ScheduleTuning(msgspec.Struct, frozen=True, kw_only=True):
    """How often bookmakers are asked."""

    short_interval_seconds: float
    long_interval_seconds: float
    near_kickoff_seconds: float


class BookmakerTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Whether and how hard a bookmaker is asked."""

    enabled: bool
    concurrency: int
    min_interval_ms: int
    requests_per_minute: int | None


class RetentionTuning(msgspec.Struct, frozen=True, kw_only=True):
    """How long history stays."""

    odds_snapshots_days: float
    event_scrape_status_days: float


class Tuning(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    schedule: ScheduleTuning
    bookmakers: Mapping[str, BookmakerTuning]
    retention: RetentionTuning


def tuning_of(settings: Settings, options: Mapping[str, BookmakerOptions]) -> Tuning:
    """Return what is set at present; `options` are every bookmaker's, merged over its defaults."""
    schedule, retention = settings.schedule, settings.retention
    return Tuning(
        schedule=ScheduleTuning(
            **{name: getattr(schedule, field).total_seconds() for name, field in _SCHEDULE.items()}
        ),
        bookmakers={
            slug: BookmakerTuning(**{name: getattr(one, name) for name in _BOOKMAKER}) for slug, one in options.items()
        },
        retention=RetentionTuning(
            **{name: getattr(retention, field) / timedelta(days=1) for name, field in _RETENTION.items()}
        ),
    )


def paths_of(patch: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield the values of a nested change with their paths, such as `schedule.short_interval_seconds`."""
    for name, value in patch.items():
        if isinstance(value, Mapping):
            yield from paths_of(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def with_overrides(settings: Settings, overrides: Overrides) -> Settings:
    """Return settings with changes over them.

    Raises:
        SettingsError: a path is not one of these settings, or a value is out of bounds.
    """
    schedule, retention = settings.schedule.model_dump(), settings.retention.model_dump()
    bookmakers = {slug: one.model_dump() for slug, one in settings.bookmakers.items()}
    for path, value in overrides.items():
        if value is None:
            continue  # as given
        match path.split("."):
            case ["schedule", name] if name in _SCHEDULE:
                schedule[_SCHEDULE[name]] = _span(path, value, "seconds")
            case ["retention", name] if name in _RETENTION:
                retention[_RETENTION[name]] = _span(path, value, "days")
            case ["bookmakers", slug, name] if name in _BOOKMAKER:
                bookmakers.setdefault(slug, {})[name] = value
            case _:
                raise SettingsError(f"{path} is not a setting that may change while the service runs")
    try:
        return settings.with_values(
            schedule=ScheduleSettings.model_validate(schedule),
            retention=RetentionSettings.model_validate(retention),
            bookmakers={slug: BookmakerSettings.model_validate(one) for slug, one in bookmakers.items()},
        )
    except ValueError as error:
        raise SettingsError(f"settings that were changed do not fit: {error}") from error


def _span(path: str, value: object, unit: str) -> timedelta:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SettingsError(f"{path} is not a number of {unit}")
    return timedelta(**{unit: value})
