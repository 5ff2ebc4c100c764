"""The view `prices` says which prices compare, and why the others do not."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# The former view stays below under a name of its own: what it unpacks is none of this one's business. `reason` is null
# for a price that compares.
_PRICES = """
alter view prices rename to latest_prices;

create view prices as
select p.*, r.reason is null as comparable, r.reason
from latest_prices as p
left join events as e on e.id = p.event_id
left join (
    select o.event_id, b.slug, bool_or(o.gone_at is null) as listed
    from listings as o
    join bookmakers as b on b.id = o.bookmaker_id
    group by o.event_id, b.slug
) as l on l.event_id = p.event_id and l.slug = p.bookmaker
cross join lateral (
    select case
        when p.state <> 'active' then p.state
        when not coalesce(l.listed, false) then 'unlisted'
        when e.conflict <> '' then 'conflict'
    end
) as r (reason);
"""


def upgrade() -> None:
    """Put the view on top of the former one."""
    _run(_PRICES)


def downgrade() -> None:
    """Go back to the former view."""
    _run("drop view prices; alter view latest_prices rename to prices;")


def _run(script: str) -> None:
    connection = op.get_bind()
    for statement in filter(str.strip, script.split(";")):
        connection.exec_driver_sql(statement)
