"""Rows of the history say where they stand in the order of all writes; clocks no longer do."""

from types import MappingProxyType

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# Epochs were instants in microseconds. From now on a sequence counts them, in steps that leave room between two.
_EPOCHS = """
create sequence epochs as integer start 100 increment 100;

create temporary table renumbered on commit drop as
select epoch, 100 * dense_rank() over (order by epoch) as place
from (
    select epoch from journal_watermarks
    union select epoch from latest_odds
    union select epoch from events
    union select epoch from listings
    union select epoch from scrape_runs
    union select epoch from dead_letters
    union select epoch from write_batches
    union select epoch from held_rows
) as e;

select setval('epochs', max(place)) from renumbered having count(*) > 0;
"""

_RENUMBERED = (
    "journal_watermarks",
    "latest_odds",
    "events",
    "listings",
    "scrape_runs",
    "dead_letters",
    "write_batches",
    "held_rows",
)
_RENUMBER = "update {table} as t set epoch = r.place from renumbered as r where t.epoch = r.epoch;\n"

# Rows from before keep the order that they had: by time, and all before the first that is counted.
_PLACES = """
alter table odds_snapshots add column epoch integer not null default 0, add column seq integer not null default 0;

update odds_snapshots as o
set seq = n.seq
from (
    select id, captured_at, row_number() over (order by captured_at, id) as seq from odds_snapshots
) as n
where o.id = n.id and o.captured_at = n.captured_at;

alter table odds_snapshots alter column epoch drop default, alter column seq drop default;
"""

_GAPS = """
create table history_gaps (
    journal uuid not null,
    first_seq bigint not null,
    last_seq bigint not null,
    until_at timestamptz not null,
    found_at timestamptz not null,
    acknowledged_at timestamptz,
    primary key (journal, first_seq, last_seq)
);
"""

_PRICE_HISTORY = """
drop view price_history;

create view price_history as
select
    h.event_id,
    h.bookmaker,
    h.market,
    h.specifiers,
    h.line,
    h.outcome,
    shown_price(h.price) as price,
    outcome_state(h.price) as state,
    h.captured_at,
    shown_price(h.previous) as previous_price{places}
from (
    select
        c.*,
        lag(c.price) over (
            partition by c.event_id, c.bookmaker, c.market, c.specifiers, c.outcome
            order by {order}
        ) as previous
    from (
        select
            s.event_id,
            {order_columns},
            b.slug as bookmaker,
            coalesce(m.key, '#' || u.market_id) as market,
            u.specifiers,
            line_of(u.specifiers) as line,
            coalesce(m.outcomes[i.n], '#' || i.n) as outcome,
            case when i.n <= u.n then s.prices[u.until - u.n + i.n] else 0 end as price,
            s.captured_at
        from odds_snapshots as s
        join bookmakers as b on b.id = s.bookmaker_id
        cross join lateral (
            select t.market_id, t.specifiers, t.n, sum(t.n) over (order by t.ord) as until
            from unnest(s.market_ids, s.specifiers, s.counts) with ordinality as t (market_id, specifiers, n, ord)
        ) as u
        left join markets as m on m.id = u.market_id
        cross join lateral generate_series(1, greatest(u.n, cardinality(m.outcomes))) as i (n)
    ) as c
) as h
where h.price <> coalesce(h.previous, 0);
"""

# As before, but for `confirmed_at`: what was confirmed last counts, which need not be the greatest time.
_PRICES = """
create or replace view prices as
select
    l.event_id,
    e.home,
    e.away,
    e.kickoff,
    l.bookmaker,
    l.market,
    l.specifiers,
    l.line,
    l.outcome,
    shown_price(l.price) as price,
    outcome_state(l.price) as state,
    l.changed_at,
    {confirmed_at} as confirmed_at
from (
    select
        s.event_id,
        b.slug as bookmaker,
        coalesce(m.key, '#' || u.market_id) as market,
        u.specifiers,
        line_of(u.specifiers) as line,
        coalesce(m.outcomes[i.n], '#' || i.n) as outcome,
        a.prices[u.until - u.n + i.n] as price,
        u.changed_at,
        u.confirmed_at,
        s.captured_at,
        c.last_confirmed_at
    from latest_odds as s
    join bookmakers as b on b.id = s.bookmaker_id
    -- One look-up in the one partition that holds the snapshot; offset 0 keeps it from becoming a join with all.
    left join lateral (
        select o.last_confirmed_at
        from odds_snapshots as o
        where o.event_id = s.event_id
            and o.bookmaker_id = s.bookmaker_id
            and o.captured_at = s.captured_at
            and o.id = s.snapshot_id
        offset 0
    ) as c on true
    cross join lateral (select unpacked_prices(s.prices) as prices offset 0) as a
    cross join lateral (
        select t.*, sum(t.n) over (order by t.ord) as until
        from unnest(
            unpacked_smallints(s.market_ids), string_to_array(s.specifiers, E'\\n'), unpacked_smallints(s.counts),
            unpacked_instants(s.changed_at), unpacked_instants(s.confirmed_at)
        )
            with ordinality as t (market_id, specifiers, n, changed_at, confirmed_at, ord)
        where t.market_id is not null
    ) as u
    cross join lateral generate_series(1, u.n) as i (n)
    left join markets as m on m.id = u.market_id
) as l
left join events as e on e.id = l.event_id
where l.price <> 0;
"""


_UPWARDS = MappingProxyType(
    {
        "places": ",\n    h.epoch,\n    h.seq",
        "order": "c.epoch, c.seq",
        "order_columns": "s.epoch, s.seq",
        "confirmed_at": "coalesce(l.last_confirmed_at, l.confirmed_at, l.captured_at)",
    }
)
_DOWNWARDS = MappingProxyType(
    {
        "places": "",
        "order": "c.captured_at, c.snapshot_id",
        "order_columns": "s.id as snapshot_id",
        "confirmed_at": "greatest(coalesce(l.confirmed_at, l.captured_at), l.last_confirmed_at)",
    }
)


def upgrade() -> None:
    """Rewrite the history once: some 20 s for a million rows."""
    renumber = "".join(_RENUMBER.format(table=table) for table in _RENUMBERED)
    _run(_EPOCHS, renumber, _PLACES, _GAPS, _PRICE_HISTORY.format(**_UPWARDS), _PRICES.format(**_UPWARDS))


def downgrade() -> None:
    """Order by time again; what stands at the same place by the clock is in no order any more."""
    columns = "alter table odds_snapshots drop column epoch, drop column seq;\n"
    history, prices = _PRICE_HISTORY.format(**_DOWNWARDS), _PRICES.format(**_DOWNWARDS)
    _run("drop view price_history;\n", columns, history.replace("drop view price_history;", ""), prices)
    _run("drop sequence epochs;\n", "drop table history_gaps;\n")


def _run(*scripts: str) -> None:
    connection = op.get_bind()
    for script in scripts:
        for statement in filter(str.strip, script.split(";\n")):
            connection.exec_driver_sql(statement)
