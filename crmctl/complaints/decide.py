"""How a complaint stands, what may be done with it next, what it still lacks: pure (CMP-05 to CMP-13, CMP-23).

A complaint is what happened to it, in order. Where it stands follows from that alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

# What can happen to a complaint. The order is that of a life without trouble.
DEEDS = (
    "accepted", "responded", "verified", "proposed", "agreed", "refused", "rectified", "progressed", "handed",
    "answered", "revisited", "reviewed", "legal_reviewed", "analysed", "mediated", "closed", "reopened", "duplicated",
    "linked", "attached", "classified", "asked", "extended",
)  # fmt: skip
# What closing can need (CMP-13).
NEEDS = (
    "responded", "verified", "agreed", "rectified", "revisited", "settled", "reviewed", "legal_reviewed", "analysed",
    "attached",
)  # fmt: skip
# What of that there cannot be where the customer agrees to nothing.
WITHOUT_AGREEMENT = frozenset({"agreed", "rectified", "revisited", "settled"})
# What has to be done anew with another plan.
_OF_A_PLAN = frozenset({"agreed", "rectified", "revisited", "settled", "reviewed"})
CLOSED = ("closed", "duplicate")
STATUSES = (
    "accepted", "verified", "proposed", "refused", "agreed", "rectified", "revisited", "unsettled", *CLOSED,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened: what, when, and the clear part of what was said of it."""

    kind: str
    at: datetime
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a complaint stands. `done` are those of `NEEDS` that hold since it was last opened."""

    status: str = "accepted"
    plan_version: int = 0
    refusals: int = 0
    done: frozenset[str] = frozenset()
    mediated: bool = False
    reopened: int = 0
    last_at: datetime | None = None

    @property
    def open(self) -> bool:
        """Whether it is neither closed nor a duplicate."""
        return self.status not in CLOSED


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something may not be done: a code, and what the message needs besides."""

    code: str
    told: Mapping[str, Any] = field(default_factory=dict)


def standing(events: Iterable[Event]) -> Standing:
    """Return how a complaint stands after all that happened to it, in order."""
    found = Standing()
    for event in events:
        found = _after(found, event)
    return found


def _after(now: Standing, event: Event) -> Standing:
    now = replace(now, last_at=max(now.last_at, event.at) if now.last_at else event.at)
    match event.kind:
        case "responded" | "legal_reviewed" | "analysed" | "attached":
            return replace(now, done=now.done | {event.kind})
        case "verified":
            # A correction of what was verified takes nothing back of what followed.
            status = "verified" if now.status == "accepted" else now.status
            return replace(now, status=status, done=now.done | {"verified"})
        case "proposed":
            return replace(now, status="proposed", plan_version=now.plan_version + 1, done=now.done - _OF_A_PLAN)
        case "agreed":
            return replace(now, status="agreed", done=now.done | {"agreed"})
        case "refused":
            return replace(now, status="refused", refusals=now.refusals + 1)
        case "rectified":
            return replace(now, status="rectified", done=now.done | {"rectified"})
        case "revisited":
            return _revisited(now, settled=bool(event.data.get("settled")))
        case "reviewed":
            if event.data.get("result") == "passed":
                return replace(now, done=now.done | {"reviewed"})
            return replace(now, status="unsettled", done=now.done - _OF_A_PLAN)
        case "mediated":
            return replace(now, mediated=True)
        case "closed":
            return replace(now, status="closed")
        case "duplicated":
            return replace(now, status="duplicate")
        case "reopened":
            kept = now.done & {"responded", "verified", "attached"}
            status = "verified" if "verified" in kept else "accepted"
            return replace(now, status=status, done=kept, mediated=False, refusals=0, reopened=now.reopened + 1)
    return now


def _revisited(now: Standing, *, settled: bool) -> Standing:
    done = now.done | {"revisited"}
    if settled:
        return replace(now, status="revisited", done=done | {"settled"})
    # What was done is not accepted: the plan is refused after all.
    return replace(now, status="unsettled", refusals=now.refusals + 1, done=done - {"settled"})


# In which states something may happen; where nothing is said, in every state but the closed ones.
_STATES: Mapping[str, Collection[str]] = {
    "proposed": ("verified", "proposed", "refused", "unsettled"),
    "agreed": ("proposed",),
    "refused": ("proposed",),
    "rectified": ("agreed",),
    "revisited": ("rectified", "revisited"),
    "reviewed": ("refused", "rectified", "revisited"),  # refused: before it is closed without agreement
    "analysed": STATUSES,
    "attached": STATUSES,
    "linked": STATUSES,
    "reopened": ("closed",),
    "extended": STATUSES,
}
_ONCE = frozenset({"responded"})
_AFTERWARDS = frozenset({"analysed", "attached", "linked", "extended"})  # also of a duplicate


def next_refused(now: Standing, kind: str) -> Refusal | None:
    """Return why something may not happen next; None when it may."""
    if now.status == "duplicate" and kind not in _AFTERWARDS:
        return Refusal("IS_DUPLICATE", {"deed": kind})
    if kind in _ONCE and kind in now.done:
        return Refusal("DONE_ALREADY", {"deed": kind})
    allowed = _STATES.get(kind)
    if allowed is None:
        return None if now.open else Refusal("CASE_CLOSED", {"deed": kind})
    if now.status in allowed:
        return None
    if not now.open:
        return Refusal("CASE_CLOSED", {"deed": kind})
    return Refusal("NOT_YET" if kind != "reopened" else "CASE_OPEN", {"deed": kind, "status": now.status})


def missing(now: Standing, needs: Sequence[str], *, without_agreement: bool = False) -> tuple[str, ...]:
    """Return what a complaint still lacks before it can be closed, in the policy's order (CMP-13)."""
    wanted = [need for need in needs if not (without_agreement and need in WITHOUT_AGREEMENT)]
    return tuple(need for need in dict.fromkeys(wanted) if need not in now.done)


def without_agreement_refused(now: Standing, plans: int, *, mediation: bool) -> Refusal | None:
    """Return why a complaint may not be closed without agreement yet; None when it may, once somebody approves."""
    if now.status not in ("proposed", "refused", "unsettled"):
        return Refusal("AGREEMENT_POSSIBLE", {"status": now.status})
    if now.refusals < plans:
        return Refusal("PLANS_TOO_FEW", {"refused": now.refusals, "plans": plans})
    if mediation and not now.mediated:
        return Refusal("MEDIATION_MISSING")
    return None


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the staff register, as far as recusal goes."""

    staff_id: int
    post: str | None
    department: str | None
    org_unit: str | None


def recused(
    about: Iterable[Person], everybody: Iterable[Person], posts: Collection[str], within: str
) -> frozenset[int]:
    """Return the staff ids of those who keep out of a complaint about these people: they, and their superiors.

    A superior holds one of `posts` in the same department (org unit, company). Who has no department has superiors in
    the same org unit.
    """
    people = tuple(about)
    found = {person.staff_id for person in people}
    for other in everybody:
        if other.post in posts and any(_near(person, other, within) for person in people):
            found.add(other.staff_id)
    return frozenset(found)


def _near(person: Person, other: Person, within: str) -> bool:
    if within == "company":
        return True
    if within == "department" and person.department:
        return person.department == other.department and person.org_unit == other.org_unit
    return person.org_unit == other.org_unit


@dataclass(frozen=True, slots=True)
class Accepted:
    """A complaint as far as repetition goes: when it was accepted, its own number, whose it is, whom it is about.

    `unknown`: nobody knows yet who complained.
    """

    accepted_at: datetime
    complaint_id: int
    customers: frozenset[int]
    about: frozenset[int]
    unknown: bool


def duplicate_refused(repeated: Accepted, original: Accepted) -> Refusal | None:
    """Return why one complaint cannot be the repetition of another; None when it can (CMP-23).

    It is the same customer's, as far as anybody knows; the original came first, so that no limit starts anew; and it
    knows of everybody the repetition is about, so that nobody handles a complaint about themselves after all.
    """
    known = not (repeated.unknown or original.unknown)
    if known and not repeated.customers & original.customers:
        return Refusal("OTHER_CUSTOMER")
    if (original.accepted_at, original.complaint_id) >= (repeated.accepted_at, repeated.complaint_id):
        return Refusal("NO_ORIGINAL")
    if repeated.about - original.about:
        return Refusal("ABOUT_MISSING")
    return None


def time_refused(now: Standing, at: datetime, entered: datetime, enter_until: datetime | None) -> Refusal | None:
    """Return why something cannot have happened `at` this moment; None when it can.

    Never in the future, never before what is on record already, never so long ago that `enter_until`, the last moment
    at which policy lets it be entered, has passed.
    """
    if at > entered:
        return Refusal("AT_FUTURE")
    if enter_until is not None and entered > enter_until:
        return Refusal("AT_TOO_EARLY")
    if now.last_at is not None and at < now.last_at:
        return Refusal("AT_BEFORE_LAST")
    return None
