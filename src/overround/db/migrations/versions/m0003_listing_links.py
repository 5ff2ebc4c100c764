"""Which event a listing is of, where somebody has said so by hand."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_LISTING_LINKS = """
create table listing_links (
    bookmaker text not null,
    listing_id text not null,
    sr_id bigint not null,
    reason text not null,
    linked_at timestamptz not null,
    primary key (bookmaker, listing_id)
)
"""


def upgrade() -> None:
    """Create the table."""
    op.get_bind().exec_driver_sql(_LISTING_LINKS)


def downgrade() -> None:
    """Refuse: what people have decided would be lost."""
    raise NotImplementedError("links made by hand would be lost; restore a backup instead")
