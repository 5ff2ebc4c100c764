"""All settings, typed and bounded, from `OVERROUND_*` variables and an optional TOML file; read once."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

DEFAULT_USER_AGENT = "overround/0.1 (odds comparison; contact: set OVERROUND_USER_AGENT)"


class BookmakerSettings(BaseModel):
    """What the user sets for one bookmaker; what stays unset comes from its plug-in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: str | None = None
    enabled: bool | None = None
    country: str | None = None
    proxy: str | None = None
    concurrency: Annotated[int, Field(ge=1, le=500)] | None = None
    min_interval_ms: Annotated[int, Field(ge=0, le=60_000)] | None = None
    requests_per_minute: Annotated[int, Field(ge=1, le=100_000)] | None = None
    timeout: Annotated[float, Field(gt=0, le=300)] | None = None  # seconds
    headers: dict[str, str] | None = None


class ScrapingSettings(BaseModel):
    """How events are chosen and fetched."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sports: tuple[str, ...] = ("football",)
    batch_size: Annotated[int, Field(ge=1, le=1000)] = 50
    # What has been fetched of a batch does not wait longer for the rest of it.
    store_within: Annotated[timedelta, Field(gt=timedelta(0))] = timedelta(milliseconds=250)
    # None: every upcoming event that the bookmakers list.
    horizon: timedelta | None = timedelta(days=14)
    max_response_bytes: Annotated[int, Field(ge=10_000)] = 8 * 1024 * 1024
    max_attempts: Annotated[int, Field(ge=1, le=10)] = 3
    retry_base: timedelta = timedelta(milliseconds=200)
    retry_cap: timedelta = timedelta(seconds=10)
    # One event is asked for on demand at most so often, however many want to see it.
    on_demand_cool_down: Annotated[timedelta, Field(ge=timedelta(0))] = timedelta(seconds=5)
    # A started event stays this long: late corrections and the page's own readers still want it.
    eviction_grace: timedelta = timedelta(hours=2)


class ScheduleSettings(BaseModel):
    """When scrape runs happen by themselves."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = True
    # Events within `near_kickoff` of their kick-off are asked for at every short interval, the rest at the long one.
    short_interval: Annotated[timedelta, Field(ge=timedelta(seconds=1))] = timedelta(minutes=1)
    long_interval: Annotated[timedelta, Field(ge=timedelta(seconds=1))] = timedelta(minutes=5)
    near_kickoff: timedelta = timedelta(hours=3)
    # A cycle that tells nothing for so long hangs: every request has a far shorter time limit.
    stuck_after: Annotated[timedelta, Field(ge=timedelta(seconds=1))] = timedelta(minutes=5)


class QueueSettings(BaseModel):
    """The write queue and its journal."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    read_ahead: Annotated[int, Field(ge=1, le=10_000)] = 50
    # In memory, what waits for the database is as durable as the process: for measurements.
    journal: Literal["disk", "memory"] = "disk"
    max_bytes: Annotated[int, Field(ge=1_000_000)] = 1024 * 1024 * 1024
    retry_base: timedelta = timedelta(milliseconds=100)
    retry_cap: timedelta = timedelta(seconds=30)
    stop_deadline: timedelta = timedelta(seconds=30)
    ack_log: Path | None = None


class RetentionSettings(BaseModel):
    """How long history stays; what is current stays in any case."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    odds_snapshots: Annotated[timedelta, Field(ge=timedelta(days=1))] = timedelta(days=90)
    event_scrape_status: Annotated[timedelta, Field(ge=timedelta(days=1))] = timedelta(days=7)


class SecuritySettings(BaseModel):
    """Who may use the service, and how much of it; limits are for each client, keys apart from each other."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # Behind a proxy on the same machine the service listens on loopback, and yet is not alone.
    require_key: bool = False
    # Names under which a browser may reach it; those of this machine are always good without a key.
    allowed_hosts: tuple[str, ...] = ()
    session_lifetime: Annotated[timedelta, Field(ge=timedelta(minutes=1))] = timedelta(hours=12)
    max_body_bytes: Annotated[int, Field(ge=1_000, le=100_000_000)] = 256 * 1024
    requests_per_minute: Annotated[int, Field(ge=1)] = 60_000
    # Whatever changes something, and answers that are long to make: history, whole grids.
    costly_per_minute: Annotated[int, Field(ge=1)] = 600
    # Answers 401 and 403; beyond it even those are not given.
    refusals_per_minute: Annotated[int, Field(ge=1)] = 120


class Settings(BaseSettings):
    """The whole of Overround's configuration."""

    model_config = SettingsConfigDict(
        env_prefix="OVERROUND_",
        env_nested_delimiter="__",
        toml_file="overround.toml",
        extra="forbid",
        frozen=True,
    )

    data_dir: Path = Field(default_factory=lambda: Path(platformdirs.user_data_dir("overround")))
    database_url: str | None = None
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    # The key with which commands ask a running service that needs one.
    api_key: SecretStr | None = None
    reference: str = "betpawa"
    user_agent: str = DEFAULT_USER_AGENT
    asynchronous_writes: bool = True
    log_level: str = "info"
    mapping_file: Path | None = None
    bookmakers: dict[str, BookmakerSettings] = {}
    scraping: ScrapingSettings = ScrapingSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    queue: QueueSettings = QueueSettings()
    retention: RetentionSettings = RetentionSettings()
    security: SecuritySettings = SecuritySettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the TOML file, and what the command line passes over both."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def journal_dir(self) -> Path:
        """Return where the journal keeps its files."""
        return self.data_dir / "journal"

    def with_values(self, **values: Any) -> "Settings":  # noqa: ANN401 - any field's value
        """Return a copy with some values replaced."""
        return self.model_copy(update=values)
