"""Function URLs: a table for them."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_FUNCTION = ("account", "region", "name")


def upgrade() -> None:
    op.create_table(
        "function_urls",
        sa.Column("account", sa.String, primary_key=True),
        sa.Column("region", sa.String, primary_key=True),
        sa.Column("name", _name(), primary_key=True),
        sa.Column("qualifier", _name(), primary_key=True),
        sa.Column("url_id", _name(), nullable=False),
        sa.Column("lost_alias", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.UniqueConstraint("url_id", name="function_urls_url_id"),
        sa.ForeignKeyConstraint(
            list(_FUNCTION),
            [f"functions.{column}" for column in _FUNCTION],
            name="function_urls_function",
            ondelete="CASCADE",
        ),
    )


def _name() -> "sa.types.TypeEngine[str]":
    return sa.String().with_variant(sa.String(collation="C"), "postgresql")
