"""Books handed from one person to others (OWN-03). Who looks after a customer is in `customers.ownership`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Table, Text

from crmctl.store.metadata import RowNumber, UtcTime, metadata

handover = Table(
    "handover",
    metadata,
    Column("handover_id", RowNumber, primary_key=True, autoincrement=False),
    Column("from_id", BigInteger, nullable=False, comment="staff whose customers they were"),
    Column("to_id", BigInteger, comment="staff who takes them; null: as the owners policy says"),
    Column("state", Text, nullable=False, comment="open, accepted, returned"),
    Column("reason", Text, nullable=False, comment="code: leave, move, absence, load, other"),
    Column(
        "asked",
        Text,
        nullable=False,
        comment="all, share:PER CENT, some:SHA-256 of their numbers; then stay:DAY",
    ),
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
