"""An index over the changes that still have the values before them, so that a purge finds those of a run.

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

IMAGES = sa.text("(before_clear IS NOT NULL OR before_sealed IS NOT NULL)")


def upgrade() -> None:
    op.create_index("ix_change_images", "change", ["run_id", "change_id"], sqlite_where=IMAGES, postgresql_where=IMAGES)


def downgrade() -> None:
    raise CommandError("no way back: restore the backup made before the upgrade")
