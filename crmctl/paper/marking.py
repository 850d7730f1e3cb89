"""What is about the destroyed becomes due: to be destroyed by hand, by a day (DES-06).

Done again it changes nothing, so that a purge that was killed does it once more; and so does a restored database that
is brought in line with what was destroyed since.
"""

from __future__ import annotations

import contextlib
from bisect import bisect_left
from collections.abc import Sequence
from datetime import date, timedelta

from sqlalchemy import ColumnElement, Connection, select, update

from crmctl import clock
from crmctl.audit import entries
from crmctl.errors import InvalidInput
from crmctl.paper.tables import paper_customer
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.store import bulk, engine
from crmctl.use.policy import UseSettings

_AT_ONCE = 10_000  # customers in one transaction


def mark(run: Run, customers: Sequence[int], plan: int) -> None:
    """Make due what is about these customers, ascending, whom a plan destroys; before anything of them is gone."""
    with engine.read(run.engine) as conn:
        known = _known(conn, customers)
    for start in range(0, len(known), _AT_ONCE):
        with engine.write(run.engine) as conn:
            if number := make_due(conn, run, known[start : start + _AT_ONCE], plan):
                obj = f"plan:{plan}"
                entries.append(conn, run.entry("done", act="purge.paper", at=clock.now(), obj=obj, n=number))


def make_due(conn: Connection, run: Run, customers: Sequence[int], plan: int | None = None) -> int:
    """Make due in the caller's transaction what is about these customers; return how many times an item is.

    Without a plan in a database that is older than the purge.
    """
    these = bulk.among(conn, paper_customer.c.customer_id, customers)
    values = {"plan_id": plan, "due_on": due_on(run)}
    return int(conn.execute(update(paper_customer).where(these, *_open()).values(**values)).rowcount)


def due_on(run: Run) -> str:
    """Return the day by which paper has to go whose customer is destroyed now: today while nothing else is decided."""
    day, days = runs.today(run.policies, run.at), 0
    with contextlib.suppress(InvalidInput):  # a purge goes on without a use policy in force
        settings = run.policies.settings("use", at=day)
        assert isinstance(settings, UseSettings)
        if settings.paper_for is not None:
            days = int(run.policies.figure(settings.paper_for) or 0)
    try:
        return (day + timedelta(days=days)).isoformat()
    except OverflowError:  # what has no end does not stop a purge that has begun
        return date.max.isoformat()


def _open() -> tuple[ColumnElement[bool], ...]:
    return paper_customer.c.due_on.is_(None), paper_customer.c.disposed_at.is_(None)


def _known(conn: Connection, customers: Sequence[int]) -> list[int]:
    """Return those of the customers, who may be millions, whom an item is about that is not due yet."""
    column = paper_customer.c.customer_id
    found = conn.execute(select(column).where(*_open()).distinct().order_by(column)).scalars()
    return [number for number in found if _has(customers, number)]


def _has(customers: Sequence[int], number: int) -> bool:
    at = bisect_left(customers, number)
    return at < len(customers) and customers[at] == number
