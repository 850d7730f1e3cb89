"""Backups that were made, where they lie, and when they were last seen whole (SEC-02)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Table, Text

from crmctl.store.metadata import Digest, JsonText, RowNumber, UtcTime, metadata

backup = Table(
    "backup",
    metadata,
    Column("backup_id", RowNumber, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False, comment="data, keys"),
    Column("state", Text, nullable=False, comment="made, verified, failed, removed"),
    Column("location", Text, nullable=False, comment="the folder it was written to"),
    Column("made_at", UtcTime, nullable=False),
    Column("run_id", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("manifest_hash", Digest, nullable=False, comment="SHA-256 of the manifest, which names every part"),
    Column("log_size", BigInteger, nullable=False, comment="entries of the log it holds"),
    Column("master_epoch", Integer, nullable=False, comment="the newest master key when it was made"),
    Column("counts", JsonText, nullable=False, comment="rows by table, or keys by owner"),
    Column("verified_at", UtcTime, comment="when it was last read to the end and found whole"),
    Column("removed_at", UtcTime),
    info={"distribution": "coordinator"},
)
