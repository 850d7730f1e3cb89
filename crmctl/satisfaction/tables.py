"""What customers answered when they were asked whether they are satisfied (SAT-02, SAT-03)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, SmallInteger, Table, Text

from crmctl.store.metadata import Digest, Sealed, UtcTime, metadata

# Written once, never changed: an answer given later is another row.
satisfaction = Table(
    "satisfaction",
    metadata,
    Column("customer_id", BigInteger, primary_key=True, autoincrement=False),
    Column("satisfaction_id", BigInteger, primary_key=True, autoincrement=False),
    Column("source", Text, nullable=False, comment="revisit, survey, rating"),
    Column("related", Text, comment="what it is about: complaint"),
    Column("related_id", BigInteger),
    Column("scale", Integer, nullable=False, comment="the best score there is"),
    Column("score", Integer, comment="null: was asked and gave none"),
    Column("settled", SmallInteger, comment="1: properly settled, says the customer; 0: not; null: was not asked"),
    Column("asked_by", BigInteger, comment="staff who asked"),
    Column("answered_at", UtcTime, nullable=False),
    Column("person", Text, nullable=False, comment="who entered it, as access.yaml names them"),
    Column("run_id", BigInteger, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("sealed", Sealed, comment="what was said besides, under the customer's key"),
    Column("sealed_hash", Digest),
    sqlite_with_rowid=False,
    info={"distribution": "customer_id"},
)
