"""Orders, staff and their absences, tier changes and overrides, saved plans; what a batch brings.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# A single-number key is SQLite's own row number when it is declared INTEGER.
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.Text().with_variant(postgresql.TIMESTAMP(timezone=True, precision=0), "postgresql")


def upgrade() -> None:
    comment = "what it brings: customer (also null), order, staff"
    op.add_column("batch", sa.Column("kind", sa.Text(), nullable=True, comment=comment))
    comment = "what its tier rests on: rule, policy, version, figures, moment (TIER-04)"
    op.add_column("customer", sa.Column("tier_basis", sa.Text(), nullable=True, comment=comment))
    for create in (
        plan,
        plan_item,
        purchase_order,
        order_number,
        staff,
        absence,
        tier_change,
        tier_override,
        tier_grace,
    ):
        create()
    if op.get_context().dialect.name == "postgresql":  # no samples of sealed values, which would outlive a purge
        statement = "ALTER TABLE tier_override ALTER COLUMN %(name)s SET STATISTICS 0"
        for column in ("sealed", "sealed_hash"):
            op.execute(sa.DDL(statement, context={"name": column}))


def downgrade() -> None:
    raise CommandError("no way back: restore the backup made before the upgrade")


def plan() -> None:
    op.create_table(
        "plan",
        sa.Column("plan_id", ROW_NUMBER, autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="the act it plans: tier.regrade, …"),
        sa.Column("run_id", sa.BigInteger(), nullable=False, comment="the run that made it"),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="open, applying, applied; reported, replaced"),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("policy_hash", sa.Text(), nullable=False),
        sa.Column("as_of", TIME, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("items", sa.BigInteger(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("applied_run_id", sa.BigInteger(), nullable=True),
        sa.Column("cursor", sa.BigInteger(), nullable=False, comment="last customer whose item is applied"),
        sa.PrimaryKeyConstraint("plan_id", name=op.f("pk_plan")),
    )


def plan_item() -> None:
    op.create_table(
        "plan_item",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("plan_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("action", sa.Text(), nullable=False, comment="what is done to the customer"),
        sa.Column("before", sa.Text(), nullable=True, comment="what it must still be when the plan is applied"),
        sa.Column("after", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "plan_id", name=op.f("pk_plan_item")),
        sqlite_with_rowid=False,
    )


def purchase_order() -> None:
    op.create_table(
        "purchase_order",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("order_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Text(), nullable=False, comment="as the system it comes from calls it"),
        sa.Column("source", sa.Text(), nullable=False, comment="that system"),
        sa.Column(
            "amount", sa.BigInteger(), nullable=False, comment="in minor units of its currency; negative for a return"
        ),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column(
            "home_amount",
            sa.BigInteger(),
            nullable=True,
            comment="in minor units of the home currency; null where no rate is known",
        ),
        sa.Column("ordered_on", sa.Text(), nullable=False, comment="day in the company's zone, YYYY-MM-DD"),
        sa.Column("delivered_on", sa.Text(), nullable=True),
        sa.Column("paid_on", sa.Text(), nullable=True),
        sa.Column("product_line", sa.Text(), nullable=True),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "order_id", name=op.f("pk_purchase_order")),
        sqlite_with_rowid=False,
    )


def order_number() -> None:
    op.create_table(
        "order_number",
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", "source", name=op.f("pk_order_number")),
        sqlite_with_rowid=False,
    )


def staff() -> None:
    op.create_table(
        "staff",
        sa.Column("staff_id", ROW_NUMBER, autoincrement=False, nullable=False),
        sa.Column("number", sa.Text(), nullable=False, comment="staff number (工号)"),
        sa.Column("name", sa.Text(), nullable=False, comment="not unique: two people may share one"),
        sa.Column("state", sa.Text(), nullable=False, comment="active, inactive"),
        sa.Column("post", sa.Text(), nullable=True, comment="code of company.yaml"),
        sa.Column("level", sa.Text(), nullable=True),
        sa.Column("department", sa.Text(), nullable=True),
        sa.Column("org_unit", sa.Text(), nullable=True, comment="code of company.yaml"),
        sa.Column("region", sa.Text(), nullable=True),
        sa.Column(
            "capacity", sa.Integer(), nullable=True, comment="customers one may look after; null: as policy says"
        ),
        sa.Column("languages", sa.Text(), nullable=True, comment="codes, space-separated, sorted"),
        sa.Column("hr_id", sa.Text(), nullable=True, comment="in the personnel system"),
        sa.Column("wecom_id", sa.Text(), nullable=True, comment="userid in WeCom"),
        sa.Column("dingtalk_id", sa.Text(), nullable=True, comment="userid in DingTalk"),
        sa.Column(
            "uids", sa.Text(), nullable=True, comment="accounts of the operating system, space-separated, sorted"
        ),
        sa.Column("trained_on", sa.Text(), nullable=True, comment="day the training was passed (TRN-01)"),
        sa.Column(
            "signed_on", sa.Text(), nullable=True, comment="day the confidentiality undertaking was signed (ACC-05)"
        ),
        sa.Column("joined_on", sa.Text(), nullable=True),
        sa.Column("left_on", sa.Text(), nullable=True),
        sa.Column("attributes", sa.Text(), nullable=True, comment="policy-defined fields"),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("staff_id", name=op.f("pk_staff")),
        sa.UniqueConstraint("number", name=op.f("uq_staff_number")),
    )


def absence() -> None:
    op.create_table(
        "absence",
        sa.Column("absence_id", ROW_NUMBER, autoincrement=False, nullable=False),
        sa.Column("staff_id", sa.BigInteger(), nullable=False),
        sa.Column("from_on", sa.Text(), nullable=False, comment="first day away"),
        sa.Column("until_on", sa.Text(), nullable=False, comment="last day away"),
        sa.Column("deputy_id", sa.BigInteger(), nullable=True, comment="staff who stands in"),
        sa.Column("cancelled_at", TIME, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("absence_id", name=op.f("pk_absence")),
    )


def tier_change() -> None:
    op.create_table(
        "tier_change",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("change_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("from_tier", sa.Text(), nullable=True),
        sa.Column("to_tier", sa.Text(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=False, comment="rule, override, grace"),
        sa.Column("rule", sa.Text(), nullable=False, comment="where the rule stands in its policy"),
        sa.Column("policy", sa.Text(), nullable=False, comment="name of the policy file's policy"),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.Column("inputs", sa.Text(), nullable=False, comment="the figures it rests on, in smallest units"),
        sa.Column("decided_at", TIME, nullable=False),
        sa.Column("effective_at", TIME, nullable=False, comment="the moment it was decided for"),
        sa.PrimaryKeyConstraint("customer_id", "change_id", name=op.f("pk_tier_change")),
        sqlite_with_rowid=False,
    )


def tier_override() -> None:
    op.create_table(
        "tier_override",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("override_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="pin, floor, ceiling"),
        sa.Column("tier", sa.Text(), nullable=False),
        sa.Column("until_on", sa.Text(), nullable=True, comment="last day it holds; null: until it is lifted"),
        sa.Column("person", sa.Text(), nullable=False, comment="who set it, as access.yaml names them"),
        sa.Column("lifted_on", sa.Text(), nullable=True, comment="first day it no longer holds"),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False, comment="the reason, under the customer's key"),
        sa.Column("sealed_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "override_id", name=op.f("pk_tier_override")),
        sqlite_with_rowid=False,
    )


def tier_grace() -> None:
    op.create_table(
        "tier_grace",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("to_tier", sa.Text(), nullable=False),
        sa.Column("since_on", sa.Text(), nullable=False, comment="first day the figures were below"),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_tier_grace")),
        sqlite_with_rowid=False,
    )
