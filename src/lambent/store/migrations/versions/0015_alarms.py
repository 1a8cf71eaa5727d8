"""Alarms: what is configured with its state, what goes by what, histories, and actions that are not done."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.create_table(
        "alarms",
        sa.Column("account", sa.String, primary_key=True),
        sa.Column("region", sa.String, primary_key=True),
        sa.Column("name", _name(), primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("every_s", sa.Integer),
        sa.Column("metric", _name()),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("alarms_of_metric", "alarms", ["account", "region", "metric"])
    op.create_table(
        "alarm_children",
        sa.Column("account", sa.String, primary_key=True),
        sa.Column("region", sa.String, primary_key=True),
        sa.Column("child", _name(), primary_key=True),
        sa.Column("parent", _name(), primary_key=True),
    )
    op.create_index("alarm_children_of_parent", "alarm_children", ["account", "region", "parent", "child"])
    op.create_table(
        "alarm_history",
        sa.Column("number", _serial(), primary_key=True),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("region", sa.String, nullable=False),
        sa.Column("alarm", _name(), nullable=False),
        sa.Column("alarm_type", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("alarm_history_of_alarm", "alarm_history", ["account", "region", "alarm", "number"])
    op.create_index("alarm_history_in_time", "alarm_history", ["account", "region", "at_ms", "number"])
    op.create_table(
        "alarm_actions",
        sa.Column("number", _serial(), primary_key=True),
        sa.Column("document", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )


def _name() -> "sa.types.TypeEngine[str]":
    return sa.String().with_variant(sa.String(collation="C"), "postgresql")


def _serial() -> "sa.types.TypeEngine[int]":
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")
