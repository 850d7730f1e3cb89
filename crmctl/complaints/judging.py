"""Refusals in words, and in the log: who keeps out of a complaint, what may not happen next, or not at that time."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from crmctl import clock, staff
from crmctl.audit import entries
from crmctl.complaints import decide, ruling
from crmctl.complaints.decide import Person, Refusal
from crmctl.complaints.model import Case
from crmctl.complaints.reasons import NEXT, NEXT_COMMAND, STATUS_TEXTS, TIMES
from crmctl.errors import InvalidInput, PermissionMissing, PlanStale, Refused
from crmctl.i18n import _
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.security.access import AccessSettings
from crmctl.staff import Staff
from crmctl.store import engine
from crmctl.use import purposes
from crmctl.worktime.deadlines import due
from crmctl.worktime.limits import limit_of


@contextlib.contextmanager
def refusals_logged(run: Run, complaint_id: int) -> Iterator[None]:
    """Log what the block refuses about a complaint, in a transaction of its own; the refusal goes on."""
    with attempts_logged(run, f"complaint:{complaint_id}"):
        yield


@contextlib.contextmanager
def attempts_logged(run: Run, obj: str) -> Iterator[None]:
    """Log what the block refuses about an object of the log; nothing where it is not known yet (`obj` empty).

    A dry run attempts nothing: only a permission that is missing is in the log then.
    """
    try:
        with purposes.denials_logged(run, run.act, obj=obj):
            yield
    except PermissionMissing:
        raise
    except (Refused, InvalidInput, PlanStale) as refusal:
        if not run.dry_run:
            with engine.write(run.engine) as conn:  # what cannot be logged fails as that, not as what it was
                entries.append(conn, run.entry("refused", at=clock.now(), obj=obj, codes=[refusal.code]))
        raise


def keeping_out(conn: Connection, case: Case) -> frozenset[int]:
    """Return the staff ids of those who keep out of a complaint: whom it is about, and by policy their superiors."""
    if not case.about:
        return frozenset()
    everybody = staff.directory(conn).people
    return kept_out(everybody, case.about, case.rest.get("superiors"))


def barred(conn: Connection, run: Run, case: Case) -> frozenset[str]:
    """Return those who keep out of a complaint as approvals name people: of access.yaml, and staff:NUMBER."""
    by_id, access = staff.directory(conn).by_id, runs.access_of(run.policies)
    found: set[str] = set()
    for staff_id in keeping_out(conn, case):
        person = by_id.get(staff_id)
        if person is not None:
            found.add(f"staff:{person.number}")
            found.update(_called(access, person))
    return frozenset(found)


def _called(access: AccessSettings, person: Staff) -> Iterator[str]:
    """Yield what access.yaml calls somebody of the register: by number, by account, or by a name they have there."""
    names = {person.number, person.wecom_id, person.dingtalk_id, person.hr_id}
    for name, each in access.people.items():
        if each.staff == person.number or name in names or set(each.uids) & set(person.uids):
            yield name


def kept_out(
    everybody: Collection[Staff], about: Collection[int], superiors: Mapping[str, Any] | None
) -> frozenset[int]:
    """Return who keeps out of a complaint about these staff, by the terms of a case."""
    people = {each.staff_id: Person(each.staff_id, each.post, each.department, each.org_unit) for each in everybody}
    concerned = [people[each] for each in about if each in people]
    found = frozenset(about)
    if superiors is None:
        return found
    return found | decide.recused(concerned, people.values(), superiors["posts"], superiors["within"])


def require_person(conn: Connection, run: Run, case: Case) -> None:
    """Raise PermissionMissing for who keeps out of a complaint, or does not hold the post the policy wants for it."""
    mine = run.standing.records if run.standing else ()
    if case.about and run.actor.person in barred(conn, run, case):
        raise PermissionMissing(
            _("{number}: it is about you or somebody under you, so you keep out of it").format(number=case.number),
            hint=_("whoever else may handle it: crmctl complaint handoff {number} --to STAFF").format(
                number=case.number
            ),
            code="RECUSED",
        )
    verb = run.act.partition(".")[2]
    posts = case.rest["posts"].get(verb)
    if posts and not _holds(conn, [each.staff_id for each in mine], posts):
        raise PermissionMissing(
            _("{number}: {act} is for post {posts}").format(number=case.number, act=run.act, posts=", ".join(posts)),
            hint=_("policies/complaints.yaml says which post does what"),
            code="POST_MISSING",
        )


def _holds(conn: Connection, mine: Collection[int], posts: Collection[str]) -> bool:
    by_id = staff.directory(conn).by_id
    return any(by_id[each].post in posts for each in mine if each in by_id)


def require_next(case: Case, kind: str) -> None:
    """Raise Refused for what may not happen to a complaint as it stands (CMP-05 to CMP-13)."""
    refusal = decide.next_refused(case.standing, kind)
    if refusal is not None:
        raise refused(case.number, refusal)


def refused(number: str, refusal: Refusal) -> Refused:
    """Return a refusal in words."""
    message, hint = NEXT[refusal.code]
    told = {**refusal.told, "number": number}
    if told.get("status") in NEXT_COMMAND:
        told["command"] = NEXT_COMMAND[told["status"]]
    if "status" in told:
        told["status"] = _(STATUS_TEXTS[told["status"]])
    return Refused(_(message).format(**told), hint=_(hint).format(**told), code=refusal.code)


def require_time(run: Run, case: Case, at: datetime, entered: datetime, *, late: str) -> None:
    """Raise InvalidInput for a time at which something cannot have happened, or without the reason it is late."""
    require_moment(run, case.standing, at, entered, case.rest["back_date"], case.row["org_unit"], late=late)


def require_promise(run: Run, at_most: str | None, promised: datetime, org_unit: str | None, option: str) -> None:
    """Raise InvalidInput for a date further off than the policy lets anybody promise."""
    if at_most is None:
        return
    calendar = ruling.calendars(run.policies, runs.today(run.policies, run.at), org_unit)("")
    latest = due(clock.now(), limit_of(at_most), calendar).at
    if latest is not None and promised > latest:
        raise InvalidInput(
            _("{option} {at}: further off than the policy allows ({limit})").format(
                option=option, at=clock.local(promised, run.zone), limit=limit_of(at_most).words
            ),
            hint=_("promise an earlier date; policies/complaints.yaml: promise_at_most"),
            code="PROMISE_TOO_FAR",
        )


def require_moment(
    run: Run,
    now: decide.Standing,
    at: datetime,
    entered: datetime,
    back_date: str | None,
    org_unit: str | None,
    *,
    late: str,
) -> None:
    """Raise InvalidInput as `require_time` does, for a complaint that stands as `now`; `back_date` None: unbounded."""
    until = None
    if at < entered and back_date is not None:
        calendar = ruling.calendars(run.policies, runs.today(run.policies, run.at), org_unit)("")
        until = due(at, limit_of(back_date), calendar).at
    refusal = decide.time_refused(now, at, entered, until)
    if refusal is not None and at == entered:
        refusal = Refusal("CLOCK_BEHIND")
    if refusal is None and at < entered and not late:
        refusal = Refusal("AT_WITHOUT_REASON")
    if refusal is not None:
        message, hint = TIMES[refusal.code]
        told = {"limit": limit_of(back_date).words if back_date else "", "at": clock.local(at, run.zone)}
        raise InvalidInput(_(message).format(**told), hint=_(hint).format(**told), code=refusal.code)
