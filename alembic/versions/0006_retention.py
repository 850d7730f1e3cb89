"""Holds, destruction records with their digests, backups; when a customer was cancelled.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Sealed values and digests: PostgreSQL keeps no samples of them, which would outlive a purge.
UNSAMPLED = (
    ("legal_hold", "sealed"),
    ("legal_hold", "sealed_hash"),
    ("destruction", "root"),
    ("destruction", "record_hash"),
    ("destruction_leaf", "leaf"),
    ("do_not_recreate", "digest"),
    ("backup", "manifest_hash"),
)

# A single-number key is SQLite's own row number when it is declared INTEGER.
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.Text().with_variant(postgresql.TIMESTAMP(timezone=True, precision=0), "postgresql")


def upgrade() -> None:
    for create in (legal_hold, legal_hold_item, destruction, destruction_leaf, do_not_recreate, backup):
        create()
    op.add_column(
        "customer",
        sa.Column(
            "cancelled_at",
            TIME,
            nullable=True,
            comment="when it was cancelled (注销, UPD-09); null while it is a customer",
        ),
    )
    if op.get_context().dialect.name == "postgresql":
        statement = "ALTER TABLE %(table)s ALTER COLUMN %(name)s SET STATISTICS 0"
        for table, name in UNSAMPLED:
            op.execute(sa.DDL(statement, context={"table": table, "name": name}))


def downgrade() -> None:
    raise CommandError("no way back: restore the backup made before the upgrade")


def legal_hold() -> None:
    op.create_table(
        "legal_hold",
        sa.Column("hold_id", ROW_NUMBER, autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="conflict, incident, audit, appeal, legal"),
        sa.Column("everybody", sa.SmallInteger(), nullable=False, comment="1: all customers, those to come as well"),
        sa.Column("set_by", sa.Text(), nullable=False, comment="person, as access.yaml names them"),
        sa.Column("set_at", TIME, nullable=False),
        sa.Column(
            "review_on", sa.Text(), nullable=True, comment="day on which somebody is to ask whether it is still needed"
        ),
        sa.Column("lifted_by", sa.Text(), nullable=True),
        sa.Column("lifted_at", TIME, nullable=True, comment="null: in force"),
        sa.Column("run_id", sa.BigInteger(), nullable=False, comment="the run that set it; its key seals the texts"),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False, comment="reason, authority, and why it was lifted"),
        sa.Column("sealed_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("hold_id", name=op.f("pk_legal_hold")),
    )


def legal_hold_item() -> None:
    op.create_table(
        "legal_hold_item",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hold_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "hold_id", name=op.f("pk_legal_hold_item")),
        sqlite_with_rowid=False,
    )


def destruction() -> None:
    op.create_table(
        "destruction",
        sa.Column("plan_id", ROW_NUMBER, autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="begun, done, verified"),
        sa.Column("run_id", sa.BigInteger(), nullable=False, comment="the run that began it"),
        sa.Column("begun_at", TIME, nullable=False, comment="the point of no return"),
        sa.Column("shredded_at", TIME, nullable=True, comment="when the last key was destroyed"),
        sa.Column(
            "master_epoch",
            sa.Integer(),
            nullable=True,
            comment="the newest master key that an old copy of the keys may need",
        ),
        sa.Column(
            "complete_after",
            TIME,
            nullable=True,
            comment="when no copy of the keys can be opened any more; known or expected",
        ),
        sa.Column("counts", sa.Text(), nullable=False, comment="what was destroyed and kept, by kind and reason"),
        sa.Column("root", sa.LargeBinary(), nullable=True, comment="of the digests, RFC 6962"),
        sa.Column(
            "record",
            sa.Text(),
            nullable=True,
            comment="the destruction record (销毁记录): canonical ASCII JSON; null until verified",
        ),
        sa.Column(
            "record_hash",
            sa.LargeBinary(),
            nullable=True,
            comment="SHA-256 of the record, which the entry of its verification names",
        ),
        sa.Column("verified_run_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("plan_id", name=op.f("pk_destruction")),
    )


def destruction_leaf() -> None:
    op.create_table(
        "destruction_leaf",
        sa.Column("plan_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("plan_id", "leaf", name=op.f("pk_destruction_leaf")),
        sqlite_with_rowid=False,
    )


def do_not_recreate() -> None:
    op.create_table(
        "do_not_recreate",
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="of an identity, under a key of its own"),
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column("until_on", sa.Text(), nullable=False, comment="the last day; forgotten after it"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_do_not_recreate")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_do_not_recreate_until_on", "do_not_recreate", ["until_on"])


def backup() -> None:
    op.create_table(
        "backup",
        sa.Column("backup_id", ROW_NUMBER, autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="data, keys"),
        sa.Column("state", sa.Text(), nullable=False, comment="made, verified, failed, removed"),
        sa.Column("location", sa.Text(), nullable=False, comment="the folder it was written to"),
        sa.Column("made_at", TIME, nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column(
            "manifest_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the manifest, which names every part"
        ),
        sa.Column("log_size", sa.BigInteger(), nullable=False, comment="entries of the log it holds"),
        sa.Column("master_epoch", sa.Integer(), nullable=False, comment="the newest master key when it was made"),
        sa.Column("counts", sa.Text(), nullable=False, comment="rows by table, or keys by owner"),
        sa.Column("verified_at", TIME, nullable=True, comment="when it was last read to the end and found whole"),
        sa.Column("removed_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("backup_id", name=op.f("pk_backup")),
    )
