"""Judge a decision that somebody wants to make: is the approval still open, may they, is it sure enough."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from crmctl import clock
from crmctl.approvals import decide, deciders, records, signatures, voices
from crmctl.approvals.about import about
from crmctl.approvals.decide import Decider, Ruling, Voice
from crmctl.approvals.records import APPROVED, OPEN, Asked, Decision
from crmctl.approvals.statement import statement
from crmctl.errors import PermissionMissing, PlanStale, Refused
from crmctl.i18n import N_, _
from crmctl.runs.run import Run, access_of, today
from crmctl.security.access import AccessSettings
from crmctl.security.access import Approval as Rule

_NOT = {
    "OWN_REQUEST": (
        N_("approval {number}: who asked for it neither decides on it nor enters who did"),
        N_("people count, not accounts; take it back with: crmctl approval revoke {number}"),
    ),
    "ALONE": (
        N_("{person} is the only person here: a second person's part is nobody's"),
        N_("policies/access.yaml needs somebody else"),
    ),
    "OWN_NAME": (N_("nobody enters their own decision as recorded"), N_("leave out --by")),
    "BOTH_PARTS": (
        N_("approval {number}: who enters a decision and who decides are two people"),
        N_("let somebody else enter it"),
    ),
    "DECIDED_ALREADY": (
        N_("approval {number}: this person's part is taken already"),
        N_("see: crmctl approval show {number}"),
    ),
    "RECUSED": (
        N_("approval {number}: it is about {person}, or somebody under them, who keep out of it"),
        N_("somebody else decides: {roles}"),
    ),
    "NOT_ASKED": (
        N_("{person} does not decide on {act}"),
        N_("asked are {roles}; policies/access.yaml says who, and who stands in"),
    ),
}
_OVER = {
    records.EXPIRED: ("APPROVAL_EXPIRED", N_("approval {number}: has expired")),
    records.USED: ("APPROVAL_USED", N_("approval {number}: is used already")),
    records.REJECTED: ("APPROVAL_REJECTED", N_("approval {number}: was rejected")),
    records.REVOKED: ("APPROVAL_REVOKED", N_("approval {number}: was revoked")),
    records.APPROVED: ("APPROVAL_APPROVED", N_("approval {number}: is approved already")),
}


@dataclass(frozen=True)
class Wish:
    """A decision somebody wants to make: `by` whom, where entered for another; `signature` of the statement."""

    number: int
    decision: str
    by: str = ""
    signature: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Judged:
    """A decision that may be made: whose, for whom, how sure, on what."""

    asked: Asked
    made: tuple[Decision, ...] = field(repr=False)
    decision: str
    person: str
    operator: str
    ruling: Ruling
    assurance: str
    people: int
    least: str
    statement: str = field(repr=False)
    signers_hash: str | None
    logged_as: str | None

    @property
    def voice(self) -> Voice:
        """The decision, as far as counting goes."""
        return Voice(self.person, self.ruling.for_person, self.assurance, self.operator)


def judge(conn: Connection, run: Run, wish: Wish, *, signature_seen: bool = False, unsigned: bool = False) -> Judged:
    """Return the decision as it may be made.

    Raises Refused for an approval there is not, PlanStale for one that is over, PermissionMissing for who may not, a
    signature that is not theirs, or too little assurance. `signature_seen`: it was verified a moment ago;
    `unsigned`: it is still to be made.
    """
    asked = records.find(conn, wish.number)
    at = records.now(conn, clock.now())
    _alive(asked, wish.decision, at)
    access = access_of(run.policies)
    rule = _rule(access, asked, at)
    if rule is None:
        raise Refused(
            _("policies/access.yaml asks for nobody's approval of {act}").format(act=asked.act),
            hint=_("nothing needs to be decided"),
            code="APPROVAL_NOT_NEEDED",
        )
    who, logged_as = Decider(run.actor.person), None
    if wish.by:
        who, logged_as = deciders.meant(conn, run, wish.by)
    if wish.decision == "approve":
        over = about(conn, run, asked).over
        if over is not None:
            raise over
    made = tuple(records.decisions(conn, (asked.approval_id,))[asked.approval_id])
    ruling = decide.may_decide(
        access, rule, asked.act, asked.requested_by, who, voices.of(made), today(run.policies, at)
    )
    if wish.decision == "revoke" and _has_part(asked, who, made):
        ruling = Ruling("ALLOWED")
    if asked.keeping_out & {who.person, who.operator, ruling.for_person}:
        ruling = Ruling("RECUSED")
    if not ruling.allowed:
        raise _not_allowed(asked, rule, who, ruling)
    people, least = voices.wanted(access, asked)
    said = statement(asked, run.workspace.instance, who.person, wish.decision, ruling.for_person)
    signers_hash = _signed(run, wish, who.person, said, signature_seen=signature_seen)
    assurance = "signed" if wish.signature else "recorded" if wish.by else "authenticated"
    if wish.decision == "approve" and not unsigned and not decide.strong_enough(assurance, least):
        raise _too_weak(asked, least)
    return Judged(
        asked, made, wish.decision, who.person, run.actor.person, ruling, assurance, people, least, said, signers_hash,
        logged_as,
    )  # fmt: skip


def _rule(access: AccessSettings, asked: Asked, at: datetime) -> Rule | None:
    """Return what access.yaml wants for what was asked, as it is once it has waited so long."""
    rule = decide.rule_for(access, asked.act, asked.rows)
    return None if rule is None else decide.rule_after(rule, at - asked.created_at)


def agreed(judged: Judged, found: Iterable[Voice]) -> int:
    """Return how many of these agree, as the approval counts."""
    return decide.counted(judged.asked.requested_by, judged.least, found)


def _alive(asked: Asked, decision: str, at: datetime) -> None:
    """Raise PlanStale for an approval on which nothing is to be decided any more."""
    standing = asked.standing(at)
    if standing == OPEN or (standing == APPROVED and decision == "revoke"):
        return
    code, message = _OVER[standing]
    hint = _("see: crmctl approval show {number}").format(number=asked.approval_id)
    raise PlanStale(_(message).format(number=asked.approval_id), hint=hint, code=code)


def _has_part(asked: Asked, who: Decider, made: Iterable[Decision]) -> bool:
    """Say whether somebody asked or agreed, and so may take it back."""
    return who.person == asked.requested_by or any(who.person in voice.people for voice in voices.of(made))


def _not_allowed(asked: Asked, rule: Rule, who: Decider, ruling: Ruling) -> PermissionMissing:
    message, hint = _NOT[ruling.code]
    told = {
        "number": asked.approval_id,
        "person": who.person,
        "act": asked.act,
        "roles": ", ".join((*rule.by, *rule.posts)) or "-",
    }
    return PermissionMissing(_(message).format(**told), hint=_(hint).format(**told), code=f"APPROVAL_{ruling.code}")


def _signed(run: Run, wish: Wish, person: str, said: str, *, signature_seen: bool) -> str | None:
    """Return the hash of the signers a signature was verified against. Raises PermissionMissing."""
    if wish.signature is None:
        return None
    signers = signatures.signers_of(run)
    if not signature_seen and not signatures.verify(signers, person, said, wish.signature):
        raise signatures.refused(person)
    return signatures.signers_hash(signers)


def _too_weak(asked: Asked, least: str) -> PermissionMissing:
    if least == "signed":
        hint = _("sign: crmctl approval statement {number}, then --signature FILE").format(number=asked.approval_id)
    else:
        hint = _("they decide from their own account")
    return PermissionMissing(
        _("approval {number}: {act} wants more certainty than this: {assurance}").format(
            number=asked.approval_id, act=asked.act, assurance=least
        ),
        hint=hint,
        code="ASSURANCE_TOO_WEAK",
    )
