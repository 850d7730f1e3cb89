"""From verification to rectification: what is found out, proposed, agreed and done (CMP-04 to CMP-10, CMP-20)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from crmctl import clock, staff
from crmctl.complaints import acting, judging, reclassing
from crmctl.complaints.acting import Deed, Outcome
from crmctl.complaints.decide import Refusal
from crmctl.complaints.drafting import code_of
from crmctl.complaints.model import Case
from crmctl.complaints.policy import ComplaintsSettings, settings_named
from crmctl.errors import InvalidInput, PermissionMissing, Refused
from crmctl.i18n import _
from crmctl.runs import run as runs
from crmctl.runs.run import Run


@dataclass(frozen=True)
class Moment:
    """When something happened that is entered now; `at` None means this moment. `late` says why only now."""

    at: datetime | None = None
    late: str = ""


NOW = Moment()


@dataclass(frozen=True)
class Finding:
    """What verification found (CMP-05): responsible party, cause, and whom it is about."""

    department: str
    cause: str
    text: str = field(default="", repr=False)
    about: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """A handling plan (CMP-07): measures, compensation where called for, completion deadline."""

    due_at: datetime
    measures: str = field(repr=False)
    compensation: str = field(default="", repr=False)


def tell(run: Run, number: str, kind: str, text: str, moment: Moment = NOW) -> Outcome:
    """Record what needs a text alone: responded, agreed, refused, rectified, progressed, mediated, legal_reviewed."""
    return acting.carry_out(run, number, lambda _conn, _case: Deed(kind, {}, {"text": text}, moment.at, moment.late))


def verify(run: Run, number: str, found: Finding, moment: Moment = NOW) -> Outcome:
    """Record responsible party and cause; a second time, as a correction. Raises InvalidInput for an unknown cause.

    Whom it turns out to be about keeps out of it from now on, and handles it no longer.
    """

    def choose(conn: Connection, case: Case) -> Deed:
        settings = _settings(run, case)
        cause = code_of(settings.causes, found.cause, _("cause"), "CAUSE_UNKNOWN")
        department = found.department.strip()
        if not department:
            raise InvalidInput(_("the responsible party is missing"), hint=_("add --department"), code="FIELD_MISSING")
        row: dict[str, Any] = {"department": department, "cause": cause}
        data: dict[str, Any] = {"cause": cause, "department": department}
        if found.about:
            about = set(case.about) | {staff.find(conn, reference).staff_id for reference in found.about}
            row["about"] = " ".join(map(str, sorted(about)))
            data["about"] = sorted(about)
            out = judging.kept_out(staff.directory(conn).people, about, case.rest["superiors"])
            if case.row["handler_id"] in out:
                row["handler_id"] = None
        return Deed("verified", data, {"text": found.text}, moment.at, moment.late, row)

    return acting.carry_out(run, number, choose)


def propose(run: Run, number: str, plan: Plan, moment: Moment = NOW) -> Outcome:
    """Record the next version of the handling plan, as it was put to the customer.

    Raises InvalidInput for a completion deadline that has passed, or is further off than the policy allows.
    """
    if plan.due_at <= (moment.at or run.at):
        raise InvalidInput(
            _("--due {at}: has passed").format(at=clock.local(plan.due_at, run.zone)),
            hint=_("give the day or time by which the measures are done"),
            code="DUE_PASSED",
        )

    def choose(_conn: Connection, case: Case) -> Deed:
        judging.require_promise(run, case.rest.get("promise_at_most"), plan.due_at, case.row["org_unit"], "--due")
        data = {"version": case.standing.plan_version + 1, "plan_due_at": clock.stamp(plan.due_at)}
        private = {"measures": plan.measures, "compensation": plan.compensation}
        return Deed("proposed", data, private, moment.at, moment.late)

    return acting.carry_out(run, number, choose)


def agree(run: Run, number: str, text: str, moment: Moment = NOW) -> Outcome:
    """Record that the customer agreed to the newest plan: its completion deadline is promised from now on (CMP-08)."""

    def choose(_conn: Connection, case: Case) -> Deed:
        judging.require_next(case, "agreed")
        if case.promised is not None and clock.parse_stamp(case.promised) <= (moment.at or clock.now()):
            raise judging.refused(case.number, Refusal("PLAN_PASSED"))
        data = {"version": case.standing.plan_version, "due_at": case.promised}
        return Deed("agreed", data, {"text": text}, moment.at, moment.late)

    return acting.carry_out(run, number, choose)


def hand_on(run: Run, number: str, to: Mapping[str, str], text: str, moment: Moment = NOW) -> Outcome:
    """Pass a complaint on: `department` is asked (CMP-20), `staff` handles it from now on.

    Raises Refused for somebody who is not in post, PermissionMissing for whoever keeps out of it.
    """

    def choose(conn: Connection, case: Case) -> Deed:
        data: dict[str, Any] = {}
        row: dict[str, Any] = {}
        if to.get("department"):
            data["department"] = to["department"].strip()
        if to.get("staff"):
            person = staff.find(conn, to["staff"])
            _require_handler(conn, run, case, person)
            data["to"] = row["handler_id"] = person.staff_id
        return Deed("handed", data, {"text": text}, moment.at, moment.late, row)

    return acting.carry_out(run, number, choose)


def answer(run: Run, number: str, department: str, text: str, moment: Moment = NOW) -> Outcome:
    """Record the answer of a department the complaint was passed to. Raises Refused where it was asked nothing."""

    def choose(_conn: Connection, case: Case) -> Deed:
        asked = case.waiting_departments
        if department not in asked:
            raise Refused(
                _("{number}: {department} was not asked, or has answered").format(number=number, department=department),
                hint=_("asked: {departments}").format(departments=", ".join(asked) or "-"),
                code="NOT_ASKED",
            )
        return Deed("answered", {"department": department}, {"text": text}, moment.at, moment.late)

    return acting.carry_out(run, number, choose)


def _require_handler(conn: Connection, run: Run, case: Case, person: staff.Staff) -> None:
    if not person.active_on(runs.today(run.policies, run.at)):
        raise Refused(
            _("{number}: is not in post").format(number=person.number),
            hint=_("see: crmctl staff list"),
            code="NOT_IN_POST",
        )
    if person.staff_id in judging.keeping_out(conn, case):
        raise PermissionMissing(
            _("{number}: it is about {staff} or somebody under them: they keep out of it").format(
                number=case.number, staff=person.number
            ),
            hint=_("name somebody else"),
            code="RECUSED",
        )


def _settings(run: Run, case: Case) -> ComplaintsSettings:
    return settings_named(run.policies, case.row["policy"])


def _at_least(settings: ComplaintsSettings, category: str, severity: str) -> str:
    """Return the severity a complaint has in another category: that of the category, where it is more severe."""
    if not category:
        return severity
    code = code_of(settings.categories, category, _("category"), "CATEGORY_UNKNOWN")
    order = [each.code for each in settings.severities]
    own = next(each.severity for each in settings.categories if each.code == code)
    known = [each for each in (severity, own) if each in order]
    return max(known, key=order.index, default=severity)


def classify(run: Run, number: str, category: str, severity: str, reason: str) -> Outcome:
    """Judge category or severity anew, with a reason (CMP-06).

    Limits of what runs already never get longer by that; stages to come have those of the new severity.
    """

    def choose(_conn: Connection, case: Case) -> Deed:
        settings = _settings(run, case)
        to = {
            "category": code_of(settings.categories, category, _("category"), "CATEGORY_UNKNOWN")
            if category
            else case.row["category"],
            "severity": code_of(settings.severities, severity, _("severity"), "SEVERITY_UNKNOWN")
            if severity
            else _at_least(settings, category, case.row["severity"]),
        }
        if all(case.row[name] == value for name, value in to.items()):
            raise Refused(_("{number}: is that already").format(number=number), code="UNCHANGED")
        terms = reclassing.terms(run, case, to)
        return Deed("classified", to, {"text": reason}, row=to, terms=terms)

    return acting.carry_out(run, number, choose)
