"""Whose customers somebody may know of: the one condition that every look at customers carries (ACC-01).

A customer outside it looks like one that does not exist: the same answer, the same entry (security.md A23).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from sqlalchemy import ColumnElement, Connection, false, or_, select

from crmctl import staff
from crmctl.customers.ownership import collaborating
from crmctl.customers.tables import customer
from crmctl.errors import Refused
from crmctl.i18n import _
from crmctl.runs import run as runs
from crmctl.runs.run import Run, access_of
from crmctl.security import permissions
from crmctl.store import bulk, engine
from crmctl.store.counters import counter

UNKNOWN = "CUSTOMER_UNKNOWN"


def in_scope(run: Run) -> list[ColumnElement[bool]]:
    """Return what narrows table customer to those the person may know of; nothing for scope all.

    Own are the customers whose owner the staff register has as this person, while somebody is away those whose owner
    this person stands in for, and those on which this person is a collaborator that day; of the org unit those of the
    unit that access.yaml, else the register, gives the person. Somebody without either has none.
    """
    access = access_of(run.policies)
    scope = permissions.scope(run.actor, access, run.act)
    if scope == "all":
        return []
    columns, standing, person = customer.c, run.standing, access.people.get(run.actor.person)
    if scope == "org_unit":
        unit = (person and person.org_unit) or (standing and standing.org_unit)
        return [columns.org_unit == unit] if unit else [false()]
    if not standing or not standing.staff_ids:
        return [false()]
    day = runs.today(run.policies, run.at)
    shared = columns.customer_id.in_(collaborating(standing.staff_ids, day))
    return [or_(owned(standing.staff_ids, day), shared)]


def owned(staff_ids: Collection[int], day: date) -> ColumnElement[bool]:
    """Return the condition that a customer's owner is one of these staff, or somebody they stand in for on a day."""
    owner = customer.c.owner_id
    return or_(owner.in_(staff_ids), owner.in_(staff.represented(staff_ids, day)))


def known(conn: Connection, run: Run, numbers: Collection[int]) -> set[int]:
    """Return which of `numbers` the person may know of."""
    columns = customer.c
    query = select(columns.customer_id).where(columns.customer_id.in_(numbers), *in_scope(run))
    return set(conn.execute(query).scalars())


def require(run: Run, numbers: Collection[int]) -> None:
    """Raise Refused, noted in the log, when one of `numbers` is no customer the person may know of."""
    if not numbers:
        return
    with engine.read(run.engine) as conn:
        there = known(conn, run, numbers)
    missing = [number for number in numbers if number not in there]
    if missing:
        raise refused(run, missing[0])


def refused(run: Run, number: int) -> Refused:
    """Return, once it is noted in the log, the one answer for a customer that does not exist or is not the person's.

    The entry names a number only if one was ever given out: what is typed in its place may be a telephone number.
    """
    with engine.read(run.engine) as conn:
        query = select(counter.c.next_value).where(counter.c.name == "customer")
        given = number < (conn.execute(query).scalar_one_or_none() or 1)
    runs.record_reading(run, n=0, codes=[UNKNOWN], obj=f"customer:{number}" if given else "")
    return _none(number)


def require_there(conn: Connection, customers: Collection[int]) -> None:
    """Raise Refused for a customer that is not there any more, since somebody looked at them.

    In the transaction that writes something for them; whether the person may know of them was asked before.
    """
    rows = bulk.fetch_by_keys(conn, customer, "customer_id", customers, ("customer_id",))
    for number in sorted(set(customers).difference(row[0] for row in rows)):
        raise _none(number)


def _none(number: int) -> Refused:
    return Refused(
        _("no customer {number}").format(number=f"C-{number:06d}"),
        hint=_("see: crmctl customer list, crmctl customer find"),
        code=UNKNOWN,
    )


def owners(conn: Connection, numbers: Collection[int]) -> dict[int, int | None]:
    """Return the owner (staff id) of each customer that there is."""
    rows = bulk.fetch_by_keys(conn, customer, "customer_id", sorted(numbers), ("customer_id", "owner_id"))
    return {row[0]: row[1] for row in rows}
