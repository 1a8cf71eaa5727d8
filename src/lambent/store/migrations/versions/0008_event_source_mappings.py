"""Event source mappings: a table for them. They outlive their functions, so none refers to one."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "event_source_mappings",
        sa.Column("account", sa.String, primary_key=True),
        sa.Column("region", sa.String, primary_key=True),
        sa.Column("uuid", _name(), primary_key=True),
        sa.Column("source_arn", _name(), nullable=False),
        sa.Column("function_arn", _name(), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.UniqueConstraint(
            "account", "region", "source_arn", "function_arn", name="event_source_mappings_source_and_function"
        ),
    )
    op.create_index(
        "event_source_mappings_function", "event_source_mappings", ["account", "region", "function_arn", "uuid"]
    )


def _name() -> "sa.types.TypeEngine[str]":
    return sa.String().with_variant(sa.String(collation="C"), "postgresql")
