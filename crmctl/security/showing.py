"""What access.yaml gives whom, in rows and words: `access show` and `access check`. The deciding is `permissions`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

from sqlalchemy import Connection

from crmctl.errors import InvalidInput
from crmctl.i18n import _
from crmctl.policy.nodes import Path
from crmctl.policy.problems import suggest
from crmctl.runs import allowance
from crmctl.runs.run import Run, access_of, today
from crmctl.security import permissions, standing
from crmctl.security.access import AccessSettings
from crmctl.security.actor import Actor
from crmctl.security.permissions import Decision
from crmctl.security.standing import Standing

JOB = "job:"
NOT_IN_SCOPE, LIMIT_REACHED = "CUSTOMER_NOT_IN_SCOPE", "LIMIT_REACHED"
# A dotted name, resolved on use: foundations import no subject.
KNOWN = "crmctl.customers.scope:known"
Row = tuple[Any, ...]


@dataclass(frozen=True)
class Answer:
    """Whether somebody may do something, why, where that is written, and how much of the day's limit is used."""

    allowed: bool
    code: str
    reason: str
    where: str
    scope: str
    limit: int | None
    used: int | None


def actor_of(run: Run, name: str) -> Actor:
    """Return the person or job (`job:NAME`) of access.yaml as they would act. Raises InvalidInput for nobody."""
    access = access_of(run.policies)
    job = access.jobs.get(name.removeprefix(JOB)) if name.startswith(JOB) else None
    if job is not None:
        return Actor(name, 0, "job", (job.as_role,) if job.as_role else ())
    person = access.people.get(name)
    if person is None:
        known = [*access.people, *(f"{JOB}{job}" for job in access.jobs)]
        raise InvalidInput(
            _("{person}: nobody in policies/access.yaml").format(person=name[:64]),
            hint=suggest(name, known) or _("one of: {codes}").format(codes=", ".join(known)),
            code="PERSON_UNKNOWN",
        )
    alone = access.alone == name and run.workspace.get("mode") == "direct"
    uid = person.uids[0] if person.uids else 0
    return Actor(name, uid, "direct", tuple(access.roles) if alone else person.roles, {}, alone)


def people(conn: Connection, run: Run) -> list[Row]:
    """Return a row for each person and job: name, roles, accounts, staff number, org unit, papers, what keeps out."""
    access, day = access_of(run.policies), today(run.policies, run.at)
    rows: list[Row] = []
    for name, person in access.people.items():
        actor, said = actor_of(run, name), standing.of(conn, person)
        papers = permissions.papers(actor, access, day, said)
        number = person.staff or (said.records[0].number if said else None)
        rows.append((
            name, list(actor.roles), list(person.uids), list(person.pg), number, person.org_unit,
            _day(person.confidentiality_signed), _day(person.training_passed), _day(person.until), papers or None,
        ))  # fmt: skip
    for name, job in access.jobs.items():
        roles = [job.as_role] if job.as_role else []
        rows.append((f"{JOB}{name}", roles, [], list(job.pg), None, None, None, None, None, None))
    return rows


def _day(value: object) -> str | None:
    return None if value is None else str(value)


def rights(run: Run, name: str) -> list[Row]:
    """Return a row for each role of a person or job: role, acts, denied acts, scope, fields, limits, where."""
    access, actor = access_of(run.policies), actor_of(run, name)
    rows: list[Row] = []
    if actor.via == "job":
        job = access.jobs[name.removeprefix(JOB)]
        rows.append((name, list(job.can), [], None, None, None, None, [], where(run, ("jobs", name[len(JOB) :]))))
    for role in actor.roles:
        held = access.roles.get(role)
        if held is not None:
            fields = held.fields
            limits = [f"{act}: {text}" for act, text in held.limits.items()]
            rows.append((
                role, list(held.can), list(held.deny), held.scope, list(fields.view), list(fields.mask),
                list(fields.export), limits, where(run, ("roles", role)),
            ))  # fmt: skip
    return rows


def check(conn: Connection, run: Run, name: str, act: str, customer: int | None) -> Answer:
    """Return whether the person or job `name` may do `act` now, to this customer where one is named."""
    if not act or act.endswith("*"):
        raise InvalidInput(
            _("{act}: not an act").format(act=act[:80]), hint=_("as in customer.import"), code="ACT_INVALID"
        )
    access, actor = access_of(run.policies), actor_of(run, name)
    person = access.people.get(name)
    said = standing.of(conn, person) if person else None
    decision = permissions.decide(actor, access, act, on=today(run.policies, run.at), standing=said)
    limit = permissions.daily_limit(actor, access, act)
    used = None if limit is None else allowance.used(conn, name, act, allowance.day_began(run))
    reason = "; ".join(filter(None, permissions.reason(decision, actor, act)))
    answer = Answer(decision.allowed, decision.code, reason, _place(run, actor, decision), decision.scope, limit, used)
    if not answer.allowed:
        return answer
    if limit is not None and used is not None and used >= limit:
        message = _("{person} may do {act} {limit} times a day, and has today").format(
            person=name, act=act, limit=limit
        )
        return replace(answer, allowed=False, code=LIMIT_REACHED, reason=message)
    theirs = replace(run, actor=actor, act=act, standing=said)
    if customer is not None and not _knows(conn, theirs, customer):
        message = _("{person} may {act}, but C-{number:06d} is not among the customers of scope {scope}").format(
            person=name, act=act, number=customer, scope=decision.scope
        )
        return replace(answer, allowed=False, code=NOT_IN_SCOPE, reason=message)
    return answer


def _knows(conn: Connection, theirs: Run, customer: int) -> bool:
    module, _colon, function = KNOWN.partition(":")
    return bool(getattr(import_module(module), function)(conn, theirs, [customer]))


def _place(run: Run, actor: Actor, decision: Decision) -> str:
    """Return where the rule stands that decided."""
    if decision.code.startswith("STAFF_"):
        return _("staff register")
    if actor.via == "job":
        return where(run, ("jobs", actor.person.removeprefix(JOB), "can"))
    if decision.code in ("GRANTED", "SCOPE_TOO_NARROW"):
        return where(run, ("roles", decision.by, "can"))
    if decision.code == "DENIED":
        return where(run, ("roles", decision.by, "deny"))
    return where(run, ("people", actor.person, *(("roles",) if decision.code == "NOT_GRANTED" else ())))


def where(run: Run, at: Path) -> str:
    """Return file and line of a setting of access.yaml: `access.yaml:24`."""
    policy = run.policies.policy("access")
    return f"{policy.path}:{policy.marks.at(('settings', *at)).line}"


def own(conn: Connection, access: AccessSettings) -> dict[str, Sequence[int]]:
    """Return the staff ids of everybody in access.yaml whom the staff register knows."""
    found: dict[str, Sequence[int]] = {}
    for name, person in access.people.items():
        said: Standing | None = standing.of(conn, person)
        if said:
            found[name] = said.staff_ids
    return found
