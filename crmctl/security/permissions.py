"""Whether an actor may do something, on which customers, and what of them is shown (ACC-01 to ACC-05)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from crmctl.errors import PermissionMissing
from crmctl.i18n import N_, _
from crmctl.security.standing import done

if TYPE_CHECKING:
    from crmctl.security.access import AccessSettings, Role
    from crmctl.security.actor import Actor
    from crmctl.security.standing import Standing

SCOPES = ("own", "org_unit", "all")  # narrow to wide
LENT = frozenset(f"approval.{verb}" for verb in ("list", "show", "statement", "approve", "reject", "revoke"))
# Acts that work on customers nobody names: only for those whose scope is all.
WHOLE = (
    "customer.import", "order.import", "tier.regrade", "tier.findings", "tier.overrides", "tier.summary",
    "owner.assign", "owner.handover", "owner.reclaim", "purge.*", "batch.rejects", "batch.resume",
    "complaint.import", "complaint.escalate", "calendar.update", "hold.*", "paper.*",
)  # fmt: skip
# What a person answers for and cron cannot.
NOT_FOR_JOBS = (
    "approval.approve",
    "approval.reject",
    "approval.revoke",
    "approval.statement",
    "customer.reveal",
    "complaint.reveal",
    "paper.destroyed",
    "purge.supervised",
    "use.evaluated",
)
_WITHOUT_PAPERS = {
    "UNDERTAKING_MISSING": (
        N_("{person}: has not signed the confidentiality undertaking"),
        N_("record its day as confidentiality_signed in policies/access.yaml"),
    ),
    "TRAINING_MISSING": (
        N_("{person}: has not passed the training before the post"),
        N_("record its day as training_passed in policies/access.yaml"),
    ),
    "ACCESS_ENDED": (
        N_("{person}: access has ended"),
        N_("policies/access.yaml says until when"),
    ),
    "STAFF_UNDERTAKING_MISSING": (
        N_("{person}: the staff register has no signed confidentiality undertaking"),
        N_("record its day: crmctl staff update NUMBER --signed-on DAY"),
    ),
    "STAFF_TRAINING_MISSING": (
        N_("{person}: the staff register has no training passed before the post"),
        N_("record its day: crmctl staff update NUMBER --trained-on DAY"),
    ),
    "STAFF_LEFT": (
        N_("{person}: has left, says the staff register"),
        N_("whoever keeps the register can correct it: crmctl staff update"),
    ),
    "ACTOR_UNKNOWN": (
        N_("{person}: nobody in policies/access.yaml"),
        N_("ask the administrator"),
    ),
}


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer and its reason: `code` is GRANTED or why not, `by` the role or job that decided."""

    allowed: bool
    code: str
    by: str = ""
    scope: str = ""


def decide(
    actor: Actor, access: AccessSettings, act: str, *, on: date | None = None, standing: Standing | None = None
) -> Decision:
    """Return whether `actor` may do `act`, and why; `on` is the day that undertakings and access are judged by.

    `standing` is what the staff register says: papers count when access.yaml and the register have them. Deny wins
    over every grant. The only person there is holds all roles, whose denials keep people apart and so do not apply; nor
    is there anybody to train them or to keep the register for them.
    """
    if actor.via == "job":
        return _decide_job(actor, access, act)
    missing = papers(actor, access, on, standing)
    if missing:
        return Decision(False, missing)
    roles = list(_roles(actor, access))
    if not actor.alone:
        for name, role in roles:
            if matches(role.deny, act):
                return Decision(False, "DENIED", name)
    granting = [(name, role) for name, role in roles if grants(role.can, act)]
    if not granting:
        granting = list(_lent(actor, access, act, on))
    if not granting:
        return Decision(False, "NOT_GRANTED")
    scope = "all" if actor.alone else max((role.scope for _name, role in granting), key=SCOPES.index)
    return _granted(act, granting[0][0], scope)


def _granted(act: str, by: str, scope: str) -> Decision:
    if scope != "all" and matches(WHOLE, act):
        return Decision(False, "SCOPE_TOO_NARROW", by, scope)
    return Decision(True, "GRANTED", by, scope)


def allowed(actor: Actor, access: AccessSettings, act: str, *, on: date | None = None) -> bool:
    """Say whether `actor` may do `act`."""
    return decide(actor, access, act, on=on).allowed


def require(
    actor: Actor, access: AccessSettings, act: str, *, on: date | None = None, standing: Standing | None = None
) -> Decision:
    """Return the granting decision; arguments as for `decide`. Raises PermissionMissing saying who lacks what."""
    decision = decide(actor, access, act, on=on, standing=standing)
    if decision.allowed:
        return decision
    message, hint = reason(decision, actor, act)
    code = decision.code if decision.code in _WITHOUT_PAPERS else f"ACT_{decision.code}"
    raise PermissionMissing(message, hint=hint, code=code)


_REASONS = {
    "GRANTED": N_("{person} may {act}: role {role} grants it, for customers of scope {scope}"),
    "DENIED": N_("{person} may not {act}: role {role} denies it"),
    "SCOPE_TOO_NARROW": N_(
        "{person} may not {act}: it concerns all customers, role {role} grants it for scope {scope}"
    ),
    "NOT_GRANTED": N_("{person} may not {act}: none of the roles {roles} grants it"),
    "NOT_FOR_JOBS": N_("{person} may not {act}: a person answers for it, never a job"),
}


def reason(decision: Decision, actor: Actor, act: str) -> tuple[str, str]:
    """Return a decision in words, and what to do where it refuses."""
    if decision.code in _WITHOUT_PAPERS:
        message, hint = _WITHOUT_PAPERS[decision.code]
        return _(message).format(person=actor.person), _(hint)
    told = _(_REASONS[decision.code]).format(
        person=actor.person,
        act=act,
        role=decision.by,
        roles=", ".join(actor.roles) or "-",
        scope=decision.scope,
    )
    return told, "" if decision.allowed else _("policies/access.yaml says who may do what")


def scope(actor: Actor, access: AccessSettings, act: str) -> str:
    """Return on which customers: own, org_unit or all. Raises PermissionMissing when on none."""
    return require(actor, access, act).scope


def field_right(actor: Actor, access: AccessSettings, sensitivity: str) -> str:
    """Return how a field of this sensitivity is shown to `actor`: view, mask or none."""
    rights = [role.fields for _name, role in _roles(actor, access)]
    if any(sensitivity in right.view for right in rights):
        return "view"
    return "mask" if any(sensitivity in right.mask for right in rights) else "none"


def may_export(actor: Actor, access: AccessSettings, sensitivity: str) -> bool:
    """Say whether fields of this sensitivity may leave in a file that `actor` writes."""
    return any(sensitivity in role.fields.export for _name, role in _roles(actor, access))


def daily_limit(actor: Actor, access: AccessSettings, act: str) -> int | None:
    """Return how often a day `actor` may do `act`: the smallest number any role states, None when none does."""
    stated = [
        int(text.partition("/")[0])
        for _name, role in _roles(actor, access)
        for pattern, text in role.limits.items()
        if matches((pattern,), act)
    ]
    return min(stated, default=None)


def matches(patterns: Iterable[str], act: str) -> bool:
    """Say whether `act` is one of `patterns`, of which `noun.*` means every act of the noun."""
    return any(act == pattern or (pattern.endswith(".*") and act.startswith(pattern[:-1])) for pattern in patterns)


def grants(patterns: Iterable[str], act: str) -> bool:
    """Say whether `patterns` grant `act`; a reveal only when it is named in full."""
    by_name_only = "reveal" in act.split(".")
    return any(act == pattern if by_name_only else matches((pattern,), act) for pattern in patterns)


def _decide_job(actor: Actor, access: AccessSettings, act: str) -> Decision:
    if matches(NOT_FOR_JOBS, act):
        return Decision(False, "NOT_FOR_JOBS", actor.person)
    job = access.jobs.get(actor.person.partition(":")[2])
    if job is None or not grants(job.can, act):
        return Decision(False, "NOT_GRANTED")
    for name, held in _roles(actor, access):
        if matches(held.deny, act):
            return Decision(False, "DENIED", name)
    role = access.roles.get(job.as_role or "")
    role_scope = role.scope if role is not None else "all"
    return _granted(act, actor.person, role_scope)


def papers(actor: Actor, access: AccessSettings, on: date | None, standing: Standing | None) -> str:
    """Return the code of what keeps a person out whatever the roles say; empty when nothing does."""
    person = access.people.get(actor.person)
    if person is None:
        return "ACTOR_UNKNOWN"
    if on is not None and person.until is not None and person.until < on:
        return "ACCESS_ENDED"
    if access.confidentiality_required and not done(person.confidentiality_signed, on):
        return "UNDERTAKING_MISSING"
    if actor.alone:
        return ""
    if access.training_required and not done(person.training_passed, on):
        return "TRAINING_MISSING"
    if standing is None:
        return ""
    return standing.missing(on, signed=access.confidentiality_required, trained=access.training_required)


def _lent(actor: Actor, access: AccessSettings, act: str, on: date | None) -> Iterator[tuple[str, Role]]:
    """Yield roles of those `actor` stands in for that grant a decision; on what, the room approvals checks."""
    if on is None or act not in LENT:
        return
    for entry in access.deputies:
        absent = access.people.get(entry.for_)
        if entry.deputy != actor.person or not entry.holds(on) or absent is None or (absent.until or on) < on:
            continue
        held = [(name, access.roles[name]) for name in absent.roles if name in access.roles]
        if not any(matches(role.deny, act) for _name, role in held):
            yield from ((name, role) for name, role in held if grants(role.can, act))


def _roles(actor: Actor, access: AccessSettings) -> Iterator[tuple[str, Role]]:
    for name in actor.roles:
        role = access.roles.get(name)
        if role is not None:
            yield name, role
