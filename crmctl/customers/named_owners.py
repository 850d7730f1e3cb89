"""Owners that a file names: whoever is meant by the text and may own customers becomes the owner (OWN-01, OWN-05).

Nobody is guessed: a name that several of the staff have is left out, and the customer flagged `OWNER_AMBIGUOUS`. The
name of somebody who may not own customers is kept as text, and the customer flagged `OWNER_UNFIT`. A text that means
nobody on the register is kept as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from crmctl import staff
from crmctl.customers.drafting import Memory
from crmctl.customers.model import NO_CUSTOMER, Row
from crmctl.sheets.model import Rejected
from crmctl.staff.decide import ABSENT

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from crmctl.runs.run import Run
    from crmctl.staff import Directory, OwnerRules

FIELD, AMBIGUOUS, UNFIT = "owner_name", "OWNER_AMBIGUOUS", "OWNER_UNFIT"
FLAGS = frozenset((AMBIGUOUS, UNFIT))
RowFunction = Callable[[int, list[str]], Row | Rejected]
_TEXTS = 10_000  # different ones of a file whose meaning is remembered


@dataclass(frozen=True)
class Roster:
    """The staff register on the day an import decides for, and what owners must have. Picklable."""

    directory: Directory
    day: date
    rules: OwnerRules

    def meant(self, text: str) -> int | str | None:
        """Return the staff id of whoever may own customers and is meant; else a flag, or None for nobody known.

        Who is only away stays an owner, as `owner assign` has it.
        """
        found = self.directory.meant(text)
        if len(found) > 1:
            return AMBIGUOUS
        if not found:
            return None
        problems = staff.may_own(found[0], self.day, self.rules)
        return UNFIT if set(problems) - {ABSENT} else found[0].staff_id


def roster(conn: Connection, run: Run) -> Roster | None:
    """Return whom a file may name; None where the register is empty."""
    from crmctl.runs.run import today  # loads the database library, which a process that only reads does without

    directory = staff.directory(conn)
    if not directory.people:
        return None
    return Roster(directory, today(run.policies, run.as_of), staff.owner_rules(run.policies))


def adopting(rows: RowFunction, roster: Roster) -> RowFunction:
    """Return `rows` with `owner` filled where a row names one; a name of several left out, both problems flagged."""
    known = Memory(roster.meant, _TEXTS)

    def row(number: int, cells: list[str]) -> Row | Rejected:
        found = rows(number, cells)
        if isinstance(found, Rejected):
            return found
        for place in (found.attributes, found.personal):
            text = place.get(FIELD)
            if text is not None:
                owner: int | str | None = known[str(text)]
                if owner is None:
                    return found
                if isinstance(owner, int):
                    return found._replace(owner=owner)
                if owner == AMBIGUOUS:
                    del place[FIELD]
                return found._replace(flags=(*found.flags, owner))
        return found

    return row


def named(*places: Mapping[str, Any]) -> object:
    """Return the owner as a record's fields give it; None where they give none."""
    return next((place[FIELD] for place in places if FIELD in place), None)


def concerns(row: Row, before: Mapping[str, Any]) -> bool:
    """Say whether a row and a stored customer have anything to settle."""
    return bool(row.flags) or row.owner is not None or not FLAGS.isdisjoint(str(before.get("flags", "")).split())


def settled(clear: dict[str, Any], row: Row, before: Mapping[str, Any], says: object, stands: object) -> None:
    """Give a stored customer the owner and the flags that a row brings; `clear` are its columns as they are to be.

    `before` are its columns as they are; whom the row names is what it `says`, whom the customer's own fields name is
    what `stands`. Whoever has an owner keeps it, whatever a file says: `crmctl owner` alone changes it. Nor does a file
    bring back whom it named before: such a customer has lost its owner since, unless that one could not own it then.
    """
    kept, new = set(str(before.get("flags", "")).split()), set(row.flags)
    newly = says != stands
    if "owner_id" in before or before.get("status") in NO_CUSTOMER:
        kept -= FLAGS
        new -= FLAGS
    elif row.owner is not None and (newly or UNFIT in kept):
        clear["owner_id"] = row.owner
        kept -= FLAGS
    elif not newly:
        new -= {UNFIT}
    elif says is not None and not new & FLAGS:
        kept -= FLAGS  # somebody the register does not have
    clear.pop("flags", None)
    if kept or new:
        clear["flags"] = " ".join(sorted(kept | new))
