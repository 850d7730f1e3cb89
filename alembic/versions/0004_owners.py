"""Who looks after a customer, and books handed over.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# A single-number key is SQLite's own row number when it is declared INTEGER.
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.Text().with_variant(postgresql.TIMESTAMP(timezone=True, precision=0), "postgresql")


def upgrade() -> None:
    for create in (ownership, handover, handover_item):
        create()


def downgrade() -> None:
    raise CommandError("no way back: restore the backup made before the upgrade")


def ownership() -> None:
    op.create_table(
        "ownership",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "ownership_id",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="of an owner the number of the customer's change; else one of the same counter",
        ),
        sa.Column("staff_id", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False, comment="owner, collaborator, deputy, first_receiver"),
        sa.Column("since_at", TIME, nullable=False, comment="the moment it was decided for"),
        sa.Column("until_at", TIME, nullable=True, comment="null: it holds"),
        sa.Column("reason", sa.Text(), nullable=False, comment="assign, take, handover, reclaim, import, manual"),
        sa.Column(
            "rule", sa.Text(), nullable=False, comment="where the rule stands in its policy; empty: a person decided"
        ),
        sa.Column("policy", sa.Text(), nullable=False, comment="name of the policy file's policy"),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.Column("runner_up_id", sa.BigInteger(), nullable=True, comment="staff who would have been next"),
        sa.Column("inputs", sa.Text(), nullable=False, comment="loads and order at the time; nothing personal"),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("ordered_by", sa.Text(), nullable=False, comment="person, as access.yaml names them"),
        sa.Column("ended_run_id", sa.BigInteger(), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True, comment="as reason, and leave, return"),
        sa.Column(
            "until_on",
            sa.Text(),
            nullable=True,
            comment="last day of a collaborator (YYYY-MM-DD), over by itself; null: until it is ended",
        ),
        sa.PrimaryKeyConstraint("customer_id", "ownership_id", name=op.f("pk_ownership")),
        sqlite_with_rowid=False,
    )
    open_owner = sa.text("until_at IS NULL AND role = 'owner'")
    op.create_index(
        "ix_ownership_open_owner",
        "ownership",
        ["customer_id"],
        unique=True,
        sqlite_where=open_owner,
        postgresql_where=open_owner,
    )
    open_collaborator = sa.text("until_at IS NULL AND role = 'collaborator'")
    op.create_index(
        "ix_ownership_open_collaborator",
        "ownership",
        ["staff_id", "customer_id"],
        sqlite_where=open_collaborator,
        postgresql_where=open_collaborator,
    )


def handover() -> None:
    op.create_table(
        "handover",
        sa.Column("handover_id", ROW_NUMBER, autoincrement=False, nullable=False),
        sa.Column("from_id", sa.BigInteger(), nullable=False, comment="staff whose customers they were"),
        sa.Column(
            "to_id", sa.BigInteger(), nullable=True, comment="staff who takes them; null: as the owners policy says"
        ),
        sa.Column("state", sa.Text(), nullable=False, comment="open, accepted, returned"),
        sa.Column("reason", sa.Text(), nullable=False, comment="code: leave, move, absence, load, other"),
        sa.Column(
            "asked",
            sa.Text(),
            nullable=False,
            comment="all, share:PER CENT, some:SHA-256 of their numbers; then stay:DAY",
        ),
        sa.Column("ordered_by", sa.Text(), nullable=False, comment="person, as access.yaml names them"),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("customers", sa.BigInteger(), nullable=False),
        sa.Column("accepted", sa.BigInteger(), nullable=False),
        sa.Column("returned", sa.BigInteger(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("closed_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("handover_id", name=op.f("pk_handover")),
    )


def handover_item() -> None:
    op.create_table(
        "handover_item",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("handover_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("from_id", sa.BigInteger(), nullable=False),
        sa.Column("to_id", sa.BigInteger(), nullable=True, comment="null: nobody could take it"),
        sa.Column("state", sa.Text(), nullable=False, comment="open, accepted, returned"),
        sa.Column("rule", sa.Text(), nullable=False, comment="where the rule that chose stands; empty: a person chose"),
        sa.Column("decided_at", TIME, nullable=True, comment="when it was accepted or returned"),
        sa.Column("decided_by", sa.Text(), nullable=True, comment="person, as access.yaml names them"),
        sa.Column("wecom_at", TIME, nullable=True, comment="when it was written to a WeCom transfer file"),
        sa.PrimaryKeyConstraint("customer_id", "handover_id", name=op.f("pk_handover_item")),
        sqlite_with_rowid=False,
    )
