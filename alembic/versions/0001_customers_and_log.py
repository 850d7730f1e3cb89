"""Customers, their look-up identities, imports, runs, the change log and the audit log.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# A single-number key is SQLite's own row number when it is declared INTEGER.
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.Text().with_variant(postgresql.TIMESTAMP(timezone=True, precision=0), "postgresql")

# Sealed values, digests and hashes: PostgreSQL keeps no samples of them, which would outlive a purge.
WITHOUT_STATISTICS = {
    "audit_entry": ("leaf", "prev"),
    "audit_head": ("last_leaf", "frontier"),
    "checkpoint": ("root",),
    "change": (
        "before_sealed",
        "salt",
        "clear_before_hash",
        "clear_after_hash",
        "sealed_before_hash",
        "sealed_after_hash",
        "leaf",
    ),
    "customer": ("sealed", "sealed_hash"),
    "contact": ("sealed", "sealed_hash"),
    "identity": ("digest",),
    "batch": ("sealed",),
    "rejected_row": ("sealed",),
    "copy_register": ("sealed",),
}


def upgrade() -> None:
    for create in (
        counter,
        audit_entry,
        audit_head,
        checkpoint,
        change,
        run,
        reservation,
        policy_version,
        installation,
        customer,
        contact,
        identity,
        batch,
        rejected_row,
        copy_register,
    ):
        create()
    if op.get_context().dialect.name == "postgresql":
        without_statistics()


def downgrade() -> None:
    raise CommandError("no way back: restore the backup made before the upgrade")


def counter() -> None:
    op.create_table(
        "counter",
        sa.Column("name", sa.Text(), nullable=False, comment="customer, contact, change, run, batch, copy, …"),
        sa.Column("next_value", sa.BigInteger(), nullable=False, comment="the first number nobody has"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_counter")),
    )


def audit_entry() -> None:
    op.create_table(
        "audit_entry",
        sa.Column("seq", ROW_NUMBER, autoincrement=False, nullable=False, comment="0, 1, 2, … without holes"),
        sa.Column("leaf", sa.LargeBinary(), nullable=False, comment="SHA-256(0x00 ‖ body), RFC 6962"),
        sa.Column("prev", sa.LargeBinary(), nullable=False, comment="leaf of seq - 1: a fork is impossible"),
        sa.Column("body", sa.Text(), nullable=False, comment="canonical ASCII JSON; exactly these bytes are hashed"),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_entry")),
        sa.UniqueConstraint("prev", name=op.f("uq_audit_entry_prev")),
    )


def audit_head() -> None:
    op.create_table(
        "audit_head",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False, comment="entries in the log"),
        sa.Column(
            "last_leaf", sa.LargeBinary(), nullable=False, comment="leaf of the newest entry; zeros before the first"
        ),
        sa.Column(
            "frontier",
            sa.LargeBinary(),
            nullable=False,
            comment="roots of the full subtrees, largest first, 32 bytes each",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
        sa.CheckConstraint("id = 1", name=op.f("ck_audit_head_one")),
    )


def checkpoint() -> None:
    op.create_table(
        "checkpoint",
        sa.Column("seq", ROW_NUMBER, autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False, comment="entries the signature covers"),
        sa.Column("root", sa.LargeBinary(), nullable=False, comment="RFC 6962 root of those entries"),
        sa.Column("note", sa.Text(), nullable=False, comment="the signed note, C2SP, exact text"),
        sa.Column("added_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_checkpoint")),
    )


def change() -> None:
    op.create_table(
        "change",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False, comment="0: of no customer"),
        sa.Column("change_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("chunk", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False, comment="of the leaf in the chunk's tree: 0, 1, 2, …"),
        sa.Column("object", sa.Text(), nullable=False, comment="code of the protected table: customer, contact, …"),
        sa.Column("object_id", sa.BigInteger(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False, comment="create, update, destroy"),
        sa.Column("version", sa.Integer(), nullable=False, comment="of the object's changes: 1, 2, 3, … without holes"),
        sa.Column("fields", sa.Text(), nullable=False, comment="names of what changed, never values"),
        sa.Column("before_clear", sa.Text(), nullable=True, comment="clear columns before, without nulls"),
        sa.Column(
            "before_sealed", sa.LargeBinary(), nullable=True, comment="the envelope before, only when it changed"
        ),
        sa.Column(
            "salt", sa.LargeBinary(), nullable=True, comment="16 bytes; null after purge, then the leaf tells nothing"
        ),
        sa.Column("clear_before_hash", sa.LargeBinary(), nullable=True),
        sa.Column("clear_after_hash", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_before_hash", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_after_hash", sa.LargeBinary(), nullable=True),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "change_id", name=op.f("pk_change")),
    )


def run() -> None:
    op.create_table(
        "run",
        sa.Column("run_id", ROW_NUMBER, autoincrement=False, nullable=False),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False, comment="who, as access.yaml names them"),
        sa.Column("uid", sa.BigInteger(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("state", sa.Text(), nullable=False, comment="running, done, refused, failed, interrupted"),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("as_of", TIME, nullable=True),
        sa.Column("policy_hash", sa.Text(), nullable=False, comment="of the policy set in force"),
        sa.Column("counts", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_run")),
    )


def reservation() -> None:
    op.create_table(
        "reservation",
        sa.Column("run_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("chunk", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("first_customer", sa.BigInteger(), nullable=False),
        sa.Column("customers", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "chunk", name=op.f("pk_reservation")),
    )


def policy_version() -> None:
    op.create_table(
        "policy_version",
        sa.Column("policy_hash", sa.Text(), nullable=False),
        sa.Column("first_seen_at", TIME, nullable=False),
        sa.Column("text", sa.Text(), nullable=False, comment="the files of the set, one JSON object"),
        sa.PrimaryKeyConstraint("policy_hash", name=op.f("pk_policy_version")),
    )


def installation() -> None:
    op.create_table(
        "installation",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("instance", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
    )


def customer() -> None:
    op.create_table(
        "customer",
        sa.Column("customer_id", ROW_NUMBER, autoincrement=False, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False, comment="draft, submitted, returned, archived, cancelled"),
        sa.Column("stage", sa.Text(), nullable=True),
        sa.Column("tier", sa.Text(), nullable=True),
        sa.Column("owner_id", sa.BigInteger(), nullable=True),
        sa.Column("org_unit", sa.Text(), nullable=True),
        sa.Column("region", sa.Text(), nullable=True),
        sa.Column("industry", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True, comment="客户来源, the channel a customer came through"),
        sa.Column(
            "company_name", sa.Text(), nullable=True, comment="registered name of an organisation; never a person's"
        ),
        sa.Column("annual_amount", sa.BigInteger(), nullable=True, comment="declared, in minor units"),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("first_added_at", TIME, nullable=True),
        sa.Column("last_contact_at", TIME, nullable=True),
        sa.Column("completeness", sa.Integer(), nullable=True, comment="filled key fields, per cent"),
        sa.Column("retention_class", sa.Text(), nullable=True),
        sa.Column("flags", sa.Text(), nullable=True, comment="codes, space-separated, sorted"),
        sa.Column("attributes", sa.Text(), nullable=True, comment="policy-defined fields that are not personal"),
        sa.Column("batch_id", sa.BigInteger(), nullable=True, comment="the import that created it"),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, comment="changes made by people or imports"),
        sa.Column(
            "derived_version",
            sa.Integer(),
            nullable=False,
            comment="changes made by machines: tier, owner, completeness",
        ),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_customer")),
    )
    op.create_index("ix_customer_batch_id", "customer", ["batch_id"], unique=False)


def contact() -> None:
    op.create_table(
        "contact",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("contact_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("is_primary", sa.SmallInteger(), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "contact_id", name=op.f("pk_contact")),
        sqlite_with_rowid=False,
    )


def identity() -> None:
    op.create_table(
        "identity",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("slot", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", "kind", "epoch", "slot", name=op.f("pk_identity")),
        sa.CheckConstraint("slot = 0 OR slot = customer_id", name=op.f("ck_identity_slot")),
        sqlite_with_rowid=False,
    )


def batch() -> None:
    op.create_table(
        "batch",
        sa.Column("batch_id", ROW_NUMBER, autoincrement=False, nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False, comment="the run that began it"),
        sa.Column("state", sa.Text(), nullable=False, comment="running, interrupted, done, failed"),
        sa.Column("source", sa.Text(), nullable=False, comment="system the external codes come from"),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("source_sha256", sa.Text(), nullable=False),
        sa.Column("source_bytes", sa.BigInteger(), nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("cursor", sa.BigInteger(), nullable=False, comment="last source row whose outcome is committed"),
        sa.Column("chunks", sa.Integer(), nullable=False),
        sa.Column("read", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("unchanged", sa.BigInteger(), nullable=False),
        sa.Column("duplicate", sa.BigInteger(), nullable=False),
        sa.Column("rejected", sa.BigInteger(), nullable=False),
        sa.Column("flagged", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False, comment="file name, header and mapping"),
        sa.PrimaryKeyConstraint("batch_id", name=op.f("pk_batch")),
    )


def rejected_row() -> None:
    op.create_table(
        "rejected_row",
        sa.Column("batch_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("row_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False, comment="[{code, field, …}] without values"),
        sa.Column("state", sa.Text(), nullable=False, comment="open, fixed, dismissed"),
        sa.Column("sealed", sa.LargeBinary(), nullable=False, comment="the original cells, under the batch key"),
        sa.PrimaryKeyConstraint("batch_id", "row_number", name=op.f("pk_rejected_row")),
    )


def copy_register() -> None:
    op.create_table(
        "copy_register",
        sa.Column("copy_id", ROW_NUMBER, autoincrement=False, nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False, comment="rejects, export, key store copy"),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True, comment="where it was written, under the batch key"),
        sa.Column("disposed_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("copy_id", name=op.f("pk_copy_register")),
    )


def without_statistics() -> None:
    statement = "ALTER TABLE %(place)s ALTER COLUMN %(name)s SET STATISTICS 0"
    for table, columns in WITHOUT_STATISTICS.items():
        for column in columns:
            op.execute(sa.DDL(statement, context={"place": table, "name": column}))
