"""Who may own customers on a day, and how many each has: the people on the bench, and their books (OWN-01, OWN-05)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from sqlalchemy import Connection, func, select

from crmctl import staff
from crmctl.customers.model import CANCELLED as CANCELLED
from crmctl.customers.model import NO_CUSTOMER as NO_CUSTOMER  # who is one no more, or not yet, needs no owner
from crmctl.customers.tables import customer
from crmctl.i18n import N_, _
from crmctl.runs.run import Run, today
from crmctl.staff import Directory, OwnerRules, Staff
from crmctl.staff.decide import INACTIVE
from crmctl.staff.showing import problem_text

UNKNOWN = "NOT_ON_REGISTER"
NO_OWNER = "NO_OWNER"
OURS = {UNKNOWN: N_("not on the staff register"), NO_OWNER: N_("nobody")}


@dataclass(frozen=True)
class Bench:
    """The staff register as it stands on `day`, and what owners must have."""

    directory: Directory
    day: date
    rules: OwnerRules
    default_capacity: int | None

    def problems(self, staff_id: int | None) -> tuple[str, ...]:
        """Return why somebody may not own customers: codes, none where nothing speaks against it."""
        if staff_id is None:
            return (NO_OWNER,)
        person = self.directory.by_id.get(staff_id)
        return (UNKNOWN,) if person is None else staff.may_own(person, self.day, self.rules)

    def active(self, staff_id: int | None) -> bool:
        """Say whether this is somebody in post: an active owner, whatever else speaks against them (OWN-01)."""
        return not {NO_OWNER, UNKNOWN, INACTIVE}.intersection(self.problems(staff_id))

    def capacity(self, person: Staff) -> int | None:
        """Return how many customers a person looks after at most; None where neither register nor policy says."""
        return self.default_capacity if person.capacity is None else person.capacity

    def deputy(self, person: Staff) -> Staff | None:
        """Return who stands in for a person on the day: derived from the absence, and over with it."""
        away = person.away_on(self.day)
        if away is None or away.deputy_id is None or not away.covered(self.day):
            return None
        return self.directory.by_id.get(away.deputy_id)

    def name(self, staff_id: int | None) -> str:
        """Return a person as colleagues know one: name and staff number."""
        if staff_id is None:
            return ""
        person = self.directory.by_id.get(staff_id)
        return f"{person.name} ({person.number})" if person else str(staff_id)

    def number(self, staff_id: int | None) -> str | None:
        """Return a person's staff number."""
        person = self.directory.by_id.get(staff_id or 0)
        return None if person is None else person.number

    @cached_property
    def standing_in(self) -> Mapping[int, tuple[Staff, ...]]:
        """Whom each deputy stands in for on the day, by the deputy's staff id."""
        found: dict[int, tuple[Staff, ...]] = {}
        for person in self.directory.people:
            deputy = self.deputy(person)
            if deputy is not None:
                found[deputy.staff_id] = (*found.get(deputy.staff_id, ()), person)
        return found


def bench(conn: Connection, run: Run) -> Bench:
    """Return the register on the day the run decides for."""
    day = today(run.policies, run.as_of)
    return Bench(staff.directory(conn), day, staff.owner_rules(run.policies), staff.default_capacity(run.policies))


def books(conn: Connection, *conditions: object) -> dict[int | None, int]:
    """Return how many customers each owner has, None of them those without; cancelled ones are left out."""
    columns = customer.c
    query = select(columns.owner_id, func.count()).where(columns.status.not_in(NO_CUSTOMER), *conditions)  # type: ignore[arg-type]
    return {owner: int(number) for owner, number in conn.execute(query.group_by(columns.owner_id))}


def said(code: str) -> str:
    """Return a reason against an owner in words."""
    return _(OURS[code]) if code in OURS else problem_text(code)
