"""Executions of commands, and the number ranges they have taken but not yet used."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Table, Text

from crmctl.store.metadata import JsonText, RowNumber, UtcTime, metadata

run = Table(
    "run",
    metadata,
    Column("run_id", RowNumber, primary_key=True, autoincrement=False),
    Column("command", Text, nullable=False),
    Column("person", Text, nullable=False, comment="who, as access.yaml names them"),
    Column("uid", BigInteger, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Column("state", Text, nullable=False, comment="running, done, refused, failed, interrupted"),
    Column("exit_code", Integer),
    Column("as_of", UtcTime),
    Column("policy_hash", Text, nullable=False, comment="of the policy set in force"),
    Column("counts", JsonText),
    info={"distribution": "run_id"},
)

# Numbers are taken before keys and rows are written. What a killed run took but never used stays listed here, so that
# `batch resume` can remove the data keys it made for nobody.
reservation = Table(
    "reservation",
    metadata,
    Column("run_id", BigInteger, primary_key=True, autoincrement=False),
    Column("chunk", Integer, primary_key=True, autoincrement=False),
    Column("batch_id", BigInteger, nullable=False),
    Column("first_customer", BigInteger, nullable=False),
    Column("customers", Integer, nullable=False),
    info={"distribution": "run_id"},
)

# The text of every policy set that ever decided something, once.
policy_version = Table(
    "policy_version",
    metadata,
    Column("policy_hash", Text, primary_key=True),
    Column("first_seen_at", UtcTime, nullable=False),
    Column("text", Text, nullable=False, comment="the files of the set, one JSON object"),
    info={"distribution": "reference"},
)

# A saved plan: the exact set a run will change (design §5). `hash` covers every item, so that what is applied is what
# was looked at.
plan = Table(
    "plan",
    metadata,
    Column("plan_id", RowNumber, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False, comment="the act it plans: tier.regrade, …"),
    Column("run_id", BigInteger, nullable=False, comment="the run that made it"),
    Column("person", Text, nullable=False),
    Column("state", Text, nullable=False, comment="open, applying, applied; reported, replaced"),
    Column("hash", Text, nullable=False),
    Column("policy_hash", Text, nullable=False),
    Column("as_of", UtcTime, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("items", BigInteger, nullable=False),
    Column("summary", JsonText, nullable=False),
    Column("applied_run_id", BigInteger),
    Column("cursor", BigInteger, nullable=False, comment="last customer whose item is applied"),
    info={"distribution": "reference"},
)

plan_item = Table(
    "plan_item",
    metadata,
    Column("customer_id", BigInteger, primary_key=True, autoincrement=False),
    Column("plan_id", BigInteger, primary_key=True, autoincrement=False),
    Column("action", Text, nullable=False, comment="what is done to the customer"),
    Column("before", Text, comment="what it must still be when the plan is applied"),
    Column("after", Text),
    Column("detail", JsonText, nullable=False),
    sqlite_with_rowid=False,
    info={"distribution": "customer_id"},
)

# Which installation this database belongs to: the workspace, the key store and the database must agree.
installation = Table(
    "installation",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("instance", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    info={"distribution": "reference"},
)

# Refused attempts of the last minute that repeat one the log has already: counted here, then written in one entry.
denial = Table(
    "denial",
    metadata,
    Column("person", Text, primary_key=True),
    Column("uid", BigInteger, primary_key=True, autoincrement=False),
    Column("act", Text, primary_key=True),
    Column("code", Text, primary_key=True, comment="why it was refused"),
    Column(
        "obj", Text, primary_key=True, comment="what it was about, as the entry has it; empty: nothing in particular"
    ),
    Column("via", Text, nullable=False),
    Column("first_at", UtcTime, nullable=False),
    Column("repeated", BigInteger, nullable=False, comment="how often since, without an entry yet"),
    sqlite_with_rowid=False,
    info={"distribution": "coordinator"},
)
