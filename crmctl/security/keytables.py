"""Tables of the key store, in a database of their own that no backup of the main data contains (security.md 2(c))."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, SmallInteger, Table, Text

from crmctl.security.keywrap import OWNER_KINDS
from crmctl.store.metadata import NAMING, UtcTime

metadata = MetaData(naming_convention=NAMING)

store_info = Table(
    "store_info",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False, comment="1: there is one row"),
    Column("format", Integer, nullable=False),
    Column("instance", LargeBinary, nullable=False, comment="the workspace it belongs to, 16 bytes"),
    Column("created_at", UtcTime, nullable=False),
)

master_epoch = Table(
    "master_epoch",
    metadata,
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("created_at", UtcTime, nullable=False),
    Column("proof", LargeBinary, nullable=False, comment="tells a wrong master key before it is used"),
    Column("wraps", BigInteger, nullable=False, comment="keys ever wrapped under it, at most 2^30"),
)

# Kinds are numbers of keywrap.OWNER_KINDS; the key order makes an import append at the end of the tree.
data_key = Table(
    "data_key",
    metadata,
    Column("owner_kind", SmallInteger, primary_key=True, autoincrement=False),
    Column("owner_id", BigInteger, primary_key=True, autoincrement=False),
    Column("generation", Integer, primary_key=True, autoincrement=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("master_epoch", Integer, nullable=False),
    sqlite_with_rowid=False,
)

index_key = Table(
    "index_key",
    metadata,
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("created_at", UtcTime, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("master_epoch", Integer, nullable=False),
)

# What is left of a destroyed key: that it is gone, when, by which plan, and the newest master key an old copy may need.
shred_receipt = Table(
    "shred_receipt",
    metadata,
    Column("reference", Text, primary_key=True, comment="the plan or batch that destroyed the keys"),
    Column("owner_kind", SmallInteger, primary_key=True, autoincrement=False),
    Column("keys", BigInteger, nullable=False),
    Column("shredded_at", UtcTime, nullable=False),
    Column("newest_master_epoch", Integer, nullable=False),
)

TABLES: Mapping[str, Table] = {table.name: table for table in metadata.sorted_tables}

__all__ = ["OWNER_KINDS", "TABLES", "data_key", "index_key", "master_epoch", "metadata", "shred_receipt", "store_info"]
