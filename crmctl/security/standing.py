"""What the staff register says of a person of access.yaml: whose customers are theirs, and which papers it misses.

A person is the member of staff whose number access.yaml gives (`staff`), and whoever has one of the person's accounts
(`uids`) on the register. The register can only take away: papers count when access.yaml and the register have them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, cast

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from crmctl.security.access import Person

# A dotted name, resolved on use: foundations import no subject.
REGISTER = "crmctl.staff.standing:records"


class Record(NamedTuple):
    """A line of the staff register, as far as access depends on it."""

    staff_id: int
    number: str
    org_unit: str | None
    signed_on: date | None
    trained_on: date | None
    left_on: date | None


@dataclass(frozen=True, slots=True)
class Standing:
    """The lines of the register that are one person's; more than one only where their accounts were not kept apart."""

    records: Sequence[Record]

    @property
    def staff_ids(self) -> tuple[int, ...]:
        """Return whose customers are the person's own."""
        return tuple(record.staff_id for record in self.records)

    @property
    def org_unit(self) -> str | None:
        """Return the org unit; None when the lines name several."""
        units = {record.org_unit for record in self.records}
        return units.pop() if len(units) == 1 else None

    def missing(self, on: date | None, *, signed: bool, trained: bool) -> str:
        """Return the code of what keeps the person out on a day, empty when nothing does."""
        for record in self.records:
            if on is not None and record.left_on is not None and record.left_on <= on:
                return "STAFF_LEFT"
            if signed and not done(record.signed_on, on):
                return "STAFF_UNDERTAKING_MISSING"
            if trained and not done(record.trained_on, on):
                return "STAFF_TRAINING_MISSING"
        return ""


def done(day: date | None, on: date | None) -> bool:
    """Say whether something was done by the day `on`; without one, ever."""
    return day is not None and (on is None or day <= on)


def of(conn: Connection, person: Person) -> Standing | None:
    """Return what the register says of a person; None when it does not know them."""
    module, _colon, name = REGISTER.partition(":")
    find = cast(
        "Callable[[Connection, str | None, Collection[int]], list[Record]]", getattr(import_module(module), name)
    )
    found = find(conn, person.staff, person.uids)
    return Standing(tuple(found)) if found else None
