"""Backups made before a purge and still kept: what they hold of it, and from when on nobody has them any more (DES-03).

Of who was destroyed they hold what opens with no key there is. Of values before changes they hold what opens as long as
the customer's own key does: those are gone for good only with the last of these sets.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from crmctl.policy.policyset import PolicySet
from crmctl.store import schema

DATA = "data"


class Set(NamedTuple):
    """A set of backups: its number, its kind, when it was made, the newest master key of then."""

    number: int
    kind: str
    made_at: datetime
    epoch: int


def sets(conn: Connection, before: datetime) -> list[Set]:
    """Return the sets made before a moment that the register still has, by number."""
    columns = schema.load_all().tables["backup"].c
    query = select(columns.backup_id, columns.kind, columns.made_at, columns.master_epoch).where(
        columns.made_at <= before, columns.removed_at.is_(None)
    )
    return [Set(*row) for row in conn.execute(query.order_by(columns.backup_id))]


def of_data(conn: Connection, before: datetime) -> list[Set]:
    """Return those of them that hold rows."""
    return [each for each in sets(conn, before) if each.kind == DATA]


def gone_after(policies: PolicySet, found: list[Set]) -> datetime | None:
    """Return from when on the policy lets the last of these sets go; None where it does not say."""
    if not policies.of_kind("backup"):
        return None
    settings: Any = policies.settings("backup")  # of a room that stands above this one
    days = settings.keep_data.days
    number = None if days is None else policies.figure(days)
    return None if number is None else max(each.made_at for each in found) + timedelta(int(number))
