"""What anonymised customers left, counted in groups.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "anonymous_group",
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of rule, facts and plan_id"),
        sa.Column("rule", sa.Text(), nullable=False, comment="code of the rule of the retention policy"),
        sa.Column("facts", sa.Text(), nullable=False, comment="what was left, by field; {} where too few were alike"),
        sa.Column("customers", sa.BigInteger(), nullable=False),
        sa.Column("plan_id", sa.BigInteger(), nullable=False, comment="0; while its purge is not done, the plan"),
        sa.PrimaryKeyConstraint("digest", name="pk_anonymous_group"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_anonymous_group_plan_id", "anonymous_group", ["plan_id"])
    if op.get_context().dialect.name == "postgresql":
        # As of every digest, the server keeps no samples of it.
        op.execute(sa.DDL("ALTER TABLE anonymous_group ALTER COLUMN digest SET STATISTICS 0"))


def downgrade() -> None:
    raise CommandError("no way back: restore the backup made before the upgrade")
