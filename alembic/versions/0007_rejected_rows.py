"""When the rejected rows of an import were destroyed.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TIME = sa.Text().with_variant(postgresql.TIMESTAMP(timezone=True, precision=0), "postgresql")


def upgrade() -> None:
    op.add_column(
        "batch",
        sa.Column(
            "destroyed_at",
            TIME,
            nullable=True,
            comment="when its key, its rejected rows and what is sealed of it were destroyed",
        ),
    )


def downgrade() -> None:
    raise CommandError("no way back: restore the backup made before the upgrade")
