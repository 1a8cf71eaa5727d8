"""
The event queue: queues, their events, the groups and deduplication ids of FIFO queues.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    _create_queues()
    _create_events()
    _create_groups()
    op.create_table(
        "dropped_event_contents",
        sa.Column("content_id", sa.BigInteger, primary_key=True, autoincrement=False),
    )
    numbers = op.create_table(
        "event_numbers",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("next_number", sa.BigInteger, nullable=False),
        sa.Column("latest_us", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(numbers, [{"id": 1, "next_number": 1, "latest_us": 0}])


def _create_queues() -> None:
    op.create_table(
        "event_queues",
        sa.Column("path", _name(), primary_key=True),
        sa.Column("content_id", sa.BigInteger, nullable=False),
        sa.Column("event_count", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("rules", sa.Text, nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("content_id", name="event_queues_content"),
    )
    holds_events = sa.text("event_count > 0")
    op.create_index(
        "event_queues_filled", "event_queues", ["path"], sqlite_where=holds_events, postgresql_where=holds_events
    )


def _create_events() -> None:
    op.create_table(
        "queued_events",
        sa.Column(
            "sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=False
        ),
        sa.Column("content_id", sa.BigInteger, nullable=False),
        sa.Column("is_leased", sa.Integer, nullable=False),
        sa.Column("due_us", sa.BigInteger, nullable=False),
        sa.Column("entered_us", sa.BigInteger, nullable=False),
        sa.Column("sent_ms", sa.BigInteger, nullable=False),
        sa.Column("first_claimed_ms", sa.BigInteger),
        sa.Column("claim_count", sa.BigInteger, nullable=False),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("group_key", _name()),
        sa.Column("deduplication_id", sa.String),
        sa.Column("redriven_from", sa.String),
        sa.Column("attributes", sa.LargeBinary, nullable=False),
        sa.Column("body", sa.LargeBinary),
        sa.Column("body_sha256", sa.String),
    )
    op.create_index("queued_events_due", "queued_events", ["content_id", "is_leased", "due_us", "sequence"])
    in_group = sa.text("group_key IS NOT NULL")
    op.create_index(
        "queued_events_in_group",
        "queued_events",
        ["content_id", "group_key", "sequence"],
        sqlite_where=in_group,
        postgresql_where=in_group,
    )
    has_blob = sa.text("body_sha256 IS NOT NULL")
    op.create_index(
        "queued_events_with_blob",
        "queued_events",
        ["body_sha256"],
        sqlite_where=has_blob,
        postgresql_where=has_blob,
    )


def _create_groups() -> None:
    op.create_table(
        "event_groups",
        sa.Column("content_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("group_key", _name(), primary_key=True),
        sa.Column("due_us", sa.BigInteger, nullable=False),
        sa.Column("head", sa.BigInteger, nullable=False),
    )
    op.create_index("event_groups_due", "event_groups", ["content_id", "due_us", "head"])
    op.create_table(
        "event_deduplications",
        sa.Column("content_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("key", _name(), primary_key=True),
        sa.Column("until_us", sa.BigInteger, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("id", sa.String, nullable=False),
    )
    op.create_index("event_deduplications_until", "event_deduplications", ["until_us"])


def _name() -> "sa.types.TypeEngine[str]":
    return sa.String().with_variant(sa.String(collation="C"), "postgresql")
