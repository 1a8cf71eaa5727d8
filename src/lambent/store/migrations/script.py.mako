"""
${message}

Brings a database from schema ${down_revision or "0000"} to ${up_revision}.
"""

import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    ${upgrades or "raise NotImplementedError"}
