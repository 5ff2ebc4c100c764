"""Links made by hand say of which match they were made, so that an id that is used again does not inherit one."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# Null: made before, of a listing that is not of the event any more. `own_sr_id` is the bookmaker's own number, if it
# had one.
_COLUMNS = """
alter table listing_links
    add column home text, add column away text, add column tournament text, add column own_sr_id bigint
"""

_KNOWN = """
update listing_links as k
set home = l.home, away = l.away, tournament = l.tournament
from listings as l
join bookmakers as b on b.id = l.bookmaker_id
where b.slug = k.bookmaker and l.listing_id = k.listing_id and l.event_id = k.sr_id
"""


def upgrade() -> None:
    """Add the columns, and fill in what the listings that are still linked say."""
    for statement in (_COLUMNS, _KNOWN):
        op.get_bind().exec_driver_sql(statement)


def downgrade() -> None:
    """Drop the columns."""
    op.get_bind().exec_driver_sql(
        "alter table listing_links drop column home, drop column away, drop column tournament, drop column own_sr_id"
    )
