"""Imports, their quarantine, and the register of files with personal data that left the database (design §5, §8)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Table, Text

from crmctl.store.metadata import JsonText, RowNumber, Sealed, UtcTime, metadata

batch = Table(
    "batch",
    metadata,
    Column("batch_id", RowNumber, primary_key=True, autoincrement=False),
    Column("run_id", BigInteger, nullable=False, comment="the run that began it"),
    Column("state", Text, nullable=False, comment="running, interrupted, done, failed"),
    Column("source", Text, nullable=False, comment="system the external codes come from"),
    Column("mode", Text, nullable=False),
    Column("source_sha256", Text, nullable=False),
    Column("source_bytes", BigInteger, nullable=False),
    Column("options", JsonText, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Column("cursor", BigInteger, nullable=False, comment="last source row whose outcome is committed"),
    Column("chunks", Integer, nullable=False),
    Column("read", BigInteger, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("unchanged", BigInteger, nullable=False),
    Column("duplicate", BigInteger, nullable=False),
    Column("rejected", BigInteger, nullable=False),
    Column("flagged", BigInteger, nullable=False),
    Column("sealed", Sealed, nullable=False, comment="file name, header and mapping"),
    Column("kind", Text, comment="what it brings: customer (also null), order, staff"),
    Column("destroyed_at", UtcTime, comment="when its key, its rejected rows and what is sealed of it were destroyed"),
    info={"distribution": "batch_id"},
)

rejected_row = Table(
    "rejected_row",
    metadata,
    Column("batch_id", BigInteger, primary_key=True, autoincrement=False),
    Column("row_number", BigInteger, primary_key=True, autoincrement=False),
    Column("reasons", JsonText, nullable=False, comment="[{code, field, …}] without values"),
    Column("state", Text, nullable=False, comment="open, fixed, dismissed"),
    Column("sealed", Sealed, nullable=False, comment="the original cells, under the batch key"),
    info={"distribution": "batch_id"},
)
