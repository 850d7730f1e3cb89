"""Who looks after a customer, from when to when and why; books handed from one person to others (OWN-01, OWN-03)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, text

from crmctl.store.metadata import JsonText, RowNumber, UtcTime, metadata

_OPEN = text("until_at IS NULL")
_OPEN_OWNER = text("until_at IS NULL AND role = 'owner'")

# `customer.owner_id` is the staff id of the open row of role owner; the change of that number commits to it. A row is
# written once; when it ends, the last three columns say so.
ownership = Table(
    "ownership",
    metadata,
    Column("customer_id", BigInteger, primary_key=True, autoincrement=False),
    Column(
        "ownership_id",
        BigInteger,
        primary_key=True,
        autoincrement=False,
        comment="of an owner the number of the customer's change; else one of the same counter",
    ),
    Column("staff_id", BigInteger, nullable=False),
    Column("role", Text, nullable=False, comment="owner, collaborator, deputy, first_receiver"),
    Column("since_at", UtcTime, nullable=False, comment="the moment it was decided for"),
    Column("until_at", UtcTime, comment="null: it holds"),
    Column("reason", Text, nullable=False, comment="assign, take, handover, reclaim, import, manual"),
    Column("rule", Text, nullable=False, comment="where the rule stands in its policy; empty: a person decided"),
    Column("policy", Text, nullable=False, comment="name of the policy file's policy"),
    Column("policy_version", Integer, nullable=False),
    Column("runner_up_id", BigInteger, comment="staff who would have been next"),
    Column("inputs", JsonText, nullable=False, comment="loads and order at the time; nothing personal"),
    Column("run_id", BigInteger, nullable=False),
    Column("ordered_by", Text, nullable=False, comment="person, as access.yaml names them"),
    Column("ended_run_id", BigInteger),
    Column("end_reason", Text, comment="as reason, and leave, return"),
    Index(
        "ix_ownership_open_owner", "customer_id", unique=True, sqlite_where=_OPEN_OWNER, postgresql_where=_OPEN_OWNER
    ),
    Index("ix_ownership_open_staff_id", "staff_id", sqlite_where=_OPEN, postgresql_where=_OPEN),
    sqlite_with_rowid=False,
    info={"distribution": "customer_id"},
)

handover = Table(
    "handover",
    metadata,
    Column("handover_id", RowNumber, primary_key=True, autoincrement=False),
    Column("from_id", BigInteger, nullable=False, comment="staff whose customers they were"),
    Column("to_id", BigInteger, comment="staff who takes them; null: as the owners policy says"),
    Column("state", Text, nullable=False, comment="open, accepted, returned"),
    Column("reason", Text, nullable=False, comment="code: leave, move, absence, load, other"),
    Column("ordered_by", Text, nullable=False, comment="person, as access.yaml names them"),
    Column("run_id", BigInteger, nullable=False),
    Column("customers", BigInteger, nullable=False),
    Column("accepted", BigInteger, nullable=False),
    Column("returned", BigInteger, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("closed_at", UtcTime),
    info={"distribution": "reference"},
)

handover_item = Table(
    "handover_item",
    metadata,
    Column("customer_id", BigInteger, primary_key=True, autoincrement=False),
    Column("handover_id", BigInteger, primary_key=True, autoincrement=False),
    Column("from_id", BigInteger, nullable=False),
    Column("to_id", BigInteger, comment="null: nobody could take it"),
    Column("state", Text, nullable=False, comment="open, accepted, returned"),
    Column("rule", Text, nullable=False, comment="where the rule that chose stands; empty: a person chose"),
    Column("decided_at", UtcTime, comment="when it was accepted or returned"),
    Column("decided_by", Text, comment="person, as access.yaml names them"),
    Column("wecom_at", UtcTime, comment="when it was written to a WeCom transfer file"),
    sqlite_with_rowid=False,
    info={"distribution": "customer_id"},
)
