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

# Evaluations of use (USE-03): who judged what period how; the figures are in the entry.
use_evaluation = Table(
    "use_evaluation",
    metadata,
    Column("evaluation_id", RowNumber, primary_key=True, autoincrement=False),
    Column("person", Text, nullable=False),
    Column("since", UtcTime),
    Column("until", UtcTime, nullable=False),
    Column("need", Text, nullable=False, comment="met, exceeded: does it match the business need"),
    Column("privacy", Text, nullable=False, comment="kept, intruded: does it intrude on privacy"),
    Column("run_id", BigInteger, nullable=False),
    Column("evaluated_at", UtcTime, nullable=False),
    Column("sealed", Sealed, nullable=False, comment="the judgement in words"),
    Column("sealed_hash", Digest, nullable=False),
    info={"distribution": "reference"},
)

# Register of copies: every file with personal data that left the database, and what a purge has to ask after.
copy_register = Table(
    "copy_register",
    metadata,
    Column("copy_id", RowNumber, primary_key=True, autoincrement=False),
    Column("run_id", BigInteger, nullable=False),
    Column("batch_id", BigInteger),
    Column("kind", Text, nullable=False, comment="rejects, export, key store copy, log"),
    Column("sha256", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("person", Text, nullable=False, comment="who made it and holds it"),
    Column("made_at", UtcTime, nullable=False),
    Column("sealed", Sealed, comment="where it was written, under the key of its batch or run"),
    Column("disposed_at", UtcTime),
    Column("use_id", BigInteger, comment="the use request it was made under"),
    Column("recipient", Text, comment="code of the use policy"),
    Column("purpose", Text, comment="code of the use policy"),
    Column("fields", JsonText, comment="names of what it holds in full"),
    Column("due_on", Text, comment="day by which it is to be destroyed"),
    Column("disposed_by", Text),
    Column("bytes", BigInteger),
    info={"distribution": "reference"},
)
