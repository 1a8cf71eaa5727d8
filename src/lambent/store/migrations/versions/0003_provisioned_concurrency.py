"""
Provisioned concurrency, and a SnapStart that acts.

Provisioned concurrency gets a table. Versions get a column that tells which of them are kept initialised for SnapStart.
SnapStart, which `--accept-inert` stored without acting, moves to where it acts, as the size of /tmp did before.
"""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_KEY = ("account", "region", "name")


def upgrade() -> None:
    name = sa.String().with_variant(sa.String(collation="C"), "postgresql")
    op.create_table(
        "provisioned_concurrency",
        sa.Column("account", sa.String, primary_key=True),
        sa.Column("region", sa.String, primary_key=True),
        sa.Column("name", name, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("requested", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(
            [*_KEY, "number"],
            [f"function_versions.{column}" for column in (*_KEY, "number")],
            name="provisioned_concurrency_version",
            ondelete="CASCADE",
        ),
    )
    op.add_column("function_versions", sa.Column("snap_start", sa.String))
    is_snap_started = sa.text("snap_start IS NOT NULL")
    op.create_index(
        "function_versions_snap_started",
        "function_versions",
        [*_KEY, "number"],
        sqlite_where=is_snap_started,
        postgresql_where=is_snap_started,
    )
    _move_settings("functions", _KEY)
    _move_settings("function_versions", (*_KEY, "number"))


def _move_settings(name: str, key: tuple[str, ...]) -> None:
    table = sa.table(name, *(sa.column(column) for column in (*key, "document", "snap_start")))
    connection = op.get_bind()
    query = sa.select(*(table.c[column] for column in (*key, "document")))
    found = connection.execute(query.where(table.c.document.contains("SnapStart"))).mappings().all()
    for row in found:
        document = json.loads(row["document"])
        for holder in (document, document.get("serving"), document.get("last_published")):
            if holder and "configuration" in holder:
                _move_setting(holder["configuration"])
        values: dict[str, Any] = {"document": json.dumps(document)}
        if row.get("number") and document["configuration"].get("snap_start"):
            values["snap_start"] = "PublishedVersions"
        same = sa.and_(*(table.c[column] == row[column] for column in key))
        connection.execute(sa.update(table).where(same).values(**values))


def _move_setting(configuration: dict[str, Any]) -> None:
    stored = configuration.get("inert", {}).pop("SnapStart", None)
    if stored is not None:
        configuration["snap_start"] = stored.get("ApplyOn") == "PublishedVersions"
