"""`owner handover accept|return`: who takes over says so, or gives customers back (OWN-03).

What is given back goes to whoever had it, as long as that person may own customers; else it is without an owner and
lies in its pool.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, select, update

from crmctl import clock
from crmctl.audit import entries
from crmctl.customers.ownership import ownership
from crmctl.customers.tables import customer
from crmctl.errors import Refused
from crmctl.i18n import _
from crmctl.owners.applying import Applied, Move, apply, chunks
from crmctl.owners.bench import bench
from crmctl.owners.handovers import find
from crmctl.owners.tables import handover, handover_item
from crmctl.runs import run as runs
from crmctl.runs.run import Run, access_of
from crmctl.security import permissions, serverrights
from crmctl.store import bulk, engine

ACCEPTED, RETURNED, OPEN = "accepted", "returned", "open"


@dataclass(frozen=True)
class Closed:
    """What became of a handover: how many customers were accepted or given back just now, to whom, what is open."""

    run_id: int | None
    handover_id: int
    accepted: int
    returned: int
    missed: int
    back_to: int | None
    state: str
    open: int


def accept(run: Run, number: int, customers: Collection[int]) -> Closed:
    """Record that open items are taken over: one's own, of everybody where one's scope is everybody.

    Raises Refused when there is nothing of one's own to accept.
    """
    wanted = _open_items(run, number, customers)
    if run.dry_run:
        return Closed(None, number, len(wanted), 0, 0, None, OPEN, len(wanted))
    run = runs.begin(run)
    with runs.recorded_failure(run), engine.write(run.engine) as conn:
        _settle(conn, run, number, [item[0] for item in wanted], ACCEPTED)
        state, still = _close(conn, number)
        counts = {"accepted": len(wanted)}
        runs.finish(conn, run, "done", 0, counts)
        entries.append(conn, run.entry("done", at=clock.now(), obj=f"handover:{number}", counts=counts))
    return Closed(run.run_id, number, len(wanted), 0, 0, None, state, still)


def give_back(run: Run, number: int, customers: Collection[int], *, pool: bool = False) -> Closed:
    """Give open items back to whoever had them; without an owner where that person may own none, or with `pool`.

    A customer whose owner somebody else changed meanwhile stays, and its item open (`missed`). Raises as `accept`.
    """
    serverrights.require_every_row(run, customer.name)
    wanted = _open_items(run, number, customers)
    with engine.read(run.engine) as conn:
        people = bench(conn, run)
    givers = {giver for _customer, giver, _to in wanted}
    back = {giver: None if pool or people.problems(giver) else giver for giver in givers}
    moves = [Move(each, to, back[giver], "return") for each, giver, to in wanted]
    one = next(iter(back.values())) if len(back) == 1 else None
    if run.dry_run:
        return Closed(None, number, 0, len(moves), 0, one, OPEN, len(moves))
    run = runs.begin(run)
    with runs.recorded_failure(run):
        applied, left = Applied(), (OPEN, len(moves))
        for chunk in chunks(iter(moves)):
            if run.held is not None:
                run.held.check()

            def note(conn: Connection, chunk: Sequence[Move] = chunk) -> None:
                nonlocal left
                _settle(conn, run, number, _moved(conn, run, chunk), RETURNED)
                left = _close(conn, number)  # with the last of them: no run that is killed leaves it open

            apply(run, chunk, applied, note)
        with engine.write(run.engine) as conn:
            counts = {"returned": applied.changed, "missed": applied.missed}
            runs.finish(conn, run, "done", 0, counts)
            entries.append(conn, run.entry("done", at=clock.now(), obj=f"handover:{number}", counts=counts))
    state, still = left
    return Closed(run.run_id, number, 0, applied.changed, applied.missed, one, state, still)


def _open_items(run: Run, number: int, customers: Collection[int]) -> list[tuple[int, int, int]]:
    """Return (customer, giver, receiver) of what the person may decide about; raises Refused where that is nothing."""
    columns = handover_item.c
    conditions: list[ColumnElement[bool]] = [columns.handover_id == number, columns.state == OPEN]
    if permissions.scope(run.actor, access_of(run.policies), run.act) != "all":
        conditions.append(columns.to_id.in_(run.standing.staff_ids if run.standing else ()))
    query = select(columns.customer_id, columns.from_id, columns.to_id).where(*conditions)
    with engine.read(run.engine) as conn:
        find(conn, run, number)
        found = [(int(row[0]), int(row[1]), int(row[2])) for row in conn.execute(query.order_by(columns.customer_id))]
    if customers:
        found = [item for item in found if item[0] in customers]
    missing = set(customers) - {item[0] for item in found}
    if missing or not found:
        raise Refused(
            _("handover {number}: nothing of yours is open there").format(number=number)
            if not missing
            else _("handover {number}: not open there, or not yours: {customers}").format(
                number=number, customers=", ".join(f"C-{each:06d}" for each in sorted(missing)[:5])
            ),
            hint=_("see: crmctl owner handover show {number}").format(number=number),
            code="NOTHING_OPEN",
        )
    return found


def _moved(conn: Connection, run: Run, chunk: Sequence[Move]) -> list[int]:
    """Return those of a chunk whose owner this run did change."""
    wanted = [move.customer_id for move in chunk]
    extra = {"ended_run_id": (run.run_id,)}
    return [row[0] for row in bulk.fetch_by_keys(conn, ownership, "customer_id", wanted, ("customer_id",), extra=extra)]


def _settle(conn: Connection, run: Run, number: int, customers: Sequence[int], state: str) -> None:
    rows: list[tuple[Any, ...]] = [
        (each, number, state, clock.stamp(run.at), run.actor.person) for each in sorted(set(customers))
    ]
    keys = ("customer_id", "handover_id")
    bulk.update_rows(conn, handover_item, keys, ("state", "decided_at", "decided_by"), rows)


def _close(conn: Connection, number: int) -> tuple[str, int]:
    """Count a handover's items anew, and close it when none is open; return its state and how many are."""
    columns = handover_item.c
    count = [func.count(case((columns.state == state, 1))) for state in (OPEN, ACCEPTED, RETURNED)]
    row = conn.execute(select(*count).where(columns.handover_id == number)).one()
    still, accepted, returned = (int(value) for value in row)
    state = OPEN if still else ACCEPTED if accepted else RETURNED
    values = {"accepted": accepted, "returned": returned, "state": state, "closed_at": None if still else clock.now()}
    conn.execute(update(handover).where(handover.c.handover_id == number).values(**values))
    return state, still
