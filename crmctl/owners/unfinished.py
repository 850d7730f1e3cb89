"""A handover that a killed run began: typed again, the same command goes on with it, and gives out no more than once.

Which command it was is kept as `handover.asked`: everything, a share of the book, or customers by the hash of their
numbers, and until when the former owner stays. What is done is in the items.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256

from sqlalchemy import Connection, select

from crmctl.customers.tables import customer
from crmctl.owners.tables import handover, handover_item
from crmctl.runs import tables as runs
from crmctl.staff import Staff

EVERYTHING = "all"


@dataclass(frozen=True)
class Begun:
    """A handover as far as it came: its number, and by customer who took over and the tier."""

    handover_id: int
    items: Mapping[int, tuple[int, str]] = field(default_factory=dict)


def asked(customers: Iterable[int], share: int | None, stay_until: date | None = None) -> str:
    """Return what is kept of what was asked for, so that the same command is known again."""
    stays = "" if stay_until is None else f" stay:{stay_until.isoformat()}"
    numbers = sorted(set(customers))
    if numbers:
        return f"some:{sha256(','.join(map(str, numbers)).encode()).hexdigest()}{stays}"
    return (EVERYTHING if share is None else f"share:{share}") + stays


def begun(conn: Connection, giver: Staff, receiver: Staff | None, wanted: str, reason: str) -> Begun | None:
    """Return the giver's newest handover when its run did not end and it was asked for the same; else None.

    Whoever calls holds the lock of owners, so that a run that has not ended is at work no more.
    """
    columns = handover.c
    query = (
        select(columns.handover_id, columns.to_id, columns.asked, columns.reason, columns.state, runs.run.c.state)
        .join_from(handover, runs.run, runs.run.c.run_id == columns.run_id)
        .where(columns.from_id == giver.staff_id)
        .order_by(columns.handover_id.desc())
        .limit(1)
    )
    row = conn.execute(query).first()
    to = None if receiver is None else receiver.staff_id
    if row is None or row[5] == "done" or tuple(row[1:5]) != (to, wanted, reason, "open"):
        return None
    items = handover_item.c
    done = (
        select(items.customer_id, items.to_id, customer.c.tier)
        .join_from(handover_item, customer, customer.c.customer_id == items.customer_id)
        .where(items.handover_id == row[0])
    )
    return Begun(row[0], {number: (taker, tier or "") for number, taker, tier in conn.execute(done)})
