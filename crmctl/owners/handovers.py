"""Handovers as they stand: the list of them, one with its customers (OWN-03)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, or_, select

from crmctl import clock
from crmctl.customers import scope
from crmctl.customers.tables import customer
from crmctl.errors import Refused
from crmctl.i18n import N_, _
from crmctl.owners.tables import handover, handover_item
from crmctl.runs.run import Run, access_of
from crmctl.security import permissions
from crmctl.store import engine

STATES = {"open": N_("open"), "accepted": N_("accepted"), "returned": N_("given back")}
CAUSES = {
    "leave": N_("leaves"),
    "move": N_("another post"),
    "absence": N_("absence"),
    "load": N_("too many customers"),
    "other": N_("other"),
}


@dataclass(frozen=True)
class Handover:
    """A handover as its row says."""

    handover_id: int
    from_id: int
    to_id: int | None
    state: str
    reason: str
    ordered_by: str
    run_id: int
    customers: int
    accepted: int
    returned: int
    created_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True)
class Item:
    """One customer of a handover, with its tier."""

    customer_id: int
    from_id: int
    to_id: int
    state: str
    rule: str
    decided_at: datetime | None
    decided_by: str | None
    wecom_at: datetime | None
    tier: str | None


def listed(run: Run, limit: int, *, open_: bool = False) -> list[Handover]:
    """Return handovers, newest first; of somebody whose scope is not everybody those that are theirs."""
    columns = handover.c
    query = select(handover).order_by(columns.handover_id.desc()).limit(limit)
    if open_:
        query = query.where(columns.state == "open")
    with engine.read(run.engine) as conn:
        return [_handover(row) for row in conn.execute(query.where(*_mine(run))).mappings()]


def _mine(run: Run) -> list[ColumnElement[bool]]:
    if permissions.scope(run.actor, access_of(run.policies), run.act) == "all":
        return []
    own = run.standing.staff_ids if run.standing else ()
    items = handover_item.c
    given = select(items.handover_id).where(items.to_id.in_(own))
    return [or_(handover.c.from_id.in_(own), handover.c.handover_id.in_(given))]


def find(conn: Connection, run: Run, number: int) -> Handover:
    """Return a handover. Raises Refused when there is none of that number, or it is none of the person's."""
    query = select(handover).where(handover.c.handover_id == number, *_mine(run))
    row = conn.execute(query).mappings().first()
    if row is None:
        raise Refused(
            _("there is no handover {number}").format(number=number),
            hint=_("see: crmctl owner handover list"),
            code="HANDOVER_UNKNOWN",
        )
    return _handover(row)


def _handover(row: Mapping[Any, Any]) -> Handover:
    return Handover(**{name: row[name] for name in Handover.__dataclass_fields__})


def items(conn: Connection, run: Run, number: int) -> list[Item]:
    """Return the customers of a handover of whom the person may know, by number."""
    columns = handover_item.c
    query = (
        select(handover_item, customer.c.tier)
        .join_from(handover_item, customer, columns.customer_id == customer.c.customer_id)
        .where(columns.handover_id == number, *scope.in_scope(run))
        .order_by(columns.customer_id)
    )
    return [Item(**{name: row[name] for name in Item.__dataclass_fields__}) for row in conn.execute(query).mappings()]


def row_of(run: Run, each: Handover) -> tuple[Any, ...]:
    """Return one line of the list."""
    closed = clock.local(each.closed_at, run.zone) if each.closed_at else None
    return (
        each.handover_id, clock.local(each.created_at, run.zone), each.from_id, each.to_id, each.reason,
        each.customers, each.accepted, each.returned, each.state, each.ordered_by, each.run_id, closed,
    )  # fmt: skip


def item_rows(run: Run, found: Sequence[Item]) -> list[tuple[Any, ...]]:
    """Return the customers of a handover as rows."""

    def local(moment: datetime | None) -> str | None:
        return clock.local(moment, run.zone) if moment else None

    return [
        (
            each.customer_id, each.tier, each.to_id, each.state, each.rule, local(each.decided_at), each.decided_by,
            local(each.wecom_at),
        )
        for each in found
    ]  # fmt: skip
