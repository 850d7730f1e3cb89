"""Owners that a file gives by a name which several of the staff have: nobody is guessed, the row says so (OWN-01).

The field is left empty and the customer flagged: `customer list --flag OWNER_AMBIGUOUS`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection

from sqlalchemy import Connection

from crmctl import staff
from crmctl.customers.model import Row
from crmctl.policy.model import folded
from crmctl.sheets.model import Rejected

FIELD, FLAG = "owner_name", "OWNER_AMBIGUOUS"
RowFunction = Callable[[int, list[str]], Row | Rejected]


def shared(conn: Connection) -> frozenset[str]:
    """Return the names that several people of the staff register have, and that are no number or account of one."""
    directory = staff.directory(conn)
    counts = Counter(folded(person.name) for person in directory.people)
    return frozenset(name for name, number in counts.items() if number > 1 and len(directory.meant(name)) > 1)


def guarded(rows: RowFunction, names: Collection[str]) -> RowFunction:
    """Return `rows` with an owner of one of these names left out, and the row flagged."""

    def row(number: int, cells: list[str]) -> Row | Rejected:
        found = rows(number, cells)
        if isinstance(found, Rejected):
            return found
        for place in (found.attributes, found.personal):
            owner = place.get(FIELD)
            if owner is not None and folded(str(owner)) in names:
                del place[FIELD]
                return found._replace(flags=(*found.flags, FLAG))
        return found

    return row
