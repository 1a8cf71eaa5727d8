"""
Reserved concurrency, and a size of /tmp that acts.

Functions get a column for what they reserve. EphemeralStorage, which `--accept-inert` stored without acting, moves to
where it acts: in the configurations of versions, of what serves meanwhile, and of what was published last.
"""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_TMP_MAX_MIB = 10_240
"""What the model allowed and was stored beyond it could never be made."""


def upgrade() -> None:
    op.add_column("functions", sa.Column("reserved_executions", sa.BigInteger))
    has_reservation = sa.text("reserved_executions IS NOT NULL")
    op.create_index(
        "functions_reserved",
        "functions",
        ["account", "region", "name", "reserved_executions"],
        sqlite_where=has_reservation,
        postgresql_where=has_reservation,
    )
    _move_sizes("functions", ("account", "region", "name"))
    _move_sizes("function_versions", ("account", "region", "name", "number"))


def _move_sizes(name: str, key: tuple[str, ...]) -> None:
    table = sa.table(name, *(sa.column(column) for column in (*key, "document")))
    connection = op.get_bind()
    found = connection.execute(sa.select(table).where(table.c.document.contains("EphemeralStorage"))).mappings().all()
    for row in found:
        document = json.loads(row["document"])
        for holder in (document, document.get("serving"), document.get("last_published")):
            if holder and "configuration" in holder:
                _move_size(holder["configuration"])
        same = sa.and_(*(table.c[column] == row[column] for column in key))
        connection.execute(sa.update(table).where(same).values(document=json.dumps(document)))


def _move_size(configuration: dict[str, Any]) -> None:
    stored = configuration.get("inert", {}).pop("EphemeralStorage", None)
    if stored is not None:
        configuration["tmp_mib"] = min(stored["Size"], _TMP_MAX_MIB)
