"""Logs: events in compressed chunks, settings of groups, resource policies, filters of groups, saved queries."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _pack_events()
    op.add_column("log_groups", sa.Column("log_class", sa.String, nullable=False, server_default="STANDARD"))
    op.add_column("log_groups", sa.Column("document", sa.Text, nullable=False, server_default="{}"))
    op.create_table(
        "log_resource_policies",
        sa.Column("account", sa.String, primary_key=True),
        sa.Column("region", sa.String, primary_key=True),
        sa.Column("name", _name(), primary_key=True),
        sa.Column("updated_ms", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
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


def _pack_events() -> None:
    """Make room for chunks, and count what is to be packed: the server packs it, some at a time."""
    for name in ("loose_events", "loose_bytes"):
        op.add_column("log_groups", sa.Column(name, sa.BigInteger, nullable=False, server_default="0"))
    op.execute(
        "UPDATE log_groups SET loose_bytes = stored_bytes, "
        "loose_events = (SELECT count(*) FROM log_events WHERE log_events.group_id = log_groups.id)"
    )
    op.add_column("log_position", sa.Column("next_sequence", sa.BigInteger, nullable=False, server_default="1"))
    # Numbers of events that were deleted are not given again either.
    op.execute(
        "UPDATE log_position SET next_sequence = "
        "1 + coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'log_events'), 0)"
    )
    op.create_table(
        "log_chunks",
        sa.Column("id", _SERIAL, primary_key=True),
        sa.Column("group_id", sa.BigInteger, nullable=False),
        sa.Column("first_ms", sa.BigInteger, nullable=False),
        sa.Column("last_ms", sa.BigInteger, nullable=False),
        sa.Column("base_sequence", sa.BigInteger, nullable=False),
        sa.Column("event_count", sa.BigInteger, nullable=False),
        sa.Column("stored_bytes", sa.BigInteger, nullable=False),
        sa.Column("streams", sa.LargeBinary, nullable=False),
        sa.Column("columns", sa.LargeBinary, nullable=False),
        sa.Column("text", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("log_chunks_by_first", "log_chunks", ["group_id", "first_ms", "id", "last_ms"])
    op.create_index("log_chunks_by_last", "log_chunks", ["group_id", "last_ms", "id", "first_ms"])
    op.create_table(
        "log_chunk_streams",
        sa.Column("stream_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("chunk_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    op.create_index("log_chunk_streams_by_chunk", "log_chunk_streams", ["chunk_id"])
    op.create_table(
        "deleted_log_streams",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("group_id", sa.BigInteger, nullable=False),
    )


def _name() -> "sa.types.TypeEngine[str]":
    return sa.String().with_variant(sa.String(collation="C"), "postgresql")
