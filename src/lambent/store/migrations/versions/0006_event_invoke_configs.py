"""
What becomes of asynchronous events: a table for it, and dead-letter queues act.

A DeadLetterConfig that `--accept-inert` stored moves to where it acts if it names a queue; others stay inert.
"""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_FUNCTION = ("account", "region", "name")


def upgrade() -> None:
    op.create_table(
        "event_invoke_configs",
        sa.Column("account", sa.String, primary_key=True),
        sa.Column("region", sa.String, primary_key=True),
        sa.Column("name", _name(), primary_key=True),
        sa.Column("qualifier", _name(), primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(
            list(_FUNCTION),
            [f"functions.{column}" for column in _FUNCTION],
            name="event_invoke_configs_function",
            ondelete="CASCADE",
        ),
    )
    _move_dead_letters("functions", _FUNCTION)
    _move_dead_letters("function_versions", (*_FUNCTION, "number"))


def _name() -> "sa.types.TypeEngine[str]":
    return sa.String().with_variant(sa.String(collation="C"), "postgresql")


def _move_dead_letters(name: str, key: tuple[str, ...]) -> None:
    table = sa.table(name, *(sa.column(column) for column in (*key, "document")))
    connection = op.get_bind()
    found = connection.execute(sa.select(table).where(table.c.document.contains('"DeadLetterConfig"'))).mappings().all()
    for row in found:
        document = json.loads(row["document"])
        for holder in (document, document.get("serving"), document.get("last_published")):
            if holder and "configuration" in holder:
                _move(holder["configuration"])
        same = sa.and_(*(table.c[column] == row[column] for column in key))
        connection.execute(sa.update(table).where(same).values(document=json.dumps(document)))


def _move(configuration: dict[str, Any]) -> None:
    inert = configuration.get("inert") or {}
    target = (inert.get("DeadLetterConfig") or {}).get("TargetArn", "")
    if target.split(":")[2:3] == ["sqs"]:
        del inert["DeadLetterConfig"]
        configuration["dead_letter_arn"] = target
