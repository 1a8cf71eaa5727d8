"""Logs: metric filters and subscription filters of groups, saved queries."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    for table in ("log_metric_filters", "log_subscription_filters"):
        op.create_table(
            table,
            sa.Column(
                "group_id",
                sa.BigInteger,
                sa.ForeignKey("log_groups.id", name=f"{table}_group", ondelete="CASCADE"),
                primary_key=True,
            ),
            sa.Column("name", _name(), primary_key=True),
            sa.Column("created_ms", sa.BigInteger, nullable=False),
            sa.Column("document", sa.Text, nullable=False),
        )
    op.create_table(
        "log_query_definitions",
        sa.Column("account", sa.String, primary_key=True),
        sa.Column("region", sa.String, primary_key=True),
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("name", _name(), nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )


def _name() -> "sa.types.TypeEngine[str]":
    return sa.String().with_variant(sa.String(collation="C"), "postgresql")
