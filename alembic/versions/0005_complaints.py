"""Complaints with their events, clocks and files; satisfaction; notices that wait for their channel.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# A single-number key is SQLite's own row number when it is declared INTEGER.
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.Text().with_variant(postgresql.TIMESTAMP(timezone=True, precision=0), "postgresql")

# Sealed values and their digests: PostgreSQL keeps no samples of them, which would outlive a purge.
SEALED_IN = ("satisfaction", "complaint", "complaint_event", "complaint_file")


def upgrade() -> None:
    op.add_column(
        "approval",
        sa.Column(
            "barred",
            sa.Text(),
            nullable=True,
            comment="people who may not decide, as access.yaml names them, or staff:NUMBER; space-separated",
        ),
    )
    denial_of_an_object()
    for create in (
        notification,
        case_number,
        satisfaction,
        complaint,
        complaint_event,
        complaint_clock,
        complaint_file,
    ):
        create()
    if op.get_context().dialect.name == "postgresql":
        op.alter_column(  # SQLite keeps no comments
            "customer", "status", comment="draft, submitted, returned, archived, cancelled, provisional"
        )
        statement = "ALTER TABLE %(table)s ALTER COLUMN %(name)s SET STATISTICS 0"
        for table in SEALED_IN:
            for name in ("sealed", "sealed_hash"):
                op.execute(sa.DDL(statement, context={"table": table, "name": name}))


def denial_of_an_object() -> None:
    """Give counted refusals the object they were about: the same act on another one is another attempt."""
    op.execute("CREATE TEMPORARY TABLE denial_kept AS SELECT * FROM denial")
    op.drop_table("denial")
    op.create_table(
        "denial",
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("uid", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False, comment="why it was refused"),
        sa.Column(
            "obj",
            sa.Text(),
            nullable=False,
            comment="what it was about, as the entry has it; empty: nothing in particular",
        ),
        sa.Column("via", sa.Text(), nullable=False),
        sa.Column("first_at", TIME, nullable=False),
        sa.Column("repeated", sa.BigInteger(), nullable=False, comment="how often since, without an entry yet"),
        sa.PrimaryKeyConstraint("person", "uid", "act", "code", "obj", name=op.f("pk_denial")),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO denial (person, uid, act, code, obj, via, first_at, repeated) "
        "SELECT person, uid, act, code, '', via, first_at, repeated FROM denial_kept"
    )
    op.execute("DROP TABLE denial_kept")


def downgrade() -> None:
    raise CommandError("no way back: restore the backup made before the upgrade")


def notification() -> None:
    op.create_table(
        "notification",
        sa.Column("notification_id", ROW_NUMBER, autoincrement=False, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False, comment="code of the notify policy"),
        sa.Column("subject", sa.Text(), nullable=False, comment="what it is about: complaint:CMP-20261121-0007"),
        sa.Column("event", sa.Text(), nullable=False, comment="code: warn, overdue, level2, …"),
        sa.Column("due_at", TIME, nullable=True, comment="the limit it is about"),
        sa.Column(
            "recipient", sa.Text(), nullable=False, comment="staff number or post; empty: whoever reads the channel"
        ),
        sa.Column("text_code", sa.Text(), nullable=False, comment="which message it becomes"),
        sa.Column("data", sa.Text(), nullable=False, comment="what the message names: codes, numbers, times"),
        sa.Column("run_id", sa.BigInteger(), nullable=False, comment="the run that wrote it"),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="waiting, sent, failed, dropped"),
        sa.Column("attempts", sa.Integer(), nullable=False, comment="how often its channel did not take it"),
        sa.Column("tried_at", TIME, nullable=True, comment="the last time it was tried"),
        sa.Column("sent_at", TIME, nullable=True),
        sa.Column(
            "failure", sa.Text(), nullable=True, comment="code: why the last attempt failed, or why it was dropped"
        ),
        sa.PrimaryKeyConstraint("notification_id", name=op.f("pk_notification")),
    )
    where = sa.text("sent_at IS NULL")
    op.create_index(
        "ix_notification_unsent", "notification", ["state", "channel"], sqlite_where=where, postgresql_where=where
    )


def case_number() -> None:
    op.create_table(
        "case_number",
        sa.Column("number", sa.Text(), nullable=False, comment="CMP-20261121-0007; of a row of a sheet its mark"),
        sa.Column("kind", sa.Text(), nullable=False, comment="complaint; complaint_row: what tells an imported row"),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("object_id", sa.BigInteger(), nullable=False, comment="the case's own number, complaint_id"),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_case_number")),
        sqlite_with_rowid=False,
    )


def satisfaction() -> None:
    op.create_table(
        "satisfaction",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("satisfaction_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("source", sa.Text(), nullable=False, comment="revisit, survey, rating"),
        sa.Column("related", sa.Text(), nullable=True, comment="what it is about: complaint"),
        sa.Column("related_id", sa.BigInteger(), nullable=True),
        sa.Column("scale", sa.Integer(), nullable=False, comment="the best score there is"),
        sa.Column("score", sa.Integer(), nullable=True, comment="null: was asked and gave none"),
        sa.Column(
            "settled",
            sa.SmallInteger(),
            nullable=True,
            comment="1: properly settled, says the customer; 0: not; null: was not asked",
        ),
        sa.Column("asked_by", sa.BigInteger(), nullable=True, comment="staff who asked"),
        sa.Column("answered_at", TIME, nullable=False),
        sa.Column("person", sa.Text(), nullable=False, comment="who entered it, as access.yaml names them"),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True, comment="what was said besides, under the customer's key"),
        sa.Column("sealed_hash", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("customer_id", "satisfaction_id", name=op.f("pk_satisfaction")),
        sqlite_with_rowid=False,
    )


def complaint() -> None:
    op.create_table(
        "complaint",
        *complaint_and_what_it_is(),
        *complaint_and_how_it_stands(),
        sa.PrimaryKeyConstraint("customer_id", "complaint_id", name=op.f("pk_complaint")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_complaint_accepted_at", "complaint", ["accepted_at"])
    op.create_index("ix_complaint_number", "complaint", ["number"])
    where = sa.text("linked_customer_id IS NOT NULL")
    op.create_index(
        "ix_complaint_linked", "complaint", ["linked_customer_id"], sqlite_where=where, postgresql_where=where
    )


def complaint_and_what_it_is() -> list[sa.Column[Any]]:
    return [
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("complaint_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Text(), nullable=False, comment="acceptance number (受理编号); never given again"),
        sa.Column(
            "status",
            sa.Text(),
            nullable=False,
            comment="accepted, verified, proposed, refused, agreed, rectified, revisited, closed, duplicate",
        ),
        sa.Column("category", sa.Text(), nullable=False, comment="code of the complaints policy"),
        sa.Column("severity", sa.Text(), nullable=False, comment="code of the complaints policy"),
        sa.Column("channel", sa.Text(), nullable=False, comment="code of company.yaml"),
        sa.Column(
            "tier", sa.Text(), nullable=True, comment="the customer's when it was opened: limits may depend on it"
        ),
        sa.Column("customer_type", sa.Text(), nullable=False),
        sa.Column("org_unit", sa.Text(), nullable=True, comment="whose calendar its clocks run by"),
        sa.Column("department", sa.Text(), nullable=True, comment="responsible party (责任主体): a department"),
        sa.Column("cause", sa.Text(), nullable=True, comment="code of the complaints policy"),
    ]


def complaint_and_how_it_stands() -> list[sa.Column[Any]]:
    return [
        sa.Column(
            "first_receiver_id",
            sa.BigInteger(),
            nullable=True,
            comment="staff who received it (首问责任人); never changed",
        ),
        sa.Column("handler_id", sa.BigInteger(), nullable=True, comment="staff who handles it"),
        sa.Column(
            "about",
            sa.Text(),
            nullable=True,
            comment="staff it is about, ids, space-separated: none of them handles or approves",
        ),
        sa.Column("received_at", TIME, nullable=False, comment="when the complaint was made"),
        sa.Column("accepted_at", TIME, nullable=False, comment="when it was entered: the real clock"),
        sa.Column(
            "feedback_due_at",
            TIME,
            nullable=True,
            comment="the time limit the complainant was told (反馈时限); never moves",
        ),
        sa.Column("plan_version", sa.Integer(), nullable=False, comment="of the newest handling plan; 0: none yet"),
        sa.Column("closing", sa.Text(), nullable=True, comment="settled, without_agreement, duplicate"),
        sa.Column("closed_at", TIME, nullable=True),
        sa.Column("reopened", sa.Integer(), nullable=False, comment="how often"),
        sa.Column("duplicate_of", sa.Text(), nullable=True, comment="acceptance number of the complaint it repeats"),
        sa.Column(
            "linked_customer_id",
            sa.BigInteger(),
            nullable=True,
            comment="who an unidentified complainant turned out to be",
        ),
        sa.Column(
            "terms", sa.Text(), nullable=False, comment="the stages and limits it was accepted under; it keeps them"
        ),
        sa.Column("policy", sa.Text(), nullable=False, comment="name of the policy file's policy"),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.Column("opened_by", sa.Text(), nullable=False, comment="person, as access.yaml names them"),
        sa.Column("batch_id", sa.BigInteger(), nullable=True, comment="the import that brought it"),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "sealed",
            sa.LargeBinary(),
            nullable=False,
            comment="complainant, contact, matter, demand, under the customer's key",
        ),
        sa.Column("sealed_hash", sa.LargeBinary(), nullable=False),
    ]


def complaint_event() -> None:
    op.create_table(
        "complaint_event",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("complaint_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="accepted, responded, verified, proposed, agreed, …"),
        sa.Column("at", TIME, nullable=False, comment="when it happened"),
        sa.Column("person", sa.Text(), nullable=False, comment="who entered it, as access.yaml names them"),
        sa.Column("staff_id", sa.BigInteger(), nullable=True, comment="the same person on the staff register"),
        sa.Column("data", sa.Text(), nullable=False, comment="codes, numbers and times; nothing personal"),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", TIME, nullable=False, comment="when it was entered: the real clock"),
        sa.Column(
            "sealed", sa.LargeBinary(), nullable=True, comment="what was said and done, under the customer's key"
        ),
        sa.Column("sealed_hash", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("customer_id", "event_id", name=op.f("pk_complaint_event")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_complaint_event_complaint", "complaint_event", ["customer_id", "complaint_id"])


def complaint_clock() -> None:
    op.create_table(
        "complaint_clock",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("clock_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("complaint_id", sa.BigInteger(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False, comment="code of the complaints policy"),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column(
            "within", sa.Text(), nullable=False, comment="the limit as the policy writes it; empty: none is configured"
        ),
        sa.Column(
            "calendar",
            sa.Text(),
            nullable=False,
            comment="name:version of the working calendar; empty: the wall clock's",
        ),
        sa.Column("due_at", TIME, nullable=True, comment="null: no limit, or it stands still"),
        sa.Column("provisional", sa.SmallInteger(), nullable=False, comment="1: rests on days not announced yet"),
        sa.Column(
            "told", sa.SmallInteger(), nullable=False, comment="1: the customer was told this date, so it never moves"
        ),
        sa.Column("pauses", sa.Text(), nullable=False, comment="[[from, until or null], …] in which it stood still"),
        sa.Column("extended", sa.Integer(), nullable=False, comment="how often"),
        sa.Column(
            "level",
            sa.Integer(),
            nullable=False,
            comment="how far it was escalated: levels of the policy reached so far",
        ),
        sa.Column("stopped_at", TIME, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "clock_id", name=op.f("pk_complaint_clock")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_complaint_clock_complaint", "complaint_clock", ["customer_id", "complaint_id"])
    where = sa.text("stopped_at IS NULL")
    op.create_index(
        "ix_complaint_clock_open", "complaint_clock", ["due_at"], sqlite_where=where, postgresql_where=where
    )


def complaint_file() -> None:
    op.create_table(
        "complaint_file",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("file_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("complaint_id", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False, comment="bytes of the file"),
        sa.Column("person", sa.Text(), nullable=False, comment="who added it, as access.yaml names them"),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column(
            "sealed", sa.LargeBinary(), nullable=False, comment="name, SHA-256 and content, under the customer's key"
        ),
        sa.Column("sealed_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "file_id", name=op.f("pk_complaint_file")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_complaint_file_complaint", "complaint_file", ["customer_id", "complaint_id"])
