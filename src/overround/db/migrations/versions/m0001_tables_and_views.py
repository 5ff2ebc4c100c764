"""All tables and views, from an empty database."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_REFERENCE_TABLES = """
create table bookmakers (
    id smallint primary key,
    slug text not null unique,
    name text not null
);

create table markets (
    id integer primary key,
    key text not null unique,
    name text not null,
    market_group text not null,
    outcomes text[] not null
);

create table events (
    id bigint primary key,
    sport text not null,
    home text not null,
    away text not null,
    kickoff timestamptz not null,
    country text not null,
    tournament text not null,
    conflict text not null,
    first_seen_at timestamptz not null,
    updated_at timestamptz not null,
    epoch bigint not null,
    seq bigint not null
);
create index events_kickoff_idx on events (kickoff);

create table listings (
    bookmaker_id smallint not null references bookmakers (id),
    listing_id text not null,
    event_id bigint,
    sport text not null,
    home text not null,
    away text not null,
    kickoff timestamptz not null,
    country text not null,
    tournament text not null,
    active boolean not null,
    duplicate boolean not null,
    first_seen_at timestamptz not null,
    seen_at timestamptz not null,
    gone_at timestamptz,
    epoch bigint not null,
    seq bigint not null,
    primary key (bookmaker_id, listing_id)
);
create index listings_event_id_idx on listings (event_id);
create index listings_kickoff_idx on listings (kickoff);

create table scrape_runs (
    id bigint primary key,
    kind text not null,
    status text not null,
    started_at timestamptz not null,
    finished_at timestamptz,
    events integer not null,
    counts jsonb not null,
    errors jsonb not null,
    epoch bigint not null,
    seq bigint not null
);

create table journal_watermarks (
    journal uuid primary key,
    epoch bigint not null,
    applied bigint not null
);
"""

_ODDS_TABLES = """
create table event_scrape_status (
    scraped_at timestamptz not null,
    scrape_run_id bigint not null,
    event_id bigint not null,
    bookmaker_id smallint not null,
    duration_ms integer not null,
    bytes integer not null,
    outcome text not null,
    error_class text not null
) partition by range (scraped_at);
create index event_scrape_status_scrape_run_id_idx on event_scrape_status (scrape_run_id);

create table odds_snapshots (
    id uuid not null,
    event_id bigint not null,
    scrape_run_id bigint not null,
    captured_at timestamptz not null,
    last_confirmed_at timestamptz,
    bookmaker_id smallint not null,
    body_hash bytea not null,
    market_ids smallint[] not null,
    specifiers text[] not null,
    counts smallint[] not null,
    prices integer[] not null
) partition by range (captured_at);
create index odds_snapshots_event_id_idx on odds_snapshots (event_id, bookmaker_id, captured_at);
create index odds_snapshots_scrape_run_id_idx on odds_snapshots using brin (scrape_run_id);

create table latest_odds (
    event_id bigint not null,
    bookmaker_id smallint not null,
    snapshot_id uuid not null,
    captured_at timestamptz not null,
    epoch bigint not null,
    seq bigint not null,
    body_hash bytea not null,
    market_ids smallint[] not null,
    specifiers text[] not null,
    counts smallint[] not null,
    prices integer[] not null,
    changed_at timestamptz[] not null,
    confirmed_at timestamptz[] not null,
    primary key (event_id, bookmaker_id)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
-- Compressed in the row itself: a state that is replaced leaves no second table behind to be vacuumed.
alter table latest_odds
    alter column market_ids set storage main,
    alter column specifiers set storage main,
    alter column counts set storage main,
    alter column prices set storage main,
    alter column changed_at set storage main,
    alter column confirmed_at set storage main;
"""

# A market without outcomes has been removed; one positive price makes it active (see `MarketPrices.state`).
_FUNCTIONS = r"""
create function line_of(specifiers text) returns numeric
language sql immutable parallel safe
return substring(specifiers from '(?:^|\|)(?:line|handicap)=(-?[0-9]+(?:\.[0-9]+)?)(?:\||$)')::numeric;

create function market_state(prices integer[]) returns text
language sql immutable parallel safe
return case
    when 0 < any (prices) then 'active'
    when 0 > any (prices) then 'suspended'
    else 'removed'
end;

create function outcome_state(price integer) returns text
language sql immutable parallel safe
return case when price > 0 then 'active' when price < 0 then 'suspended' else 'removed' end;

create function shown_price(price integer) returns numeric
language sql immutable parallel safe
return case when abs(price) > 1000 then (abs(price) / 1000.0)::numeric(10, 3) end;
"""

_MARKET_ODDS = """
create view market_odds as
select
    s.id as snapshot_id,
    s.scrape_run_id,
    s.event_id,
    e.home,
    e.away,
    b.slug as bookmaker,
    coalesce(m.key, '#' || u.market_id) as market,
    m.name as market_name,
    u.specifiers,
    line_of(u.specifiers) as line,
    market_state(p.prices) as state,
    s.captured_at,
    s.last_confirmed_at,
    m.outcomes,
    array(
        select shown_price(price) from unnest(p.prices) with ordinality as o (price, ord) order by ord
    ) as prices
from odds_snapshots as s
join bookmakers as b on b.id = s.bookmaker_id
left join events as e on e.id = s.event_id
cross join lateral (
    select t.market_id, t.specifiers, t.n, sum(t.n) over (order by t.ord) as until
    from unnest(s.market_ids, s.specifiers, s.counts) with ordinality as t (market_id, specifiers, n, ord)
) as u
cross join lateral (select s.prices[u.until - u.n + 1 : u.until] as prices) as p
left join markets as m on m.id = u.market_id;
"""

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
        s.prices[u.until - u.n + i.n] as price,
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
    cross join lateral (
        select t.*, sum(t.n) over (order by t.ord) as until
        from unnest(s.market_ids, s.specifiers, s.counts, s.changed_at, s.confirmed_at)
            with ordinality as t (market_id, specifiers, n, changed_at, confirmed_at, ord)
    ) as u
    cross join lateral generate_series(1, u.n) as i (n)
    left join markets as m on m.id = u.market_id
) as l
left join events as e on e.id = l.event_id
where l.price <> 0;
"""

# A removed market is a change of each of its outcomes, hence the outcomes of the catalogue beside the stored ones.
_PRICE_HISTORY = """
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
    shown_price(h.previous) as previous_price
from (
    select
        c.*,
        lag(c.price) over (
            partition by c.event_id, c.bookmaker, c.market, c.specifiers, c.outcome
            order by c.captured_at, c.snapshot_id
        ) as previous
    from (
        select
            s.event_id,
            s.id as snapshot_id,
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


def upgrade() -> None:
    """Create everything."""
    connection = op.get_bind()
    for script in (_REFERENCE_TABLES, _ODDS_TABLES, _FUNCTIONS, _MARKET_ODDS, _PRICES, _PRICE_HISTORY):
        for statement in script.split(";\n"):
            if statement.strip():
                connection.exec_driver_sql(statement)


def downgrade() -> None:
    """Refuse: the data would be lost."""
    raise NotImplementedError("there is nothing before the first migration; drop the database instead")
