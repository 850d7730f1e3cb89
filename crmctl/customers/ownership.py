"""Who looks after a customer, from when to when and why (OWN-01, OWN-03).

`customer.owner_id` is the staff id of the open row of role owner; the change of that number commits to it. A row is
written once; when it ends, the last three columns say so. The rows are kept here because an import writes them too.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import BigInteger, Column, Connection, Index, Integer, Table, Text, text

from crmctl import clock
from crmctl.runs.run import Run
from crmctl.store import bulk
from crmctl.store.metadata import JsonText, UtcTime, metadata

OWNER = "owner"
_OPEN = text("until_at IS NULL")
_OPEN_OWNER = text("until_at IS NULL AND role = 'owner'")

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

# Of a row that begins; the three columns that end it are empty.
OWNERSHIP = (
    "customer_id", "ownership_id", "staff_id", "role", "since_at", "reason", "rule", "policy", "policy_version",
    "runner_up_id", "inputs", "run_id", "ordered_by",
)  # fmt: skip


def begin(conn: Connection, run: Run, reason: str, owned: Sequence[tuple[int, int, int]]) -> None:
    """Begin, in the caller's transaction, the ownership of customers that a person or a file named the owner of.

    Each is (number of the change that sets `owner_id`, customer, staff id). It begins at the moment the run decides
    for. Raises IntegrityError where a customer has an owner.
    """
    since, run_id, person = clock.stamp(run.as_of), run.run_id, run.actor.person
    bulk.insert_rows(
        conn,
        ownership,
        OWNERSHIP,
        (
            (customer, change, staff_id, OWNER, since, reason, "", "", 0, None, "{}", run_id, person)
            for change, customer, staff_id in owned
        ),
    )
