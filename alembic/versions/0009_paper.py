"""The register of paper and media, and whom each item is about.

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# Sealed values and digests: PostgreSQL keeps no samples of them, which would outlive a purge.
UNSAMPLED = (("paper_item", "sealed"), ("paper_item", "sealed_hash"))

# A single-number key is SQLite's own row number when it is declared INTEGER.
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.Text().with_variant(postgresql.TIMESTAMP(timezone=True, precision=0), "postgresql")


def upgrade() -> None:
    paper_item()
    paper_customer()
    if op.get_context().dialect.name == "postgresql":
        statement = "ALTER TABLE %(table)s ALTER COLUMN %(name)s SET STATISTICS 0"
        for table, name in UNSAMPLED:
            op.execute(sa.DDL(statement, context={"table": table, "name": name}))


def downgrade() -> None:
    raise CommandError("no way back: restore the backup made before the upgrade")


def paper_item() -> None:
    op.create_table(
        "paper_item",
        sa.Column("item_id", ROW_NUMBER, autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="code of the use policy"),
        sa.Column("keeper", sa.Text(), nullable=False, comment="staff number or person who has it"),
        sa.Column("person", sa.Text(), nullable=False, comment="who registered it"),
        sa.Column("registered_at", TIME, nullable=False),
        sa.Column("moved_at", TIME, nullable=True),
        sa.Column(
            "gone_at",
            TIME,
            nullable=True,
            comment="when it was said that nothing of it is left; null while it is there",
        ),
        sa.Column(
            "run_id", sa.BigInteger(), nullable=False, comment="the run that registered it; its key seals the texts"
        ),
        sa.Column("sealed", sa.LargeBinary(), nullable=True, comment="where it lies, and a note; null once it is gone"),
        sa.Column("sealed_hash", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("item_id", name=op.f("pk_paper_item")),
    )


def paper_customer() -> None:
    op.create_table(
        "paper_customer",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("item_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("plan_id", sa.BigInteger(), nullable=True, comment="the purge that destroyed the customer"),
        sa.Column(
            "due_on",
            sa.Text(),
            nullable=True,
            comment="day by which it is to be destroyed; null while the customer is there",
        ),
        sa.Column("disposed_at", TIME, nullable=True, comment="when it was said that it is destroyed"),
        sa.Column("disposed_by", sa.Text(), nullable=True, comment="who said so"),
        sa.Column("disposed_on", sa.Text(), nullable=True, comment="the day on which it was"),
        sa.Column("method", sa.Text(), nullable=True, comment="code of the use policy"),
        sa.Column("witness", sa.Text(), nullable=True, comment="staff number or person who saw it"),
        sa.PrimaryKeyConstraint("customer_id", "item_id", name=op.f("pk_paper_customer")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_paper_customer_item_id", "paper_customer", ["item_id"])
