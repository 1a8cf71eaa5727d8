"""Traces: what is kept of them, their documents, and what says how they are sampled and grouped."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.create_table(
        "traces",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("region", sa.String, nullable=False),
        sa.Column("trace_id", _name(), nullable=False),
        sa.Column("start_s", sa.Float, nullable=False),
        sa.Column("end_s", sa.Float, nullable=False),
        sa.Column("created_s", sa.Float, nullable=False),
        sa.Column("updated_s", sa.Float, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("document_bytes", sa.BigInteger, nullable=False),
        sa.Column("stored_bytes", sa.BigInteger, nullable=False),
        sa.Column("is_cut", sa.Integer, nullable=False),
        sa.UniqueConstraint("account", "region", "trace_id", name="traces_identity"),
    )
    for by in ("start_s", "end_s", "updated_s"):
        op.create_index(f"traces_by_{by}", "traces", ["account", "region", by, "trace_id"])
    op.create_table(
        "trace_documents",
        sa.Column("trace_number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("revision", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "trace_totals",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("stored_bytes", sa.BigInteger, nullable=False),
    )
    op.execute("INSERT INTO trace_totals (id, stored_bytes) VALUES (1, 0)")
    op.create_table(
        "trace_settings",
        sa.Column("account", sa.String, primary_key=True),
        sa.Column("region", sa.String, primary_key=True),
        sa.Column("kind", sa.String, primary_key=True),
        sa.Column("name", _name(), primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )


def _name() -> "sa.types.TypeEngine[str]":
    return sa.String().with_variant(sa.String(collation="C"), "postgresql")
