"""Who may use the service, and what was set over it."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_API_KEYS = """
create table api_keys (
    id text primary key,
    name text not null,
    role text not null,
    digest bytea not null,
    created_at timestamptz not null,
    revoked_at timestamptz
)
"""

_SETTINGS_OVERRIDES = """
create table settings_overrides (
    path text primary key,
    value jsonb not null,
    changed_at timestamptz not null
)
"""


def upgrade() -> None:
    """Create the two tables."""
    connection = op.get_bind()
    connection.exec_driver_sql(_API_KEYS)
    connection.exec_driver_sql(_SETTINGS_OVERRIDES)


def downgrade() -> None:
    """Refuse: nobody could log in any more."""
    raise NotImplementedError("keys and settings would be lost; restore a backup instead")
