"""Holds (冻结), and the customers under each (DES-07)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, SmallInteger, Table, Text

from crmctl.store.metadata import Digest, RowNumber, Sealed, UtcTime, metadata

legal_hold = Table(
    "legal_hold",
    metadata,
    Column("hold_id", RowNumber, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False, comment="conflict, incident, audit, appeal, legal"),
    Column("everybody", SmallInteger, nullable=False, comment="1: all customers, those to come as well"),
    Column("set_by", Text, nullable=False, comment="person, as access.yaml names them"),
    Column("set_at", UtcTime, nullable=False),
    Column("review_on", Text, comment="day on which somebody is to ask whether it is still needed"),
    Column("lifted_by", Text),
    Column("lifted_at", UtcTime, comment="null: in force"),
    Column("run_id", BigInteger, nullable=False, comment="the run that set it; its key seals the texts"),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("version", Integer, nullable=False),
    Column("sealed", Sealed, nullable=False, comment="reason, authority, and why it was lifted"),
    Column("sealed_hash", Digest, nullable=False),
    info={"distribution": "reference"},
)

# A row here is a customer that is held; lifting removes it.
legal_hold_item = Table(
    "legal_hold_item",
    metadata,
    Column("customer_id", BigInteger, primary_key=True, autoincrement=False),
    Column("hold_id", BigInteger, primary_key=True, autoincrement=False),
    Column("run_id", BigInteger, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    sqlite_with_rowid=False,
    info={"distribution": "customer_id"},
)
