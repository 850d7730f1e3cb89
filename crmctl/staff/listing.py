"""Reading the register: who matches, and what speaks against each owning customers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from crmctl.runs.run import Run, today
from crmctl.staff import facts
from crmctl.staff.decide import OwnerRules, may_own
from crmctl.staff.model import Directory, Staff
from crmctl.staff.policy import owner_rules
from crmctl.store import engine


@dataclass(frozen=True)
class Filters:
    """Which people; empty means any. `state` is that of the day looked at, `problems` only who may not own."""

    post: str = ""
    level: str = ""
    org_unit: str = ""
    state: str = ""
    problems: bool = False


@dataclass(frozen=True)
class Listed:
    """A person with why they may not own customers on the day looked at."""

    staff: Staff
    state: str
    problems: tuple[str, ...]


@dataclass(frozen=True)
class View:
    """The register as it is read: everybody, the day it is judged by, what owners must have."""

    directory: Directory
    day: date
    rules: OwnerRules

    def of(self, staff: Staff) -> Listed:
        """Return a person with state and problems."""
        state = "active" if staff.active_on(self.day) else "inactive"
        return Listed(staff, state, may_own(staff, self.day, self.rules))

    def deputy_of(self, staff: Staff) -> Staff | None:
        """Return who stands in for somebody who is away on the day."""
        away = staff.away_on(self.day)
        return self.directory.by_id.get(away.deputy_id or 0) if away and away.covered(self.day) else None

    def matching(self, filters: Filters) -> list[Listed]:
        """Return who matches, in order of staff id."""
        found = map(self.of, self.directory.people)
        return [
            item
            for item in found
            if (not filters.post or item.staff.post == filters.post)
            and (not filters.level or item.staff.level == filters.level)
            and (not filters.org_unit or item.staff.org_unit == filters.org_unit)
            and (not filters.state or item.state == filters.state)
            and (not filters.problems or item.problems)
        ]


def view(run: Run) -> View:
    """Return the register for the company's day of `run.as_of`: values are those of now, judged by that day."""
    with engine.read(run.engine) as conn:
        directory = facts.directory(conn)
    return View(directory, today(run.policies, run.as_of), owner_rules(run.policies))
