"""Requests to use customer information, records of its use, and the register of copies (USE-01, USE-02, ACC-06)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Table, Text

from crmctl.store.metadata import Digest, JsonText, RowNumber, Sealed, UtcTime, metadata

use_request = Table(
    "use_request",
    metadata,
    Column("use_id", RowNumber, primary_key=True, autoincrement=False),
    Column("act", Text, nullable=False, comment="customer.export, …"),
    Column("person", Text, nullable=False, comment="who asks, as access.yaml names them"),
    Column("purpose", Text, nullable=False, comment="code of the use policy"),
    Column("manner", Text, nullable=False, comment="code of the use policy: how it is used"),
    Column("responsible", Text, nullable=False, comment="staff number or person who answers for it"),
    Column("recipient", Text, nullable=False, comment="code of the use policy"),
    Column("fields", JsonText, nullable=False, comment="names of what is asked for in full"),
    Column("selection", JsonText, nullable=False, comment="filters, codes only"),
    Column("rows", BigInteger, nullable=False, comment="how many customers the selection had"),
    Column("hash", Text, nullable=False, comment="of all of the above: what an approval is bound to"),
    Column("state", Text, nullable=False, comment="open, used, closed"),
    Column("approval_id", BigInteger),
    Column("run_id", BigInteger, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("sealed", Sealed, nullable=False, comment="why it is needed, in words"),
    Column("sealed_hash", Digest, nullable=False),
    info={"distribution": "reference"},
)

# Who used what for which purpose, with which result (USE-02). Written when something is disclosed; the result later.
use_record = Table(
    "use_record",
    metadata,
    Column("record_id", RowNumber, primary_key=True, autoincrement=False),
    Column("use_id", BigInteger, comment="the request it was done under"),
    Column("person", Text, nullable=False),
    Column("act", Text, nullable=False, comment="customer.export, customer.reveal, …"),
    Column("purpose", Text, nullable=False),
    Column("recipient", Text),
    Column("rows", BigInteger, nullable=False),
    Column("run_id", BigInteger, nullable=False),
    Column("used_at", UtcTime, nullable=False),
    Column("result", Text, comment="code of the use policy"),
    Column("result_at", UtcTime),
    Column("sealed", Sealed, comment="the result in words"),
    Column("sealed_hash", Digest),
    info={"distribution": "reference"},
)

# Files with customer data that left the database: what a purge has to ask after (register of copies).
disclosed_copy = Table(
    "disclosed_copy",
    metadata,
    Column("copy_id", RowNumber, primary_key=True, autoincrement=False),
    Column("act", Text, nullable=False, comment="customer.export, batch.rejects, audit.export"),
    Column("person", Text, nullable=False, comment="who holds it"),
    Column("run_id", BigInteger, nullable=False),
    Column("use_id", BigInteger),
    Column("batch_id", BigInteger, comment="of which batch its rows are"),
    Column("recipient", Text),
    Column("purpose", Text),
    Column("fields", JsonText, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("due_on", Text, comment="day by which it is to be destroyed"),
    Column("destroyed_on", Text),
    Column("destroyed_by", Text),
    info={"distribution": "reference"},
)
