"""What a purge leaves behind: its record, and a digest of each person destroyed that names nobody (DES-04)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text

from crmctl.store.metadata import Digest, JsonText, RowNumber, UtcTime, metadata

# One row a purge that has begun. The plan, its approval and its runs stay as well; what the plan named does not.
destruction = Table(
    "destruction",
    metadata,
    Column("plan_id", RowNumber, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False, comment="begun, done, verified"),
    Column("run_id", BigInteger, nullable=False, comment="the run that began it"),
    Column("begun_at", UtcTime, nullable=False, comment="the point of no return"),
    Column("shredded_at", UtcTime, comment="when the last key was destroyed"),
    Column("master_epoch", Integer, comment="the newest master key that an old copy of the keys may need"),
    Column("complete_after", UtcTime, comment="when no copy of the keys can be opened any more; known or expected"),
    Column("counts", JsonText, nullable=False, comment="what was destroyed and kept, by kind and reason"),
    Column("root", Digest, comment="of the digests, RFC 6962"),
    Column("record", Text, comment="the destruction record (销毁记录): canonical ASCII JSON; null until verified"),
    Column("record_hash", Digest, comment="SHA-256 of the record, which the entry of its verification names"),
    Column("verified_run_id", BigInteger),
    info={"distribution": "coordinator"},
)

# leaf = SHA-256(0x00 ‖ salt ‖ which customer of which plan). Salts are forgotten, but for those given as receipts.
destruction_leaf = Table(
    "destruction_leaf",
    metadata,
    Column("plan_id", BigInteger, primary_key=True, autoincrement=False),
    Column("leaf", Digest, primary_key=True),
    sqlite_with_rowid=False,
    info={"distribution": "coordinator"},
)

# What anonymised customers left: of how many these facts held. Of no single one, and in no order of theirs. While a
# purge is not done what it counted so far lies apart, under its number: only what is enough comes together at its end.
anonymous_group = Table(
    "anonymous_group",
    metadata,
    Column("digest", Digest, primary_key=True, comment="SHA-256 of rule, facts and plan_id"),
    Column("rule", Text, nullable=False, comment="code of the rule of the retention policy"),
    Column("facts", JsonText, nullable=False, comment="what was left, by field; {} where too few were alike"),
    Column("customers", BigInteger, nullable=False),
    Column("plan_id", BigInteger, nullable=False, comment="0; while its purge is not done, the plan"),
    Index("ix_anonymous_group_plan_id", "plan_id"),
    sqlite_with_rowid=False,
    info={"distribution": "coordinator"},
)
