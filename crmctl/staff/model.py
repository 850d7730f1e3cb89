"""A member of staff as other rooms see one, and whom a reference means. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

from crmctl.policy.model import folded


@dataclass(frozen=True, slots=True)
class Absence:
    """Days away, the first and the last included. `deputy_leaves` is the deputy's day of leaving, where there is one.

    `cancelled` is the stamp of its cancellation; a cancelled one counts for nothing.
    """

    absence_id: int
    staff_id: int
    from_on: date
    until_on: date
    deputy_id: int | None = None
    deputy_leaves: date | None = None
    cancelled: str | None = None

    def holds(self, day: date) -> bool:
        """Say whether `day` is one of its days."""
        return self.cancelled is None and self.from_on <= day <= self.until_on

    def overlaps(self, from_on: date, until_on: date) -> bool:
        """Say whether it shares a day with the period."""
        return self.cancelled is None and self.from_on <= until_on and from_on <= self.until_on

    def covered(self, day: date) -> bool:
        """Say whether somebody stands in on `day`: a deputy who has not left."""
        return self.deputy_id is not None and (self.deputy_leaves is None or day < self.deputy_leaves)


@dataclass(frozen=True)
class Staff:
    """One person. `capacity` None means as the policy says; `absences` are in order of their first day."""

    staff_id: int
    number: str
    name: str
    post: str | None = None
    level: str | None = None
    department: str | None = None
    org_unit: str | None = None
    region: str | None = None
    capacity: int | None = None
    languages: tuple[str, ...] = ()
    hr_id: str | None = None
    wecom_id: str | None = None
    dingtalk_id: str | None = None
    uids: tuple[int, ...] = ()
    trained_on: date | None = None
    signed_on: date | None = None
    joined_on: date | None = None
    left_on: date | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    absences: tuple[Absence, ...] = ()

    def active_on(self, day: date) -> bool:
        """Say whether the person is in post on `day`; on the day of leaving no longer."""
        return (self.joined_on is None or self.joined_on <= day) and (self.left_on is None or day < self.left_on)

    def away_on(self, day: date) -> Absence | None:
        """Return the absence that holds on `day`."""
        return next((absence for absence in self.absences if absence.holds(day)), None)


@dataclass(frozen=True)
class Directory:
    """Everybody there is or was, in order of staff id."""

    people: tuple[Staff, ...]

    @cached_property
    def by_id(self) -> Mapping[int, Staff]:
        """People by staff id."""
        return {person.staff_id: person for person in self.people}

    @cached_property
    def by_number(self) -> Mapping[str, Staff]:
        """People by staff number, without case and width."""
        return {folded(person.number): person for person in self.people}

    @cached_property
    def _by_wecom(self) -> Mapping[str, Staff]:
        return {folded(person.wecom_id): person for person in self.people if person.wecom_id}

    @cached_property
    def _by_name(self) -> Mapping[str, list[Staff]]:
        found: dict[str, list[Staff]] = {}
        for person in self.people:
            found.setdefault(folded(person.name), []).append(person)
        return found

    def meant(self, reference: str) -> list[Staff]:
        """Return whom `reference` may mean: nobody, one, or several of one name.

        What it is, is tried in this order: staff number, staff id (`S-000012`), WeCom userid, name.
        """
        key = folded(reference)
        found = self.by_number.get(key) or self.by_id.get(_staff_id(key)) or self._by_wecom.get(key)
        return [found] if found else self._by_name.get(key, [])

    def of(self, day: date) -> Iterable[Staff]:
        """Yield who is in post on `day`."""
        return (person for person in self.people if person.active_on(day))


def _staff_id(key: str) -> int:
    digits = key.removeprefix("s").removeprefix("-")
    return int(digits) if key.startswith("s") and digits.isascii() and digits.isdecimal() and len(digits) < 16 else 0


def id_text(staff_id: int) -> str:
    """Return the staff id people see: S-000012."""
    return f"S-{staff_id:06d}"
