"""Who looks after a customer, from when to when and why (OWN-01, OWN-03).

`customer.owner_id` is the staff id of the open row of role owner; the change of that number commits to it. A row is
written once; when it ends, the last three columns say so. The rows are kept here because an import writes them too.
Besides the owner a customer may have collaborators, each until a person ends it, or until its last day has passed:
that is derived, and nothing is written when it does.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    Select,
    Table,
    Text,
    literal_column,
    or_,
    select,
    text,
)

from crmctl import clock
from crmctl.runs.run import Run, today
from crmctl.store import bulk
from crmctl.store.metadata import JsonText, UtcTime, metadata

OWNER, COLLABORATOR = "owner", "collaborator"
_OPEN_OWNER = text("until_at IS NULL AND role = 'owner'")
_OPEN_COLLABORATOR = text("until_at IS NULL AND role = 'collaborator'")

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
    Column(
        "until_on", Text, comment="last day of a collaborator (YYYY-MM-DD), over by itself; null: until it is ended"
    ),
    Index(
        "ix_ownership_open_owner", "customer_id", unique=True, sqlite_where=_OPEN_OWNER, postgresql_where=_OPEN_OWNER
    ),
    Index(
        "ix_ownership_open_collaborator",
        "staff_id",
        "customer_id",
        sqlite_where=_OPEN_COLLABORATOR,
        postgresql_where=_OPEN_COLLABORATOR,
    ),
    sqlite_with_rowid=False,
    info={"distribution": "customer_id"},
)

# Of a row that begins; the columns that end it are empty.
OWNERSHIP = (
    "customer_id", "ownership_id", "staff_id", "role", "since_at", "reason", "rule", "policy", "policy_version",
    "runner_up_id", "inputs", "run_id", "ordered_by",
)  # fmt: skip
COLLABORATION = (*OWNERSHIP, "until_on")
# Written out and not bound, so that either database sees that the partial index holds the rows asked for.
_COLLABORATES = ownership.c.role == literal_column("'collaborator'")


def begin(conn: Connection, run: Run, reason: str, owned: Sequence[tuple[int, int, int]]) -> None:
    """Begin, in the caller's transaction, the ownership of customers that a person or a file named the owner of.

    Each is (number of the change that sets `owner_id`, customer, staff id). It begins at the moment the run decides
    for; who was a collaborator is one no more. Raises IntegrityError where a customer has an owner.
    """
    since, run_id, person = clock.stamp(run.as_of), run.run_id, run.actor.person
    supersede(conn, run, {customer: (staff_id, reason) for _change, customer, staff_id in owned})
    bulk.insert_rows(
        conn,
        ownership,
        OWNERSHIP,
        (
            (customer, change, staff_id, OWNER, since, reason, "", "", 0, None, "{}", run_id, person)
            for change, customer, staff_id in owned
        ),
    )


def collaborating(staff_ids: Collection[int], day: date) -> Select[tuple[int]]:
    """Return the question on which customers any of these staff is a collaborator on a day."""
    columns = ownership.c
    return select(columns.customer_id).where(
        columns.staff_id.in_(staff_ids),
        _COLLABORATES,
        columns.until_at.is_(None),
        or_(columns.until_on.is_(None), columns.until_on >= day.isoformat()),
    )


def join(
    conn: Connection, run: Run, reason: str, joined: Sequence[tuple[int, int, int]], until_on: date | None
) -> None:
    """Begin, in the caller's transaction, collaborations: each (number of the row, customer, staff id).

    `until_on` is the last day of all of them; None is until somebody ends it. The caller has seen to it that nobody
    is the owner, or a collaborator already.
    """
    since, run_id, person = clock.stamp(run.as_of), run.run_id, run.actor.person
    last = None if until_on is None else until_on.isoformat()
    bulk.insert_rows(
        conn,
        ownership,
        COLLABORATION,
        (
            (customer, number, staff_id, COLLABORATOR, since, reason, "", "", 0, None, "{}", run_id, person, last)
            for number, customer, staff_id in joined
        ),
    )


def supersede(conn: Connection, run: Run, owners: Mapping[int, tuple[int, str]]) -> None:
    """End the collaboration of whoever becomes the owner: by customer the new owner (staff id) and the reason.

    Nobody is both, and whoever loses the customer later does not keep it by a row from before.
    """
    columns = ownership.c
    # In the order of the index of open collaborations, so that none is found without reading the owners' rows.
    held = select(columns.staff_id).where(_COLLABORATES, columns.until_at.is_(None)).order_by(columns.staff_id).limit(1)
    if not owners or conn.execute(held).first() is None:
        return
    read = ("customer_id", "ownership_id", "staff_id", "until_at", "until_on")
    day = today(run.policies, run.as_of).isoformat()  # one whose last day has passed is over as it was written
    rows = bulk.fetch_by_keys(conn, ownership, "customer_id", [*owners], read, extra={"role": (COLLABORATOR,)})
    finish(
        conn,
        run,
        [
            (number, own, owners[number][1])
            for number, own, staff_id, ended, last in rows
            if ended is None and staff_id == owners[number][0] and (last is None or last >= day)
        ],
    )


def finish(conn: Connection, run: Run, ended: Sequence[tuple[int, int, str]]) -> None:
    """End open rows at the moment the run decides for: each (customer, number of the row, reason)."""
    until = clock.stamp(run.as_of)
    closing = [(customer, own, until, run.run_id, reason) for customer, own, reason in ended]
    bulk.update_rows(
        conn, ownership, ("customer_id", "ownership_id"), ("until_at", "ended_run_id", "end_reason"), closing
    )
