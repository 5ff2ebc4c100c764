"""The SQL of the write path: what a transaction of the write handler consists of, in its order."""

# A role or a server may be set not to wait for its disk: what it then forgets would be released from the journal.
# The merge joins a handful of rows with large tables by their indexes; right after a start the
# statistics know nothing of that, and a plan kept from then would outlive the table's growth.
TRANSACTION_SETTINGS = """
set local synchronous_commit = on;
set local enable_hashjoin = off;
set local enable_mergejoin = off;
set local plan_cache_mode = force_custom_plan;
"""

APPLIED = "select epoch, applied from journal_watermarks where journal = $1"

WATERMARKS = "select journal, epoch, applied from journal_watermarks where journal = any ($1::uuid[])"

# A number of the sequence is above every number that was given out; only a dump of single tables could undo that.
RAISE_EPOCHS = """
select pg_advisory_xact_lock(x'6f767265706f6368'::bigint);
select setval('epochs', m.epoch / 100 * 100 + 100)
from (select max(epoch) as epoch from journal_watermarks) as m
where m.epoch > (select last_value from epochs);
"""

REGISTER = """
insert into journal_watermarks (journal, epoch, applied) values ($1, nextval('epochs'), 0)
on conflict (journal) do nothing
"""

# Below the newest generation, above those before it: the sequence leaves room.
REGISTER_LATE = """
insert into journal_watermarks (journal, epoch, applied)
select $1, coalesce(max(w.epoch) filter (where w.epoch < m.newest), 0) + 1, 0
from journal_watermarks as w
cross join (select max(epoch) as newest from journal_watermarks) as m
on conflict (journal) do nothing
"""

# The fence: no row means that another writer, or a commit whose answer was lost, came first.
MOVE_WATERMARK = """
update journal_watermarks set applied = $3 where journal = $1 and applied = $2 returning applied
"""

RECORD_GAP = """
insert into history_gaps (journal, first_seq, last_seq, until_at, found_at) values ($1, $2, $3, $4, $5)
on conflict (journal, first_seq, last_seq) do nothing
"""

OPEN_GAPS = "select count(*) from history_gaps where acknowledged_at is null"

MERGE_MARKETS = """
insert into markets as m (id, key, name, market_group, outcomes)
select id, key, name, market_group, string_to_array(outcomes, E'\\n')
from unnest($1::integer[], $2::text[], $3::text[], $4::text[], $5::text[]) as n (id, key, name, market_group, outcomes)
on conflict (id) do update
set key = excluded.key, name = excluded.name, market_group = excluded.market_group, outcomes = excluded.outcomes
where (m.key, m.name, m.market_group, m.outcomes)
    is distinct from (excluded.key, excluded.name, excluded.market_group, excluded.outcomes)
"""

MERGE_EVENTS = """
insert into events as e
    (id, sport, home, away, kickoff, country, tournament, conflict, first_seen_at, updated_at, epoch, seq)
select *
from unnest(
    $1::bigint[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[], $8::text[],
    $9::timestamptz[], $10::timestamptz[], $11::bigint[], $12::bigint[]
)
on conflict (id) do update
set sport = excluded.sport, home = excluded.home, away = excluded.away, kickoff = excluded.kickoff,
    country = excluded.country, tournament = excluded.tournament, conflict = excluded.conflict,
    first_seen_at = least(e.first_seen_at, excluded.first_seen_at), updated_at = excluded.updated_at,
    epoch = excluded.epoch, seq = excluded.seq
where (e.epoch, e.seq) < (excluded.epoch, excluded.seq)
"""

MERGE_LISTINGS = """
insert into listings as l (
    bookmaker_id, listing_id, event_id, sport, home, away, kickoff, country, tournament,
    active, duplicate, first_seen_at, seen_at, gone_at, epoch, seq
)
select *
from unnest(
    $1::smallint[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::text[],
    $9::text[], $10::boolean[], $11::boolean[], $12::timestamptz[], $13::timestamptz[], $14::timestamptz[],
    $15::bigint[], $16::bigint[]
)
on conflict (bookmaker_id, listing_id) do update
set event_id = excluded.event_id, sport = excluded.sport, home = excluded.home, away = excluded.away,
    kickoff = excluded.kickoff, country = excluded.country, tournament = excluded.tournament,
    active = excluded.active, duplicate = excluded.duplicate,
    first_seen_at = least(l.first_seen_at, excluded.first_seen_at), seen_at = excluded.seen_at,
    gone_at = excluded.gone_at, epoch = excluded.epoch, seq = excluded.seq
where (l.epoch, l.seq) < (excluded.epoch, excluded.seq)
"""

MERGE_RUNS = """
insert into scrape_runs as r (id, kind, status, started_at, finished_at, events, counts, errors, epoch, seq)
select id, kind, status, started_at, finished_at, events, counts::jsonb, errors::jsonb, epoch, seq
from unnest(
    $1::bigint[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::integer[], $7::text[], $8::text[],
    $9::bigint[], $10::bigint[]
) as n (id, kind, status, started_at, finished_at, events, counts, errors, epoch, seq)
on conflict (id) do update
set kind = excluded.kind, status = excluded.status, started_at = excluded.started_at,
    finished_at = excluded.finished_at, events = excluded.events, counts = excluded.counts,
    errors = excluded.errors, epoch = excluded.epoch, seq = excluded.seq
where (r.epoch, r.seq) < (excluded.epoch, excluded.seq)
"""

INSERT_STATUSES = """
insert into event_scrape_status
    (scraped_at, scrape_run_id, event_id, bookmaker_id, duration_ms, bytes, outcome, error_class)
select *
from unnest(
    $1::timestamptz[], $2::bigint[], $3::bigint[], $4::smallint[], $5::integer[], $6::integer[], $7::text[], $8::text[]
)
"""

MERGE_LATEST = """
insert into latest_odds as l
select *
from unnest(
    $1::bigint[], $2::smallint[], $3::uuid[], $4::timestamptz[], $5::bigint[], $6::bigint[], $7::bytea[],
    $8::bytea[], $9::text[], $10::bytea[], $11::bytea[], $12::bytea[], $13::bytea[]
)
on conflict (event_id, bookmaker_id) do update
set snapshot_id = excluded.snapshot_id, captured_at = excluded.captured_at,
    epoch = excluded.epoch, seq = excluded.seq, body_hash = excluded.body_hash,
    market_ids = excluded.market_ids, specifiers = excluded.specifiers,
    counts = excluded.counts, prices = excluded.prices,
    changed_at = excluded.changed_at, confirmed_at = excluded.confirmed_at
where (l.epoch, l.seq) < (excluded.epoch, excluded.seq)
"""

# A confirmation names its snapshot: that the newest one by some clock is meant would be a guess. Of several that
# name the same one, the last counts; one that comes late (`$6`) only fills a gap. Returns the confirmations that
# found no snapshot.
CONFIRM = """
with told as (
    select *
    from unnest($1::bigint[], $2::smallint[], $3::timestamptz[], $4::uuid[], $5::timestamptz[], $6::boolean[])
        with ordinality as c (event_id, bookmaker_id, at, id, captured_at, late, ord)
), moved as (
    update odds_snapshots as o
    set last_confirmed_at = case when t.late then coalesce(o.last_confirmed_at, t.at) else t.at end
    from (
        select distinct on (event_id, bookmaker_id, captured_at, id) *
        from told
        order by event_id, bookmaker_id, captured_at, id, late, ord desc
    ) as t
    where o.event_id = t.event_id
        and o.bookmaker_id = t.bookmaker_id
        and o.captured_at = t.captured_at
        and o.id = t.id
    returning o.event_id, o.bookmaker_id, o.id
)
select t.event_id, t.bookmaker_id
from told as t
where not exists (
    select from moved as m
    where (m.event_id, m.bookmaker_id, m.id) = (t.event_id, t.bookmaker_id, t.id)
)
"""

# A dead letter goes in the transaction that applies its content, and once: who finds it gone has come too late.
SETTLE_LETTERS = "delete from dead_letters where id = any ($1::bigint[]) returning id, epoch, seq"

BURY = """
insert into dead_letters (
    kind, epoch, seq, scrape_run_id, batch_index, event_id, bookmaker, sqlstate, reason, dead_at,
    payload_format, payload
)
select *
from unnest(
    $1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::integer[], $6::bigint[], $7::text[], $8::text[],
    $9::text[], $10::timestamptz[], $11::text[], $12::bytea[]
)
"""

RECORD_BATCHES = """
insert into write_batches (
    epoch, seq, scrape_run_id, batch_index, snapshots, confirmed, dead_snapshots, dead_confirmed, body_hash, applied_at,
    held_snapshots, held_confirmed
)
select *
from unnest(
    $1::bigint[], $2::bigint[], $3::bigint[], $4::integer[], $5::integer[], $6::integer[], $7::integer[], $8::integer[],
    $9::bytea[], $10::timestamptz[], $11::integer[], $12::integer[]
)
"""

HOLD = """
insert into held_rows (
    bookmaker, epoch, seq, scrape_run_id, batch_index, snapshots, confirmed, sqlstate, reason, held_at, payload
)
select *
from unnest(
    $1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::integer[], $6::integer[], $7::integer[], $8::text[],
    $9::text[], $10::timestamptz[], $11::bytea[]
)
"""

OLDEST_HELD = """
select id, epoch, seq, snapshots, confirmed, payload, held_at
from held_rows
where bookmaker = $1
order by epoch, seq, id
limit 1
for update
"""

NEWEST_HELD = "select payload, epoch, seq from held_rows where bookmaker = $1 order by epoch desc, seq desc limit $2"

RELEASE_HELD = "delete from held_rows where id = $1"

# A batch's record is kept for a while: the parts that were held back are on its account too.
SETTLE_HELD = """
update write_batches
set held_snapshots = held_snapshots - $3, held_confirmed = held_confirmed - $4,
    snapshots = snapshots + $3 - $5, confirmed = confirmed + $4 - $6,
    dead_snapshots = dead_snapshots + $5, dead_confirmed = dead_confirmed + $6
where epoch = $1 and seq = $2
"""

DROP_HELD = """
with dropped as (
    delete from held_rows where bookmaker = $1 returning epoch, seq, snapshots, confirmed
), sums as (
    select epoch, seq, sum(snapshots)::integer as snapshots, sum(confirmed)::integer as confirmed, count(*) as rows
    from dropped
    group by epoch, seq
), accounts as (
    update write_batches as w
    set held_snapshots = w.held_snapshots - s.snapshots, held_confirmed = w.held_confirmed - s.confirmed,
        dead_snapshots = w.dead_snapshots + s.snapshots, dead_confirmed = w.dead_confirmed + s.confirmed
    from sums as s
    where w.epoch = s.epoch and w.seq = s.seq
)
select coalesce(sum(rows), 0)::bigint as rows, coalesce(sum(snapshots + confirmed), 0)::bigint as snapshots from sums
"""

RECORDED_BATCHES = """
select
    coalesce(sum(snapshots), 0)::bigint as snapshots,
    coalesce(sum(confirmed), 0)::bigint as confirmed,
    coalesce(sum(dead_snapshots + dead_confirmed), 0)::bigint as dead_snapshots
from write_batches
where epoch = $1 and seq = any ($2::bigint[])
"""
