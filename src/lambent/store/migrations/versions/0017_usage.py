"""Usage: what each invocation used, sums of it, and budgets."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.create_table(
        "usage_series",
        sa.Column("id", _serial(), primary_key=True),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("region", sa.String, nullable=False),
        sa.Column("function", _name(), nullable=False),
        sa.Column("version", sa.String, nullable=False),
        sa.Column("qualifier", _name(), nullable=False),
        sa.Column("tenant", _name(), nullable=False),
        sa.Column("memory_mib", sa.BigInteger, nullable=False),
        sa.Column("tmp_mib", sa.BigInteger, nullable=False),
        sa.Column("architecture", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("runtime", sa.String, nullable=False),
        sa.Column("tags", sa.Text, nullable=False),
        sa.UniqueConstraint("key", name="usage_series_key"),
    )
    op.create_index("usage_series_of_function", "usage_series", ["account", "region", "function"])
    op.create_table(
        "usage_records",
        sa.Column("id", _serial(), primary_key=True),
        sa.Column("series_id", sa.BigInteger, nullable=False),
        sa.Column("started_ms", sa.BigInteger, nullable=False),
        sa.Column("duration_us", sa.BigInteger, nullable=False),
        sa.Column("init_us", sa.BigInteger, nullable=False),
        sa.Column("billed_ms", sa.BigInteger, nullable=False),
        sa.Column("cpu_us", sa.BigInteger, nullable=False),
        sa.Column("memory_peak_mib", sa.BigInteger, nullable=False),
        sa.Column("streamed_bytes", sa.BigInteger, nullable=False),
        sa.Column("flags", sa.Integer, nullable=False),
        sa.Column("request_id", sa.LargeBinary, nullable=False),
    )
    op.create_index("usage_records_in_time", "usage_records", ["started_ms"])
    op.create_table(
        "usage_totals",
        sa.Column("period_s", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at_s", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("series_id", sa.BigInteger, primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in _TOTALS),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "usage_allocations",
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("from_ms", sa.BigInteger, nullable=False),
        sa.Column("until_ms", sa.BigInteger, nullable=False),
        sa.Column("environments", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "budgets",
        sa.Column("account", sa.String, primary_key=True),
        sa.Column("name", _name(), primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_table(
        "budget_notices",
        sa.Column("number", _serial(), primary_key=True),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("budget", _name(), nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )


_TOTALS = (
    "requests",
    "errors",
    "cold_starts",
    "restores",
    "duration_us",
    "init_us",
    "billed_ms",
    "cpu_us",
    "memory_peak_mib",
    "streamed_bytes",
    "billable_streamed_bytes",
    "allocated_ms",
)


def _name() -> "sa.types.TypeEngine[str]":
    return sa.String().with_variant(sa.String(collation="C"), "postgresql")


def _serial() -> "sa.types.TypeEngine[int]":
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")
