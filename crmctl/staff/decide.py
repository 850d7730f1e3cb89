"""Who may own customers, and which changes of the staff register make sense. Pure: every answer with its reasons."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from crmctl.policy.model import folded
from crmctl.staff.model import Directory, Staff

UNTRAINED = "UNTRAINED"
TRAINING_EXPIRED = "TRAINING_EXPIRED"
UNSIGNED = "UNSIGNED"
INACTIVE = "INACTIVE"
ABSENT = "ABSENT"
PROBLEMS = (INACTIVE, UNTRAINED, TRAINING_EXPIRED, UNSIGNED, ABSENT)

# Fields of which no two people may have the same value, and the reason that says so.
UNIQUE: Mapping[str, str] = {
    "number": "NUMBER_TAKEN",
    "hr_id": "HR_ID_TAKEN",
    "wecom_id": "WECOM_ID_TAKEN",
    "dingtalk_id": "DINGTALK_ID_TAKEN",
}


@dataclass(frozen=True)
class OwnerRules:
    """What an owner of customers must have (OWN-05), figures resolved.

    `valid_months` None: a training passed never expires, or how long it holds is undecided; then `undecided` names
    the value, and whoever assigns customers refuses to go on.
    """

    trained: bool = True
    signed: bool = True
    valid_months: int | None = None
    undecided: str = ""


class Refusal(NamedTuple):
    """Why a change is refused: a code, and the numbers of the staff it has to do with."""

    code: str
    numbers: tuple[str, ...] = ()


def may_own(staff: Staff, day: date, settings: OwnerRules) -> tuple[str, ...]:
    """Return why `staff` may not own customers on `day`; nothing when nothing speaks against it (OWN-05)."""
    found = []
    if not staff.active_on(day):
        found.append(INACTIVE)
    if settings.trained:
        passed = staff.trained_on
        if passed is None or passed > day:
            found.append(UNTRAINED)
        elif settings.valid_months is not None and day > months_after(passed, settings.valid_months):
            found.append(TRAINING_EXPIRED)
    if settings.signed and (staff.signed_on is None or staff.signed_on > day):
        found.append(UNSIGNED)
    away = staff.away_on(day)
    if away is not None and not away.covered(day):
        found.append(ABSENT)
    return tuple(found)


def months_after(day: date, months: int) -> date:
    """Return the same day of the month so many months later, or that month's last: the last day something holds."""
    years, month = divmod(day.month - 1 + months, 12)
    if day.year + years > date.max.year:
        return date.max
    last = monthrange(day.year + years, month + 1)[1]
    return date(day.year + years, month + 1, min(day.day, last))


def state_on(values: Mapping[str, Any], day: date) -> str:
    """Return the state that is stored with a row written on `day`. ISO days compare as text."""
    joined, left = values.get("joined_on"), values.get("left_on")
    here = (joined is None or joined <= day.isoformat()) and (left is None or day.isoformat() < left)
    return "active" if here else "inactive"


def changed_fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of the fields in which two drafts differ; a missing one is None."""
    return frozenset(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


class Identities:
    """Whose each staff number and account is, kept up to date row by row."""

    def __init__(self) -> None:
        self._owners: dict[tuple[str, str], tuple[int, str]] = {}
        self._held: dict[int, list[tuple[str, str]]] = {}

    def take(self, staff_id: int, draft: Mapping[str, Any]) -> None:
        """Note that `staff_id` has the identities of `draft` (field → value), and no others any more."""
        for key in self._held.pop(staff_id, ()):
            del self._owners[key]
        keys = [key for key, _code in _identities(draft) if key not in self._owners]
        self._held[staff_id] = keys
        self._owners.update(dict.fromkeys(keys, (staff_id, str(draft["number"]))))

    def refusals(self, staff_id: int, draft: Mapping[str, Any]) -> Iterator[Refusal]:
        """Yield what speaks against the register having `draft` for `staff_id` (0: a new person)."""
        joined, left = draft.get("joined_on"), draft.get("left_on")
        if joined and left and left < joined:
            yield Refusal("LEFT_BEFORE_JOINED")
        for key, code in _identities(draft):
            owner = self._owners.get(key)
            if owner is not None and owner[0] != staff_id:
                yield Refusal(code, (owner[1],))


def _identities(draft: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], str]]:
    for name, code in UNIQUE.items():
        if draft.get(name):
            yield (name, folded(str(draft[name]))), code
    for uid in draft.get("uids") or ():
        yield ("uids", str(uid)), "UID_TAKEN"


def absence_refusals(
    directory: Directory, staff: Staff, from_on: date, until_on: date, deputy: Staff | None
) -> Iterator[Refusal]:
    """Yield what speaks against `staff` being away in a period while `deputy` stands in.

    Nobody is away twice on one day; a deputy is somebody else, in post and there on every day; who stands in for
    somebody is not away then: a deputy passes nothing on.
    """
    if until_on < from_on:
        yield Refusal("ABSENCE_BACKWARDS")
        return
    if not (staff.active_on(from_on) and staff.active_on(until_on)):
        yield Refusal("ABSENT_INACTIVE", (staff.number,))
    if any(absence.overlaps(from_on, until_on) for absence in staff.absences):
        yield Refusal("ABSENCE_OVERLAP", (staff.number,))
    waiting = [
        other.number
        for other in directory.people
        for absence in other.absences
        if absence.deputy_id == staff.staff_id and absence.overlaps(from_on, until_on)
    ]
    if waiting:
        yield Refusal("STANDS_IN", tuple(dict.fromkeys(waiting)))
    if deputy is not None:
        yield from _deputy_refusals(staff, from_on, until_on, deputy)


def _deputy_refusals(staff: Staff, from_on: date, until_on: date, deputy: Staff) -> Iterator[Refusal]:
    if deputy.staff_id == staff.staff_id:
        yield Refusal("DEPUTY_SELF", (staff.number,))
        return
    if not (deputy.active_on(from_on) and deputy.active_on(until_on)):
        yield Refusal("DEPUTY_INACTIVE", (deputy.number,))
    if any(absence.overlaps(from_on, until_on) for absence in deputy.absences):
        yield Refusal("DEPUTY_ABSENT", (deputy.number,))
