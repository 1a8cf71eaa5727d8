"""Positions in streams: one row for each mapping that reads, one for each shard it reads in."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "stream_readings",
        sa.Column("account", sa.String, primary_key=True),
        sa.Column("region", sa.String, primary_key=True),
        sa.Column("uuid", _name(), primary_key=True),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("result", sa.String, nullable=False),
    )
    op.create_table(
        "stream_positions",
        sa.Column("account", sa.String, primary_key=True),
        sa.Column("region", sa.String, primary_key=True),
        sa.Column("uuid", _name(), primary_key=True),
        sa.Column("shard_id", _name(), primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )


def _name() -> "sa.types.TypeEngine[str]":
    return sa.String().with_variant(sa.String(collation="C"), "postgresql")
