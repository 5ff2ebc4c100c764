"""The tables, as the newest migration leaves them; a test compares the two.

Prices are packed: one row holds many markets in parallel arrays. Market i of a row has the catalogue
number `market_ids[i]`, the specifiers `specifiers[i]`, and the next `counts[i]` elements of `prices`,
which are outcomes in catalogue order as `MarketPrices` defines them (sign = state, 0 = not offered).

(epoch, seq) is the place in the one order of all writes: a row moves only to a greater pair.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Sequence,
    SmallInteger,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP, UUID

metadata = MetaData()

_INSTANT = TIMESTAMP(timezone=True)


def _required(name: str, kind: Any, **options: Any) -> Column[Any]:  # noqa: ANN401 - any column type and option
    return Column(name, kind, nullable=False, **options)


def _place_in_order() -> tuple[Column[Any], Column[Any]]:
    return _required("epoch", BigInteger), _required("seq", BigInteger)


def _packed_markets() -> tuple[Column[Any], ...]:
    return (
        _required("market_ids", ARRAY(SmallInteger)),
        _required("specifiers", ARRAY(Text)),
        _required("counts", ARRAY(SmallInteger)),
        _required("prices", ARRAY(Integer)),
    )


bookmakers = Table(
    "bookmakers",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    _required("slug", Text, unique=True),
    _required("name", Text),
)

markets = Table(
    "markets",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    _required("key", Text, unique=True),
    _required("name", Text),
    _required("market_group", Text),
    _required("outcomes", ARRAY(Text)),
)

events = Table(
    "events",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    _required("sport", Text),
    _required("home", Text),
    _required("away", Text),
    _required("kickoff", _INSTANT),
    _required("country", Text),
    _required("tournament", Text),
    _required("conflict", Text),
    _required("first_seen_at", _INSTANT),
    _required("updated_at", _INSTANT),
    *_place_in_order(),
    Index("events_kickoff_idx", "kickoff"),
)

listings = Table(
    "listings",
    metadata,
    Column("bookmaker_id", SmallInteger, ForeignKey("bookmakers.id"), primary_key=True),
    Column("listing_id", Text, primary_key=True),
    Column("event_id", BigInteger),
    _required("sport", Text),
    _required("home", Text),
    _required("away", Text),
    _required("kickoff", _INSTANT),
    _required("country", Text),
    _required("tournament", Text),
    _required("active", Boolean),
    _required("duplicate", Boolean),
    _required("first_seen_at", _INSTANT),
    _required("seen_at", _INSTANT),
    Column("gone_at", _INSTANT),
    *_place_in_order(),
    Index("listings_event_id_idx", "event_id"),
    Index("listings_kickoff_idx", "kickoff"),
)

scrape_runs = Table(
    "scrape_runs",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    _required("kind", Text),
    _required("status", Text),
    _required("started_at", _INSTANT),
    Column("finished_at", _INSTANT),
    _required("events", Integer),
    _required("counts", JSONB),
    _required("errors", JSONB),
    *_place_in_order(),
)

event_scrape_status = Table(
    "event_scrape_status",
    metadata,
    _required("scraped_at", _INSTANT),
    _required("scrape_run_id", BigInteger),
    _required("event_id", BigInteger),
    _required("bookmaker_id", SmallInteger),
    _required("duration_ms", Integer),
    _required("bytes", Integer),
    _required("outcome", Text),
    _required("error_class", Text),
    Index("event_scrape_status_scrape_run_id_idx", "scrape_run_id"),
    postgresql_partition_by="RANGE (scraped_at)",
)

odds_snapshots = Table(
    "odds_snapshots",
    metadata,
    _required("id", UUID),
    _required("event_id", BigInteger),
    _required("scrape_run_id", BigInteger),
    _required("captured_at", _INSTANT),
    Column("last_confirmed_at", _INSTANT),
    _required("bookmaker_id", SmallInteger),
    _required("body_hash", LargeBinary),
    *_packed_markets(),
    # Four bytes each, at the end: eight more would cost a row sixteen.
    _required("epoch", Integer),
    _required("seq", Integer),
    Index("odds_snapshots_event_id_idx", "event_id", "bookmaker_id", "captured_at"),
    # Runs follow each other in the file: a few bytes tell which blocks hold a run.
    Index("odds_snapshots_scrape_run_id_idx", "scrape_run_id", postgresql_using="brin"),
    postgresql_partition_by="RANGE (captured_at)",
)

latest_odds = Table(
    "latest_odds",
    metadata,
    Column("event_id", BigInteger, primary_key=True, autoincrement=False),
    Column("bookmaker_id", SmallInteger, primary_key=True, autoincrement=False),
    _required("snapshot_id", UUID),
    _required("captured_at", _INSTANT),
    *_place_in_order(),
    _required("body_hash", LargeBinary),
    # Rewritten whole at every change, and read by the service alone, so that no array's elements are taken apart:
    # markets and counts big-endian in 2 bytes each; specifiers a line each; instants in 8 bytes, as microseconds
    # since 2000. Of prices, 4 bytes each, all first bytes come first, then all second ones: those are nearly all
    # zeros, which compress quickly. The view `prices` unpacks it all for people.
    _required("market_ids", LargeBinary),
    _required("specifiers", Text),
    _required("counts", LargeBinary),
    _required("prices", LargeBinary),
    _required("changed_at", LargeBinary),
    # Empty where the snapshot confirmed every market, as a complete one does: all were then seen at captured_at.
    _required("confirmed_at", LargeBinary),
    # A row is rewritten whole at every change: room for its next version on the same page keeps the index still.
    # Compressing is a third of a write's work in the server: it ends where two versions of a row fit on a page.
    postgresql_with={"fillfactor": "50", "autovacuum_vacuum_scale_factor": "0.05", "toast_tuple_target": "3900"},
)

# One row for each opening of a journal, which is a generation with an id of its own: its number in the order of all
# generations, and up to where it is applied. The numbers leave room for generations that are told of late.
epochs = Sequence("epochs", metadata=metadata, data_type=Integer, start=100, increment=100)

journal_watermarks = Table(
    "journal_watermarks",
    metadata,
    Column("journal", UUID, primary_key=True),
    _required("epoch", BigInteger),
    _required("applied", BigInteger),
)

# The one service that may write. Each writing transaction reads the token for share; only a take-over changes it.
owner = Table(
    "owner",
    metadata,
    Column("only_one", Boolean, primary_key=True, server_default="true"),
    _required("token", BigInteger),
    _required("holder", Text),
    _required("machine", Text),
    _required("pid", BigInteger),
    _required("taken_at", _INSTANT),
)

# The owner's sign of life, renewed every second, by the database's time: apart, so that it waits for no transaction.
owner_seen = Table(
    "owner_seen",
    metadata,
    Column("token", BigInteger, primary_key=True, autoincrement=False),
    _required("expires_at", _INSTANT),
)

# States that a command writes from a former journal, for the owner to write again: its cache has not seen them.
drained_states = Table(
    "drained_states",
    metadata,
    _required("event_id", BigInteger),
    _required("bookmaker_id", SmallInteger),
)

# Up to where retention may drop, by table: it moves with the time that the service has run.
retention_horizons = Table(
    "retention_horizons",
    metadata,
    Column("table_name", Text, primary_key=True),
    _required("horizon", _INSTANT),
)

# What the database forgot and no journal has any more: batches of a generation, by their seqs.
history_gaps = Table(
    "history_gaps",
    metadata,
    Column("journal", UUID, primary_key=True),
    Column("first_seq", BigInteger, primary_key=True, autoincrement=False),
    Column("last_seq", BigInteger, primary_key=True, autoincrement=False),
    _required("until_at", _INSTANT),
    _required("found_at", _INSTANT),
    Column("acknowledged_at", _INSTANT),
)

# What people have decided about a listing whose bookmaker states no SportRadar id, or a wrong one.
listing_links = Table(
    "listing_links",
    metadata,
    Column("bookmaker", Text, primary_key=True),
    Column("listing_id", Text, primary_key=True),
    _required("sr_id", BigInteger),
    _required("reason", Text),
    _required("linked_at", _INSTANT),
    Column("home", Text),
    Column("away", Text),
    Column("tournament", Text),
    Column("own_sr_id", BigInteger),
)

# What the database could not take, one row a unit: an event, a listing, a status, a run, a snapshot, a
# confirmation, or a whole batch whose bytes could not be read. Numbers that fit no column are null.
dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    _required("kind", Text),
    *_place_in_order(),
    Column("scrape_run_id", BigInteger),
    Column("batch_index", Integer),
    Column("event_id", BigInteger),
    _required("bookmaker", Text),
    _required("sqlstate", Text),
    _required("reason", Text),
    _required("dead_at", _INSTANT),
    _required("payload_format", Text),
    _required("payload", LargeBinary),
)

# The parts of batches of a bookmaker whose content fails too often, whole and in their order; `sqlstate` and `reason`
# are of a row that failed.
held_rows = Table(
    "held_rows",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    _required("bookmaker", Text),
    *_place_in_order(),
    Column("scrape_run_id", BigInteger),
    Column("batch_index", Integer),
    _required("snapshots", Integer),
    _required("confirmed", Integer),
    _required("sqlstate", Text),
    _required("reason", Text),
    _required("held_at", _INSTANT),
    _required("payload", LargeBinary),
    Index("held_rows_bookmaker_idx", "bookmaker", "epoch", "seq"),
)

# One row for each batch, written in the transaction that applied it: snapshots and confirmations applied, put aside
# and held back, and the hash of the batch's bytes. The index is not unique: that a batch was applied twice is to be
# seen here, not to stop the writer.
write_batches = Table(
    "write_batches",
    metadata,
    *_place_in_order(),
    Column("scrape_run_id", BigInteger),
    Column("batch_index", Integer),
    _required("snapshots", Integer),
    _required("confirmed", Integer),
    _required("dead_snapshots", Integer),
    _required("dead_confirmed", Integer),
    _required("body_hash", LargeBinary),
    _required("applied_at", _INSTANT),
    _required("held_snapshots", Integer),
    _required("held_confirmed", Integer),
    Index("write_batches_epoch_idx", "epoch", "seq"),
    Index("write_batches_applied_at_idx", "applied_at", postgresql_using="brin"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    _required("name", Text),
    _required("role", Text),
    _required("digest", LargeBinary),
    _required("created_at", _INSTANT),
    Column("revoked_at", _INSTANT),
)

settings_overrides = Table(
    "settings_overrides",
    metadata,
    Column("path", Text, primary_key=True),
    _required("value", JSONB),
    _required("changed_at", _INSTANT),
)
