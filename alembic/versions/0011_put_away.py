"""Customers who are put away: their data are stored any more, and used for nothing (DES-01).

Revision ID: 0011
Revises: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TIME = sa.Text().with_variant(postgresql.TIMESTAMP(timezone=True, precision=0), "postgresql")


def upgrade() -> None:
    op.add_column(
        "customer",
        sa.Column(
            "put_away_at",
            TIME,
            nullable=True,
            comment="when it was put away (封存, DES-01); null while it is in use",
        ),
    )
    op.add_column(
        "customer",
        sa.Column("put_away_from", sa.Text(), nullable=True, comment="the status it had then, which it comes back to"),
    )
    if op.get_context().dialect.name == "postgresql":
        op.alter_column(  # SQLite keeps no comments
            "customer",
            "status",
            comment="draft, submitted, returned, archived, cancelled, put_away, provisional",
        )


def downgrade() -> None:
    raise CommandError("no way back: restore the backup made before the upgrade")
