"""Customers, their contact persons, look-up identities, and the quarantine of imports (design §5)."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, SmallInteger, Table, Text

from crmctl.store.metadata import Digest, JsonText, RowNumber, Sealed, UtcTime, metadata

customer = Table(
    "customer",
    metadata,
    Column("customer_id", RowNumber, primary_key=True, autoincrement=False),
    Column("type", Text, nullable=False),
    Column(
        "status", Text, nullable=False, comment="draft, submitted, returned, archived, cancelled, put_away, provisional"
    ),
    Column("stage", Text),
    Column("tier", Text),
    Column("owner_id", BigInteger),
    Column("org_unit", Text),
    Column("region", Text),
    Column("industry", Text),
    Column("source", Text, comment="客户来源, the channel a customer came through"),
    Column("company_name", Text, comment="registered name of an organisation; never a person's"),
    Column("annual_amount", BigInteger, comment="declared, in minor units"),
    Column("currency", Text),
    Column("first_added_at", UtcTime),
    Column("last_contact_at", UtcTime),
    Column("completeness", Integer, comment="filled key fields, per cent"),
    Column("retention_class", Text),
    Column("flags", Text, comment="codes, space-separated, sorted"),
    Column("attributes", JsonText, comment="policy-defined fields that are not personal"),
    Column("batch_id", BigInteger, comment="the import that created it"),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("version", Integer, nullable=False, comment="changes made by people or imports"),
    Column("derived_version", Integer, nullable=False, comment="changes made by machines: tier, owner, completeness"),
    Column("sealed", Sealed, nullable=False),
    Column("sealed_hash", Digest, nullable=False),
    Column("tier_basis", JsonText, comment="what its tier rests on: rule, policy, version, figures, moment (TIER-04)"),
    Column("cancelled_at", UtcTime, comment="when it was cancelled (注销, UPD-09); null while it is a customer"),
    Column("put_away_at", UtcTime, comment="when it was put away (封存, DES-01); null while it is in use"),
    Column("put_away_from", Text, comment="the status it had then, which it comes back to"),
    Index("ix_customer_batch_id", "batch_id"),
    info={"distribution": "customer_id"},
)

contact = Table(
    "contact",
    metadata,
    Column("customer_id", BigInteger, primary_key=True, autoincrement=False),
    Column("contact_id", BigInteger, primary_key=True, autoincrement=False),
    Column("is_primary", SmallInteger, nullable=False),
    Column("batch_id", BigInteger),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("version", Integer, nullable=False),
    Column("sealed", Sealed, nullable=False),
    Column("sealed_hash", Digest, nullable=False),
    sqlite_with_rowid=False,
    info={"distribution": "customer_id"},
)

# One B-tree instead of two: `slot` is 0 for a key that only one customer may have and the customer's number for a
# look-up key, so the primary key is at once the index and the uniqueness of exclusive keys.
identity = Table(
    "identity",
    metadata,
    Column("digest", Digest, primary_key=True),
    Column("kind", SmallInteger, primary_key=True, autoincrement=False),
    Column("epoch", SmallInteger, primary_key=True, autoincrement=False),
    Column("slot", BigInteger, primary_key=True, autoincrement=False),
    Column("customer_id", BigInteger, nullable=False),
    CheckConstraint("slot = 0 OR slot = customer_id", name="slot"),
    sqlite_with_rowid=False,
    info={"distribution": "digest"},
)

# Who must not be entered again for a while, by keyed digests that only an import can compare (optional, by policy).
do_not_recreate = Table(
    "do_not_recreate",
    metadata,
    Column("digest", Digest, primary_key=True, comment="of an identity, under a key of its own"),
    Column("plan_id", BigInteger, nullable=False),
    Column("until_on", Text, nullable=False, comment="the last day; forgotten after it"),
    Index("ix_do_not_recreate_until_on", "until_on"),
    sqlite_with_rowid=False,
    info={"distribution": "digest"},
)
