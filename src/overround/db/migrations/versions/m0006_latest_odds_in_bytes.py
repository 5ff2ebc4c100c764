"""Pack the latest state in bytes instead of arrays: the server takes it in, and gives it back, as it is."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# For people and for the view; numbers are big-endian, instants microseconds since 2000. Of prices, all first bytes
# come first, then all second ones.
_UNPACKING = """
create function unpacked_smallints(packed bytea) returns smallint[]
language sql immutable parallel safe strict
return array(
    select ((get_byte(packed, i) << 8) | get_byte(packed, i + 1))::smallint
    from generate_series(0, octet_length(packed) - 2, 2) as s (i) order by i
);

create function unpacked_prices(packed bytea) returns integer[]
language sql immutable parallel safe strict
return array(
    select (get_byte(packed, i) << 24) | (get_byte(packed, n + i) << 16)
        | (get_byte(packed, 2 * n + i) << 8) | get_byte(packed, 3 * n + i)
    from (select octet_length(packed) / 4) as l (n), generate_series(0, n - 1) as s (i) order by i
);

create function unpacked_instants(packed bytea) returns timestamptz[]
language sql immutable parallel safe strict
return array(
    select '2000-01-01 00:00:00+00'::timestamptz + interval '1 microsecond'
        * ('x' || encode(substr(packed, i, 8), 'hex'))::bit(64)::bigint
    from generate_series(1, octet_length(packed), 8) as s (i) order by i
);
"""

_PACKING = """
create function pg_temp.packed(numbers smallint[]) returns bytea language sql
return (select coalesce(string_agg(int2send(n), '' order by i), '') from unnest(numbers) with ordinality as u (n, i));

create function pg_temp.packed(prices integer[]) returns bytea language sql
return (
    select coalesce(string_agg(substr(int4send(p), b, 1), '' order by b, i), '')
    from unnest(prices) with ordinality as u (p, i), generate_series(1, 4) as s (b)
);

create function pg_temp.packed(instants timestamptz[]) returns bytea language sql
return (
    select coalesce(string_agg(timestamptz_send(t), '' order by i), '')
    from unnest(instants) with ordinality as u (t, i)
);

create function pg_temp.packed(texts text[]) returns text language sql
return (select coalesce(string_agg(t || E'\\n', '' order by i), '') from unnest(texts) with ordinality as u (t, i));
"""

_TO_BYTES = """
alter table latest_odds
    alter column market_ids type bytea using pg_temp.packed(market_ids),
    alter column specifiers type text using pg_temp.packed(specifiers),
    alter column counts type bytea using pg_temp.packed(counts),
    alter column prices type bytea using pg_temp.packed(prices),
    alter column changed_at type bytea using pg_temp.packed(changed_at),
    alter column confirmed_at type bytea using pg_temp.packed(confirmed_at);
"""

_TO_ARRAYS = """
alter table latest_odds
    alter column market_ids type smallint[] using unpacked_smallints(market_ids),
    alter column specifiers type text[] using (string_to_array(specifiers, E'\\n'))[: octet_length(counts) / 2],
    alter column counts type smallint[] using unpacked_smallints(counts),
    alter column prices type integer[] using unpacked_prices(prices),
    alter column changed_at type timestamptz[] using unpacked_instants(changed_at),
    alter column confirmed_at type timestamptz[] using unpacked_instants(confirmed_at);
"""

_STORAGE = """

alter table latest_odds
    alter column market_ids set storage main,
    alter column specifiers set storage main,
    alter column counts set storage main,
    alter column prices set storage main,
    alter column changed_at set storage main,
    alter column confirmed_at set storage main;
"""

# As in the first migration, but for how `s` comes by its arrays.
_PRICES = """
create view prices as
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
    greatest(coalesce(l.confirmed_at, l.captured_at), l.last_confirmed_at) as confirmed_at
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
    cross join lateral (select {prices} as prices offset 0) as a
    cross join lateral (
        select t.*, sum(t.n) over (order by t.ord) as until
        from unnest({columns})
            with ordinality as t (market_id, specifiers, n, changed_at, confirmed_at, ord)
        where t.market_id is not null
    ) as u
    cross join lateral generate_series(1, u.n) as i (n)
    left join markets as m on m.id = u.market_id
) as l
left join events as e on e.id = l.event_id
where l.price <> 0;
"""
_IN_BYTES = """
            unpacked_smallints(s.market_ids), string_to_array(s.specifiers, E'\\n'), unpacked_smallints(s.counts),
            unpacked_instants(s.changed_at), unpacked_instants(s.confirmed_at)
"""
_IN_ARRAYS = "s.market_ids, s.specifiers, s.counts, s.changed_at, s.confirmed_at"


def upgrade() -> None:
    """Rewrite the table: seconds for thousands of rows; history stays as it is."""
    view = _PRICES.format(prices="unpacked_prices(s.prices)", columns=_IN_BYTES)
    _run(_UNPACKING, _PACKING, "drop view prices;", _TO_BYTES, _STORAGE, view)


def downgrade() -> None:
    """Go back to arrays."""
    view = _PRICES.format(prices="s.prices", columns=_IN_ARRAYS)
    functions = "drop function unpacked_smallints, unpacked_prices, unpacked_instants;"
    _run("drop view prices;", _TO_ARRAYS, _STORAGE, view, functions)


def _run(*scripts: str) -> None:
    connection = op.get_bind()
    for script in scripts:
        for statement in filter(str.strip, script.split(";\n")):
            connection.exec_driver_sql(statement)
