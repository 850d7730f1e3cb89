"""Which lines of the register are a person of access.yaml: by staff number, and by accounts of the operating system."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from sqlalchemy import Connection, Select, Text, or_, select, type_coerce

from crmctl.security.standing import Record
from crmctl.staff.tables import absence, staff


def records(conn: Connection, number: str | None, uids: Collection[int]) -> list[Record]:
    """Return the lines with this staff number or one of these uids, by staff id."""
    columns = staff.c
    held = type_coerce(" " + columns.uids + " ", Text)
    mine = [held.contains(f" {uid} ", autoescape=True) for uid in uids]
    if number is not None:
        mine.append(columns.number == number)
    if not mine:
        return []
    query = select(
        columns.staff_id, columns.number, columns.org_unit, columns.signed_on, columns.trained_on, columns.left_on
    ).where(or_(*mine))
    rows = conn.execute(query.order_by(columns.staff_id)).all()
    return [Record(row[0], row[1], row[2], *(_day(text) for text in row[3:])) for row in rows]


def represented(deputies: Collection[int], day: date) -> Select[tuple[int]]:
    """Return the question whom these staff stand in for on a day: while an absence holds, and no longer."""
    columns = absence.c
    today = day.isoformat()
    return select(columns.staff_id).where(
        columns.deputy_id.in_(deputies),
        columns.from_on <= today,
        columns.until_on >= today,
        columns.cancelled_at.is_(None),
    )


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
