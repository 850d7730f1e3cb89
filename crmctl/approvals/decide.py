"""Who may decide on what, and when enough have: pure. People count, never accounts (design §6, USE-01, DES-04).

A decision takes part with everybody it is of: the decider, and for whom a deputy decides. No two decisions of one
approval share anybody, and the requester is in none of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from crmctl.security.access import AccessSettings
from crmctl.security.access import Approval as Rule
from crmctl.security.permissions import matches

STRENGTH = ("recorded", "authenticated", "signed")  # weak to strong


@dataclass(frozen=True)
class Voice:
    """One approving decision, as far as counting goes."""

    person: str
    for_person: str | None
    assurance: str
    entered_by: str

    @property
    def people(self) -> frozenset[str]:
        """Everybody whose part it takes."""
        return frozenset({self.person} | ({self.for_person} if self.for_person else set()))


@dataclass(frozen=True)
class Decider:
    """Who would decide: a person of access.yaml, or somebody of the staff register (`post` set) known to be no other.

    `operator` is who enters it, where it was decided on paper.
    """

    person: str
    post: str | None = None
    operator: str | None = None


@dataclass(frozen=True)
class Ruling:
    """Whether somebody may decide: `code` is ALLOWED or why not; `for_person` for whom, where as a deputy."""

    code: str
    for_person: str | None = None

    @property
    def allowed(self) -> bool:
        """Whether it may be."""
        return self.code == "ALLOWED"


def rule_for(access: AccessSettings, act: str, rows: int) -> Rule | None:
    """Return what access.yaml wants for an act on so many records; None when it asks for nobody."""
    rule = access.approvals.get(act) or access.approvals.get(f"{act.partition('.')[0]}.*")
    return rule if rule is not None and rows > rule.over_rows else None


def period(text: str) -> timedelta:
    """Return how long `24 hours` or `3 days` of access.yaml is."""
    number, _space, unit = text.partition(" ")
    return timedelta(hours=int(number) * (24 if unit.startswith("day") else 1))


def rule_after(rule: Rule, waited: timedelta) -> Rule:
    """Return the rule for what waits so long: once `next_after` is over, those of the next level may decide as well."""
    if not rule.next_by or rule.next_after is None or waited < period(rule.next_after):
        return rule
    return rule.model_copy(update={"by": tuple(dict.fromkeys((*rule.by, *rule.next_by)))})


def may_decide(
    access: AccessSettings, rule: Rule, act: str, requester: str, who: Decider, voices: Collection[Voice], day: date
) -> Ruling:
    """Return whether `who` may decide on a request of `requester` for `act`, after `voices`, on `day`."""
    if requester in (who.person, who.operator):
        return Ruling("OWN_REQUEST")
    if access.alone is not None and access.alone in (who.person, who.operator):
        return Ruling("ALONE")
    if who.operator == who.person:
        return Ruling("OWN_NAME")
    if any(who.operator in voice.people or voice.entered_by == who.person != voice.person for voice in voices):
        return Ruling("BOTH_PARTS")
    taken = {name for voice in voices for name in voice.people}
    if who.person in taken:
        return Ruling("DECIDED_ALREADY")
    if _in_own_right(access, rule, who, day):
        return Ruling("ALLOWED")
    absent = [name for name in _stands_in_for(access, rule, act, who.person, day) if name != requester]
    free = [name for name in absent if name not in taken]
    if free:
        return Ruling("ALLOWED", free[0])
    return Ruling("DECIDED_ALREADY" if absent else "NOT_ASKED")


def _in_own_right(access: AccessSettings, rule: Rule, who: Decider, day: date) -> bool:
    if who.post is not None:
        return who.post in rule.posts
    return _holds_role(access, rule, who.person, day)


def _holds_role(access: AccessSettings, rule: Rule, name: str, day: date) -> bool:
    person = access.people.get(name)
    return person is not None and (person.until is None or day <= person.until) and bool({*person.roles} & {*rule.by})


def _stands_in_for(access: AccessSettings, rule: Rule, act: str, name: str, day: date) -> Iterator[str]:
    """Yield those for whom a person decides on that day: by their own roles, so nothing is passed on twice."""
    for entry in access.deputies:
        covers = matches(entry.acts, act) or matches(entry.acts, "approval.approve")
        if entry.deputy == name and covers and entry.holds(day) and _holds_role(access, rule, entry.for_, day):
            yield entry.for_


def strong_enough(assurance: str, least: str) -> bool:
    """Say whether a decision's assurance is at least what is wanted."""
    return assurance in STRENGTH and STRENGTH.index(assurance) >= STRENGTH.index(least)


def counted(requester: str, least: str, voices: Iterable[Voice]) -> int:
    """Return how many people agreed: each once, strongly enough, none of them the requester."""
    taken: set[str] = {requester}
    number = 0
    for voice in voices:
        if strong_enough(voice.assurance, least) and not voice.people & taken:
            taken |= voice.people
            number += 1
    return number
