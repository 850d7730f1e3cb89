"""What was asked to be approved, and who decided how (USE-01)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Table, Text

from crmctl.store.metadata import Digest, RowNumber, Sealed, UtcTime, metadata

approval = Table(
    "approval",
    metadata,
    Column("approval_id", RowNumber, primary_key=True, autoincrement=False),
    Column("act", Text, nullable=False, comment="the act asked for, as access.yaml names it"),
    Column("subject", Text, nullable=False, comment="what is to be done: plan:12, use:3"),
    Column("subject_hash", Text, nullable=False, comment="of exactly that; another hash is another subject"),
    Column("rows", BigInteger, nullable=False, comment="how many records it concerns"),
    Column("requested_by", Text, nullable=False, comment="person, as access.yaml names them"),
    Column("run_id", BigInteger, nullable=False, comment="the run that asked"),
    Column("state", Text, nullable=False, comment="open, approved, rejected, revoked, used"),
    Column("people", Integer, nullable=False, comment="how many must agree"),
    Column("assurance", Text, nullable=False, comment="least assurance: recorded, authenticated, signed"),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("used_at", UtcTime),
    Column("used_run_id", BigInteger),
    Column(
        "barred", Text, comment="people who may not decide, as access.yaml names them, or staff:NUMBER; space-separated"
    ),
    info={"distribution": "reference"},
)

# A decision is never changed; taking one back is another decision.
approval_decision = Table(
    "approval_decision",
    metadata,
    Column("approval_id", BigInteger, primary_key=True, autoincrement=False),
    Column("decision_id", Integer, primary_key=True, autoincrement=False, comment="1, 2, 3 … of the approval"),
    Column("decision", Text, nullable=False, comment="approve, reject, revoke"),
    Column("person", Text, nullable=False, comment="who decided: of access.yaml, or staff:NUMBER"),
    Column("for_person", Text, comment="for whom, where a deputy decided"),
    Column("assurance", Text, nullable=False, comment="recorded, authenticated, signed"),
    Column("entered_by", Text, nullable=False, comment="person at the keyboard"),
    Column("run_id", BigInteger, nullable=False),
    Column("document", Text, comment="number of the paper or OA flow it was decided in"),
    Column("statement", Text, comment="the exact text that was signed"),
    Column("signature", Text, comment="SSH signature of the statement"),
    Column("signers_hash", Text, comment="SHA-256 of the allowed signers it was checked against"),
    Column("document_id", BigInteger, comment="owner of the key that the sealed is under"),
    Column("sealed", Sealed, comment="scan of the paper and the reason given"),
    Column("sealed_hash", Digest),
    Column("decided_at", UtcTime, nullable=False),
    sqlite_with_rowid=False,
    info={"distribution": "reference"},
)
