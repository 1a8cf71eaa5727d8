"""HTTP APIs: tables for them, for what they consist of, and for custom domains."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    for table, key in (("http_apis", "api_id"), ("api_domains", "domain_name")):
        op.create_table(
            table,
            sa.Column(key, _name(), primary_key=True),
            sa.Column("account", sa.String, nullable=False),
            sa.Column("region", sa.String, nullable=False),
            sa.Column("revision", sa.BigInteger, nullable=False),
            sa.Column("document", sa.Text, nullable=False),
        )
        op.create_index(f"{table}_of_scope", table, ["account", "region", key])
    op.create_table(
        "http_api_parts",
        sa.Column("api_id", _name(), primary_key=True),
        sa.Column("kind", sa.String, primary_key=True),
        sa.Column("part_id", _name(), primary_key=True),
        sa.Column("part_key", _name(), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.UniqueConstraint("api_id", "kind", "part_key", name="http_api_parts_key"),
        sa.ForeignKeyConstraint(["api_id"], ["http_apis.api_id"], name="http_api_parts_api", ondelete="CASCADE"),
    )


def _name() -> "sa.types.TypeEngine[str]":
    return sa.String().with_variant(sa.String(collation="C"), "postgresql")
