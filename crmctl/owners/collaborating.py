"""`owner collaborator add|end`: who works on a customer beside its owner (协作人).

The owner stays the one who answers (OWN-01): a collaborator sees the customer and counts in nobody's load. One with a
last day is over by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, select

from crmctl import clock, staff
from crmctl.audit import entries
from crmctl.customers import ended, scope
from crmctl.customers import ownership as owning
from crmctl.customers.model import PUT_AWAY
from crmctl.customers.ownership import COLLABORATOR, ownership
from crmctl.customers.tables import customer
from crmctl.errors import InvalidInput, Refused
from crmctl.i18n import _
from crmctl.owners.bench import CANCELLED, NO_CUSTOMER, bench, said
from crmctl.runs import run as runs
from crmctl.runs.run import Run, access_of
from crmctl.security import permissions
from crmctl.staff import Staff
from crmctl.store import counters, engine


@dataclass(frozen=True)
class Collaboration:
    """Who works on which customer beside its owner; `until_on` is the last day, None until it is ended."""

    run_id: int | None
    customer_id: int
    person: Staff
    until_on: date | None


def add(run: Run, number: int, reference: str, until_on: date | None) -> Collaboration:
    """Make somebody a collaborator on a customer, or say so (`run.dry_run`).

    Raises InvalidInput for a last day that has passed; Refused for a customer that is not the person's, the owner, a
    collaborator already, or somebody who may own nobody (OWN-05).
    """
    require_to_come(run, until_on, "--until")
    with engine.read(run.engine) as conn:
        people, person = bench(conn, run), staff.find(conn, reference)
        _require_say(conn, run, number)
        problems = people.problems(person.staff_id)
        if problems:
            told = ", ".join(map(said, problems))
            raise Refused(
                _("{number}: may not own customers: {reasons}").format(number=person.number, reasons=told),
                hint=_("see: crmctl staff list --problems"),
                code=problems[0],
            )
        _require_free(conn, run, number, person)
        _require_another(run, person)
    if run.dry_run:
        return Collaboration(None, number, person, until_on)
    run = runs.begin(run)
    with runs.recorded_failure(run), engine.write(run.engine) as conn:
        _require_free(conn, run, number, person, locked=True)  # an import may have made an owner since
        owning.join(conn, run, "manual", [(counters.take(conn, "change"), number, person.staff_id)], until_on)
        _record(conn, run, number, person, "added")
    return Collaboration(run.run_id, number, person, until_on)


def end(run: Run, number: int, reference: str) -> Collaboration:
    """End somebody's collaboration on a customer, or say so (`run.dry_run`). Raises Refused where there is none."""
    with engine.read(run.engine) as conn:
        person = staff.find(conn, reference)
        _require_say(conn, run, number)
        held = _held(conn, run, number, person)
    if held is None:
        raise Refused(
            _("{customer}: {number} is no collaborator").format(customer=_text(number), number=person.number),
            hint=_("see: crmctl owner history {customer}").format(customer=_text(number)),
            code="NO_COLLABORATOR",
        )
    own, until_on = held
    if run.dry_run:
        return Collaboration(None, number, person, until_on)
    run = runs.begin(run)
    with runs.recorded_failure(run), engine.write(run.engine) as conn:
        owning.finish(conn, run, [(number, own, "manual")])
        _record(conn, run, number, person, "ended")
    return Collaboration(run.run_id, number, person, until_on)


def require_to_come(run: Run, day: date | None, option: str) -> None:
    """Raise InvalidInput for a last day that has passed."""
    if day is not None and day < runs.today(run.policies, run.at):
        raise InvalidInput(
            _("{option} {day}: has passed").format(option=option, day=day.isoformat()), hint=_("name a day to come")
        )


def _require_say(conn: Connection, run: Run, number: int) -> None:
    """Raise Refused for a customer the person may not know of, or, with scope own, has no say about.

    Whoever is only a collaborator oneself brings in nobody else: that is the owner's, or whoever stands in for the
    owner.
    """
    if number not in scope.known(conn, run, (number,)):
        raise scope.refused(run, number)
    if permissions.scope(run.actor, access_of(run.policies), run.act) != "own":
        return
    mine = run.standing.staff_ids if run.standing else ()
    own = scope.owned(mine, runs.today(run.policies, run.at))
    if conn.execute(select(customer.c.customer_id).where(customer.c.customer_id == number, own)).first() is None:
        raise Refused(
            _("{customer}: its owner says who works on it").format(customer=_text(number)),
            hint=_("see: crmctl owner history {customer}").format(customer=_text(number)),
            code="NOT_THE_OWNER",
        )


def _require_another(run: Run, person: Staff) -> None:
    """Raise Refused for oneself, with scope own: whoever only stands in would keep the customer when that is over."""
    mine = run.standing.staff_ids if run.standing else ()
    if person.staff_id in mine and permissions.scope(run.actor, access_of(run.policies), run.act) == "own":
        raise Refused(
            _("{number}: that is you, who owns the customer or stands in for the owner").format(number=person.number),
            hint=_("its owner, or whose scope is everybody, makes you a collaborator"),
            code="ONESELF",
        )


def _require_free(conn: Connection, run: Run, number: int, person: Staff, *, locked: bool = False) -> None:
    """Raise Refused for a customer that is cancelled, and for its owner or one who is a collaborator already.

    A `locked` customer gets no owner meanwhile: whoever gives it one waits, and then ends this collaboration.
    """
    query = select(customer.c.owner_id, customer.c.status).where(customer.c.customer_id == number)
    owner, status = conn.execute(query.with_for_update() if locked else query).one()
    if status == PUT_AWAY:
        raise ended.put_away(number)
    if status in NO_CUSTOMER:
        told = _("{customer}: is cancelled") if status == CANCELLED else _("{customer}: nobody knows yet who that is")
        raise Refused(told.format(customer=_text(number)), code="CUSTOMER_CANCELLED")
    if owner == person.staff_id:
        raise Refused(
            _("{customer}: {number} is the owner").format(customer=_text(number), number=person.number), code="IS_OWNER"
        )
    if _held(conn, run, number, person) is not None:
        raise Refused(
            _("{customer}: {number} is a collaborator already").format(customer=_text(number), number=person.number),
            hint=_("for another last day end it first: crmctl owner collaborator end {customer} {number}").format(
                customer=_text(number), number=person.number
            ),
            code="COLLABORATOR_ALREADY",
        )


def _held(conn: Connection, run: Run, number: int, person: Staff) -> tuple[int, date | None] | None:
    """Return the row by which somebody is a collaborator today, and its last day; None where there is none."""
    columns = ownership.c
    today = runs.today(run.policies, run.at).isoformat()
    query = select(columns.ownership_id, columns.until_on).where(
        columns.customer_id == number,
        columns.staff_id == person.staff_id,
        columns.role == COLLABORATOR,
        columns.until_at.is_(None),
    )
    for own, last in conn.execute(query):
        if last is None or last >= today:
            return int(own), date.fromisoformat(last) if last else None
    return None


def _record(conn: Connection, run: Run, number: int, person: Staff, what: str) -> None:
    """Finish the run and enter it in the log: for the person, and for the customer."""
    counts = {what: 1}
    runs.finish(conn, run, "done", 0, counts)
    for obj in (f"staff:{person.staff_id}", f"customer:{number}"):
        entries.append(conn, run.entry("done", at=clock.now(), obj=obj, n=1, counts=counts))


def _text(number: int) -> str:
    return f"C-{number:06d}"
