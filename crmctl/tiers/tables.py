"""Tier changes with what they rest on, overrides, and downgrades that wait (TIER-03, TIER-04)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Table, Text

from crmctl.store.metadata import Digest, JsonText, Sealed, UtcTime, metadata

# Written once, never changed: the tier at a time is the last change before it. A row repeats, in columns to ask for,
# what the customer's own change of that number commits to: its before and after, and `tier_basis`.
tier_change = Table(
    "tier_change",
    metadata,
    Column("customer_id", BigInteger, primary_key=True, autoincrement=False),
    Column("change_id", BigInteger, primary_key=True, autoincrement=False),
    Column("run_id", BigInteger, nullable=False),
    Column("from_tier", Text),
    Column("to_tier", Text),
    Column("cause", Text, nullable=False, comment="rule, override, grace"),
    Column("rule", Text, nullable=False, comment="where the rule stands in its policy"),
    Column("policy", Text, nullable=False, comment="name of the policy file's policy"),
    Column("policy_version", Integer, nullable=False),
    Column("inputs", JsonText, nullable=False, comment="the figures it rests on, in smallest units"),
    Column("decided_at", UtcTime, nullable=False),
    Column("effective_at", UtcTime, nullable=False, comment="the moment it was decided for"),
    sqlite_with_rowid=False,
    info={"distribution": "customer_id"},
)

tier_override = Table(
    "tier_override",
    metadata,
    Column("customer_id", BigInteger, primary_key=True, autoincrement=False),
    Column("override_id", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False, comment="pin, floor, ceiling"),
    Column("tier", Text, nullable=False),
    Column("until_on", Text, comment="last day it holds; null: until it is lifted"),
    Column("person", Text, nullable=False, comment="who set it, as access.yaml names them"),
    Column("lifted_on", Text, comment="first day it no longer holds"),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("version", Integer, nullable=False),
    Column("sealed", Sealed, nullable=False, comment="the reason, under the customer's key"),
    Column("sealed_hash", Digest, nullable=False),
    sqlite_with_rowid=False,
    info={"distribution": "customer_id"},
)

# A downgrade that waits for the policy's grace period; gone when it happens or the figures recover.
tier_grace = Table(
    "tier_grace",
    metadata,
    Column("customer_id", BigInteger, primary_key=True, autoincrement=False),
    Column("to_tier", Text, nullable=False),
    Column("since_on", Text, nullable=False, comment="first day the figures were below"),
    Column("run_id", BigInteger, nullable=False),
    sqlite_with_rowid=False,
    info={"distribution": "customer_id"},
)
