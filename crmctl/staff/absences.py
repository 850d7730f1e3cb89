"""Absences: adding one, cancelling one. Nobody is away twice on one day; a deputy is there on every day of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection

from crmctl import clock
from crmctl.errors import Refused
from crmctl.i18n import _
from crmctl.runs.run import Run, today
from crmctl.staff import apply, facts
from crmctl.staff.apply import Plan, Write
from crmctl.staff.decide import Refusal, absence_refusals
from crmctl.staff.model import Absence, Directory, Staff
from crmctl.staff.protected import ABSENCE
from crmctl.staff.reasons import ABSENCES
from crmctl.staff.register import one


@dataclass(frozen=True)
class AbsenceOutcome:
    """What became of an absence: created or cancelled; whose, and who stands in."""

    run_id: int | None
    outcome: str
    staff: Staff
    absence: Absence
    deputy: Staff | None


def add(run: Run, reference: str, from_on: date, until_on: date, deputy: str = "") -> AbsenceOutcome:
    """Record that somebody is away, both days included, and who stands in.

    Raises Refused when a reference is unknown or ambiguous, days overlap, or the deputy is not there.
    """
    met: list[tuple[Staff, Staff | None]] = []

    def decide(conn: Connection) -> Plan:
        directory = facts.directory(conn)
        staff, stands_in = one(directory, reference), one(directory, deputy) if deputy else None
        _refuse(absence_refusals(directory, staff, from_on, until_on, stands_in))
        met.append((staff, stands_in))
        values = {
            "absence_id": apply.number(run, conn, "absence"),
            "staff_id": staff.staff_id,
            "from_on": from_on.isoformat(),
            "until_on": until_on.isoformat(),
            "deputy_id": stands_in.staff_id if stands_in else None,
            "cancelled_at": None,
        }
        row = apply.stamped(run, None, values)
        return Plan((Write(ABSENCE, None, row),), "created", {"obj": f"staff:{staff.staff_id}", "n": 1}, row)

    done, plan = apply.carry_out(run, decide)
    staff, stands_in = met[0]
    leaves = stands_in.left_on if stands_in else None
    absence = Absence(plan.row["absence_id"], staff.staff_id, from_on, until_on, plan.row["deputy_id"], leaves)
    return AbsenceOutcome(done.run_id, plan.outcome, staff, absence, stands_in)


def cancel(run: Run, reference: str, from_on: date | None) -> AbsenceOutcome:
    """Cancel the absence that begins on `from_on`; without a day the only one that is not over.

    Raises Refused when there is none, or several and no day was given.
    """
    met: list[tuple[Staff, Absence, Staff | None]] = []

    def decide(conn: Connection) -> Plan:
        directory = facts.directory(conn)
        staff = one(directory, reference)
        absence = _chosen(staff, from_on, today(run.policies, run.at))
        met.append((staff, absence, directory.by_id.get(absence.deputy_id or 0)))
        before = facts.absence_row(conn, absence.absence_id)
        row = apply.stamped(run, before, {"cancelled_at": clock.stamp(run.at)})
        write = Write(ABSENCE, before, row, frozenset({"cancelled_at"}))
        return Plan((write,), "cancelled", {"obj": f"staff:{staff.staff_id}", "n": 1}, row)

    done, plan = apply.carry_out(run, decide)
    staff, absence, deputy = met[0]
    return AbsenceOutcome(done.run_id, plan.outcome, staff, absence, deputy)


def _chosen(staff: Staff, from_on: date | None, day: date) -> Absence:
    open_ones = [absence for absence in staff.absences if absence.cancelled is None]
    if from_on is not None:
        found = [absence for absence in open_ones if absence.from_on == from_on]
    else:
        found = [absence for absence in open_ones if absence.until_on >= day]
    if len(found) == 1:
        return found[0]
    if found:
        days = ", ".join(absence.from_on.isoformat() for absence in found)
        raise Refused(
            _("{number}: several absences, beginning on {days}").format(number=staff.number, days=days),
            hint=_("say which with --from DAY"),
            code="ABSENCE_AMBIGUOUS",
        )
    raise Refused(
        _("{number}: there is no such absence").format(number=staff.number),
        hint=_("see: crmctl staff absence list {number}").format(number=staff.number),
        code="ABSENCE_UNKNOWN",
    )


def listed(directory: Directory, staff: Staff | None, day: date | None) -> list[tuple[Staff, Absence, Staff | None]]:
    """Return absences with whose they are and who stands in, by first day.

    Of everybody, or of `staff`; with `day` only those that are neither over by then nor cancelled.
    """
    people = directory.people if staff is None else (staff,)
    found = [
        (person, absence, directory.by_id.get(absence.deputy_id or 0))
        for person in people
        for absence in person.absences
        if day is None or (absence.cancelled is None and absence.until_on >= day)
    ]
    return sorted(found, key=lambda item: (item[1].from_on, item[0].staff_id, item[1].absence_id))


def _refuse(refusals: Iterable[Refusal]) -> None:
    found = list(refusals)
    if not found:
        return
    first = found[0]
    message, hint = ABSENCES[first.code]
    raise Refused(
        _(message).format(numbers=", ".join(first.numbers)),
        hint=_(hint),
        code=first.code,
        details={"refusals": [{"code": item.code, "numbers": list(item.numbers)} for item in found]},
    )
