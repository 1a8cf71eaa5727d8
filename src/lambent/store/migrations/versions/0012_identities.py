"""Access: a table for users, groups, roles, policies, access keys and accounts."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "identities",
        sa.Column("account", sa.String, primary_key=True),
        sa.Column("kind", sa.String, primary_key=True),
        sa.Column("key", _name(), primary_key=True),
        sa.Column("unique_id", _name(), nullable=False),
        sa.Column("owner_id", _name()),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.UniqueConstraint("account", "kind", "unique_id", name="identities_unique_id"),
    )
    op.create_index(
        "identities_of_owner",
        "identities",
        ["account", "owner_id", "key"],
        sqlite_where=sa.text("owner_id IS NOT NULL"),
    )


def _name() -> "sa.types.TypeEngine[str]":
    return sa.String().with_variant(sa.String(collation="C"), "postgresql")
