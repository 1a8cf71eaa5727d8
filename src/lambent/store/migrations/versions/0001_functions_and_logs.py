"""
Functions with their versions, and logs.

Brings a database from nothing to schema 0001.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "functions",
        sa.Column("account", sa.String, primary_key=True),
        sa.Column("region", sa.String, primary_key=True),
        sa.Column("name", _NAME, primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_table(
        "function_versions",
        sa.Column("account", sa.String, primary_key=True),
        sa.Column("region", sa.String, primary_key=True),
        sa.Column("name", _NAME, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("last_update_status", sa.String),
        sa.Column("code_bytes", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(
            ["account", "region", "name"],
            ["functions.account", "functions.region", "functions.name"],
            name="function_versions_function",
            ondelete="CASCADE",
        ),
    )
    op.create_index(
        "function_versions_by_number", "function_versions", ["account", "region", "number", "name", "code_bytes"]
    )
    unsettled = sa.text("state = 'Pending' OR last_update_status = 'InProgress'")
    op.create_index(
        "function_versions_unsettled",
        "function_versions",
        ["account", "region", "name", "number"],
        sqlite_where=unsettled,
        postgresql_where=unsettled,
    )
    op.create_table(
        "log_groups",
        sa.Column("id", _SERIAL, primary_key=True),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("region", sa.String, nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("retention_days", sa.Integer),
        sa.Column("stored_bytes", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("account", "region", "name", name="log_groups_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "log_streams",
        sa.Column("id", _SERIAL, primary_key=True),
        sa.Column(
            "group_id",
            sa.BigInteger,
            sa.ForeignKey("log_groups.id", name="log_streams_group", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("region", sa.String, nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("first_event_ms", sa.BigInteger),
        sa.Column("last_event_ms", sa.BigInteger),
        sa.Column("last_ingestion_ms", sa.BigInteger),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("group_id", "name", name="log_streams_name"),
        sqlite_autoincrement=True,
    )
    op.create_index("log_streams_by_last_event", "log_streams", ["group_id", "last_event_ms", "name"])
    op.create_table(
        "log_events",
        sa.Column("sequence", _SERIAL, primary_key=True),
        sa.Column("group_id", sa.BigInteger, nullable=False),
        sa.Column("stream_id", sa.BigInteger, nullable=False),
        sa.Column("timestamp_ms", sa.BigInteger, nullable=False),
        sa.Column("ingestion_ms", sa.BigInteger, nullable=False),
        sa.Column("stored_bytes", sa.BigInteger, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("log_events_by_group", "log_events", ["group_id", "timestamp_ms", "ingestion_ms", "sequence"])
    op.create_index("log_events_by_stream", "log_events", ["stream_id", "timestamp_ms", "ingestion_ms", "sequence"])
    op.create_table("deleted_log_groups", sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False))
    log_position = op.create_table(
        "log_position",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("segment", sa.BigInteger, nullable=False),
        sa.Column("offset", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(log_position, [{"id": 1, "segment": 0, "offset": 0}])
    op.create_table(
        "open_invocations",
        sa.Column("request_id", sa.String, primary_key=True),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("region", sa.String, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
