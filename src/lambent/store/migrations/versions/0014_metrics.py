"""Metrics: series and their points; dashboards."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.create_table(
        "metric_series",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("region", sa.String, nullable=False),
        sa.Column("namespace", _name(), nullable=False),
        sa.Column("name", _name(), nullable=False),
        sa.Column("dimensions", _name(), nullable=False),
        sa.Column("unit", sa.String, nullable=False),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("last_s", sa.BigInteger, nullable=False),
        sa.UniqueConstraint(
            "account", "region", "namespace", "name", "dimensions", "unit", name="metric_series_identity"
        ),
        sa.UniqueConstraint("key", name="metric_series_key"),
    )
    op.create_table(
        "metric_points",
        sa.Column("series_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("period_s", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at_s", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("samples", sa.Float, nullable=False),
        sa.Column("total", sa.Float, nullable=False),
        sa.Column("minimum", sa.Float, nullable=False),
        sa.Column("maximum", sa.Float, nullable=False),
        sa.Column("bins", sa.LargeBinary),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "metric_blocks",
        sa.Column("series_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("period_s", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("from_s", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("basics", sa.LargeBinary, nullable=False),
        sa.Column("bins", sa.LargeBinary),
    )
    op.create_index("metric_blocks_by_age", "metric_blocks", ["period_s", "from_s"])
    op.create_table(
        "dashboards",
        sa.Column("account", sa.String, primary_key=True),
        sa.Column("name", _name(), primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("modified_s", sa.Float, nullable=False),
    )


def _name() -> "sa.types.TypeEngine[str]":
    return sa.String().with_variant(sa.String(collation="C"), "postgresql")
