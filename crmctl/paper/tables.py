"""The register of paper and media, and whom each item is about (SEC-06, DES-03, DES-06)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Table, Text

from crmctl.store.metadata import Digest, RowNumber, Sealed, UtcTime, metadata

paper_item = Table(
    "paper_item",
    metadata,
    Column("item_id", RowNumber, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False, comment="code of the use policy"),
    Column("keeper", Text, nullable=False, comment="staff number or person who has it"),
    Column("person", Text, nullable=False, comment="who registered it"),
    Column("registered_at", UtcTime, nullable=False),
    Column("moved_at", UtcTime),
    Column("gone_at", UtcTime, comment="when it was said that nothing of it is left; null while it is there"),
    Column("run_id", BigInteger, nullable=False, comment="the run that registered it; its key seals the texts"),
    Column("sealed", Sealed, comment="where it lies, and a note; null once it is gone"),
    Column("sealed_hash", Digest),
    info={"distribution": "reference"},
)

# Whom an item is about. These rows outlive their customer: what is to be destroyed by hand has to be known until it is.
paper_customer = Table(
    "paper_customer",
    metadata,
    Column("customer_id", BigInteger, primary_key=True, autoincrement=False),
    Column("item_id", BigInteger, primary_key=True, autoincrement=False),
    Column("plan_id", BigInteger, comment="the purge that destroyed the customer"),
    Column("due_on", Text, comment="day by which it is to be destroyed; null while the customer is there"),
    Column("disposed_at", UtcTime, comment="when it was said that it is destroyed"),
    Column("disposed_by", Text, comment="who said so"),
    Column("disposed_on", Text, comment="the day on which it was"),
    Column("method", Text, comment="code of the use policy"),
    Column("witness", Text, comment="staff number or person who saw it"),
    Index("ix_paper_customer_item_id", "item_id"),
    sqlite_with_rowid=False,
    info={"distribution": "reference"},
)
