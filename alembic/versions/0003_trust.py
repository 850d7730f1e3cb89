"""Approvals, use of information, the register of copies, and what each look showed.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# A single-number key is SQLite's own row number when it is declared INTEGER.
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.Text().with_variant(postgresql.TIMESTAMP(timezone=True, precision=0), "postgresql")

# Sealed values, digests and salts: PostgreSQL keeps no samples of them, which would outlive a purge.
WITHOUT_STATISTICS = {
    "approval_decision": ("sealed", "sealed_hash"),
    "use_request": ("sealed", "sealed_hash"),
    "use_record": ("sealed", "sealed_hash"),
    "use_evaluation": ("sealed", "sealed_hash"),
    "look": ("salt", "leaf"),
}

COPY_REGISTER = {
    "use_id": "the use request it was made under",
    "recipient": "code of the use policy",
    "purpose": "code of the use policy",
    "fields": "names of what it holds in full",
    "due_on": "day by which it is to be destroyed",
    "disposed_by": None,
    "bytes": None,
}
NEW_COMMENTS = {
    "kind": "rejects, export, key store copy, log",
    "person": "who made it and holds it",
    "sealed": "where it was written, under the key of its batch or run",
}
COLUMN_TYPES = {"use_id": sa.BigInteger(), "bytes": sa.BigInteger()}


def upgrade() -> None:
    for create in (approval, approval_decision, use_request, use_record, use_evaluation, look, denial):
        create()
    for name, comment in COPY_REGISTER.items():
        op.add_column(
            "copy_register", sa.Column(name, COLUMN_TYPES.get(name, sa.Text()), nullable=True, comment=comment)
        )
    if op.get_context().dialect.name == "postgresql":
        for name, comment in NEW_COMMENTS.items():  # SQLite keeps none
            op.alter_column("copy_register", name, comment=comment)
        statement = "ALTER TABLE %(table)s ALTER COLUMN %(name)s SET STATISTICS 0"
        for table, columns in WITHOUT_STATISTICS.items():
            for column in columns:
                op.execute(sa.DDL(statement, context={"table": table, "name": column}))


def downgrade() -> None:
    raise CommandError("no way back: restore the backup made before the upgrade")


def approval() -> None:
    op.create_table(
        "approval",
        sa.Column("approval_id", ROW_NUMBER, autoincrement=False, nullable=False),
        sa.Column("act", sa.Text(), nullable=False, comment="the act asked for, as access.yaml names it"),
        sa.Column("subject", sa.Text(), nullable=False, comment="what is to be done: plan:12, use:3"),
        sa.Column(
            "subject_hash", sa.Text(), nullable=False, comment="of exactly that; another hash is another subject"
        ),
        sa.Column("rows", sa.BigInteger(), nullable=False, comment="how many records it concerns"),
        sa.Column("requested_by", sa.Text(), nullable=False, comment="person, as access.yaml names them"),
        sa.Column("run_id", sa.BigInteger(), nullable=False, comment="the run that asked"),
        sa.Column("state", sa.Text(), nullable=False, comment="open, approved, rejected, revoked, used"),
        sa.Column("people", sa.Integer(), nullable=False, comment="how many must agree"),
        sa.Column("assurance", sa.Text(), nullable=False, comment="least assurance: recorded, authenticated, signed"),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("used_at", TIME, nullable=True),
        sa.Column("used_run_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("approval_id", name=op.f("pk_approval")),
    )


def approval_decision() -> None:
    op.create_table(
        "approval_decision",
        sa.Column("approval_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "decision_id", sa.Integer(), autoincrement=False, nullable=False, comment="1, 2, 3 … of the approval"
        ),
        sa.Column("decision", sa.Text(), nullable=False, comment="approve, reject, revoke"),
        sa.Column("person", sa.Text(), nullable=False, comment="who decided: of access.yaml, or staff:NUMBER"),
        sa.Column("for_person", sa.Text(), nullable=True, comment="for whom, where a deputy decided"),
        sa.Column("assurance", sa.Text(), nullable=False, comment="recorded, authenticated, signed"),
        sa.Column("entered_by", sa.Text(), nullable=False, comment="person at the keyboard"),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=True, comment="number of the paper or OA flow it was decided in"),
        sa.Column("statement", sa.Text(), nullable=True, comment="the exact text that was signed"),
        sa.Column("signature", sa.Text(), nullable=True, comment="SSH signature of the statement"),
        sa.Column(
            "signers_hash", sa.Text(), nullable=True, comment="SHA-256 of the allowed signers it was checked against"
        ),
        sa.Column("document_id", sa.BigInteger(), nullable=True, comment="owner of the key that the sealed is under"),
        sa.Column("sealed", sa.LargeBinary(), nullable=True, comment="scan of the paper and the reason given"),
        sa.Column("sealed_hash", sa.LargeBinary(), nullable=True),
        sa.Column("decided_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("approval_id", "decision_id", name=op.f("pk_approval_decision")),
        sqlite_with_rowid=False,
    )


def use_request() -> None:
    op.create_table(
        "use_request",
        sa.Column("use_id", ROW_NUMBER, autoincrement=False, nullable=False),
        sa.Column("act", sa.Text(), nullable=False, comment="customer.export, …"),
        sa.Column("person", sa.Text(), nullable=False, comment="who asks, as access.yaml names them"),
        sa.Column("purpose", sa.Text(), nullable=False, comment="code of the use policy"),
        sa.Column("manner", sa.Text(), nullable=False, comment="code of the use policy: how it is used"),
        sa.Column("responsible", sa.Text(), nullable=False, comment="staff number or person who answers for it"),
        sa.Column("recipient", sa.Text(), nullable=False, comment="code of the use policy"),
        sa.Column("fields", sa.Text(), nullable=False, comment="names of what is asked for in full"),
        sa.Column("selection", sa.Text(), nullable=False, comment="filters, codes only"),
        sa.Column("rows", sa.BigInteger(), nullable=False, comment="how many customers the selection had"),
        sa.Column("hash", sa.Text(), nullable=False, comment="of all of the above: what an approval is bound to"),
        sa.Column("state", sa.Text(), nullable=False, comment="open, used, closed"),
        sa.Column("approval_id", sa.BigInteger(), nullable=True),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False, comment="why it is needed, in words"),
        sa.Column("sealed_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("use_id", name=op.f("pk_use_request")),
    )


def use_record() -> None:
    op.create_table(
        "use_record",
        sa.Column("record_id", ROW_NUMBER, autoincrement=False, nullable=False),
        sa.Column("use_id", sa.BigInteger(), nullable=True, comment="the request it was done under"),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False, comment="customer.export, customer.reveal, …"),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=True),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("used_at", TIME, nullable=False),
        sa.Column("result", sa.Text(), nullable=True, comment="code of the use policy"),
        sa.Column("result_at", TIME, nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=True, comment="the result in words"),
        sa.Column("sealed_hash", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("record_id", name=op.f("pk_use_record")),
    )


def use_evaluation() -> None:
    op.create_table(
        "use_evaluation",
        sa.Column("evaluation_id", ROW_NUMBER, autoincrement=False, nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("since", TIME, nullable=True),
        sa.Column("until", TIME, nullable=False),
        sa.Column("need", sa.Text(), nullable=False, comment="met, exceeded: does it match the business need"),
        sa.Column("privacy", sa.Text(), nullable=False, comment="kept, intruded: does it intrude on privacy"),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("evaluated_at", TIME, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False, comment="the judgement in words"),
        sa.Column("sealed_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("evaluation_id", name=op.f("pk_use_evaluation")),
    )


def look() -> None:
    op.create_table(
        "look",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "position", sa.BigInteger(), nullable=False, comment="of the leaf in the tree of the command: 0, 1, 2, …"
        ),
        sa.Column("salt", sa.LargeBinary(), nullable=True, comment="16 bytes; null after purge"),
        sa.Column(
            "leaf", sa.LargeBinary(), nullable=False, comment="SHA-256(0x00 ‖ salt ‖ customer, run and position)"
        ),
        sa.PrimaryKeyConstraint("customer_id", "run_id", name=op.f("pk_look")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_look_run_id_position", "look", ["run_id", "position"], unique=False)


def denial() -> None:
    op.create_table(
        "denial",
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("uid", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False, comment="why it was refused"),
        sa.Column("via", sa.Text(), nullable=False),
        sa.Column("first_at", TIME, nullable=False),
        sa.Column("repeated", sa.BigInteger(), nullable=False, comment="how often since, without an entry yet"),
        sa.PrimaryKeyConstraint("person", "uid", "act", "code", name=op.f("pk_denial")),
        sqlite_with_rowid=False,
    )
