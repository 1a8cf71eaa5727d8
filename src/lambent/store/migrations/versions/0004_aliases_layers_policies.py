"""
Aliases, resource policies and layers; settings that act now.

Each of the three gets its tables. KMSKeyArn, VpcConfig, LoggingConfig and TenancyConfig, which `--accept-inert` stored
without acting, move to where they act. Layers and file systems that were stored likewise are dropped: there was nothing
behind them, so that the function that serves today would cease to start.
"""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_FUNCTION = ("account", "region", "name")


def upgrade() -> None:
    _create_tables()
    op.create_index("layer_versions_bytes", "layer_versions", ["account", "region", "code_bytes"])
    _move_settings("functions", _FUNCTION)
    _move_settings("function_versions", (*_FUNCTION, "number"))


def _create_tables() -> None:
    _create_of_function("aliases", sa.Column("alias", _name(), primary_key=True), with_number=True)
    _create_of_function("function_policies", sa.Column("qualifier", _name(), primary_key=True), with_number=False)
    op.create_table(
        "layers",
        sa.Column("account", sa.String, primary_key=True),
        sa.Column("region", sa.String, primary_key=True),
        sa.Column("name", _name(), primary_key=True),
        sa.Column("last_number", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "layer_versions",
        sa.Column("account", sa.String, primary_key=True),
        sa.Column("region", sa.String, primary_key=True),
        sa.Column("name", _name(), primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("code_bytes", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )


def _create_of_function(name: str, key: "sa.Column[Any]", *, with_number: bool) -> None:
    numbers = [sa.Column("number", sa.BigInteger, nullable=False)] if with_number else []
    op.create_table(
        name,
        sa.Column("account", sa.String, primary_key=True),
        sa.Column("region", sa.String, primary_key=True),
        sa.Column("name", _name(), primary_key=True),
        key,
        *numbers,
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(
            list(_FUNCTION),
            [f"functions.{column}" for column in _FUNCTION],
            name=f"{name}_function",
            ondelete="CASCADE",
        ),
    )


def _name() -> "sa.types.TypeEngine[str]":
    return sa.String().with_variant(sa.String(collation="C"), "postgresql")


def _move_settings(name: str, key: tuple[str, ...]) -> None:
    table = sa.table(name, *(sa.column(column) for column in (*key, "document")))
    connection = op.get_bind()
    found = connection.execute(sa.select(table).where(table.c.document.contains('"inert"'))).mappings().all()
    for row in found:
        document = json.loads(row["document"])
        before = json.dumps(document)
        for holder in (document, document.get("serving"), document.get("last_published")):
            if holder and "configuration" in holder:
                _move(holder["configuration"])
        if json.dumps(document) != before:
            same = sa.and_(*(table.c[column] == row[column] for column in key))
            connection.execute(sa.update(table).where(same).values(document=json.dumps(document)))


def _move(configuration: dict[str, Any]) -> None:
    inert = configuration.get("inert") or {}
    inert.pop("Layers", None)
    inert.pop("FileSystemConfigs", None)
    if key := inert.pop("KMSKeyArn", None):
        configuration["kms_key_arn"] = key
    if vpc := inert.pop("VpcConfig", None):
        configuration["vpc"] = {
            "subnet_ids": vpc.get("SubnetIds") or [],
            "security_group_ids": vpc.get("SecurityGroupIds") or [],
            "ipv6_allowed": bool(vpc.get("Ipv6AllowedForDualStack")),
        }
    if logging := inert.pop("LoggingConfig", None):
        configuration["logging"] = {
            "is_json": logging.get("LogFormat") == "JSON",
            "application_level": logging.get("ApplicationLogLevel"),
            "system_level": logging.get("SystemLogLevel"),
        }
    if inert.pop("TenancyConfig", None):
        configuration["is_tenant_isolated"] = True
