"""What the database knows about staff. The register is small: it is read whole, once for a command."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import orjson
from sqlalchemy import Connection, select

from crmctl.staff import columns, tables
from crmctl.staff.model import Absence, Directory, Staff
from crmctl.store import bulk

Row = Mapping[str, Any]


def directory(conn: Connection) -> Directory:
    """Return everybody with their absences."""
    staff = tables.staff.c
    rows = conn.execute(select(*(staff[name] for name in _READ)).order_by(staff.staff_id)).all()
    left = {row.staff_id: _day(row.left_on) for row in rows}
    absences: dict[int, list[Absence]] = {}
    away = tables.absence.c
    for row in conn.execute(select(tables.absence).order_by(away.staff_id, away.from_on, away.absence_id)):
        absences.setdefault(row.staff_id, []).append(
            Absence(
                row.absence_id,
                row.staff_id,
                date.fromisoformat(row.from_on),
                date.fromisoformat(row.until_on),
                row.deputy_id,
                left.get(row.deputy_id),
                row.cancelled_at.isoformat() if row.cancelled_at else None,
            )
        )
    return Directory(tuple(person(row._mapping, absences.get(row.staff_id, ())) for row in rows))


_READ = ("staff_id", *columns.FIELDS, "attributes")


def person(row: Mapping[Any, Any], absences: Iterable[Absence] = ()) -> Staff:
    """Return the person whom a row of `staff` describes."""
    return Staff(
        staff_id=row["staff_id"],
        number=row["number"],
        name=row["name"],
        post=row["post"],
        level=row["level"],
        department=row["department"],
        org_unit=row["org_unit"],
        region=row["region"],
        capacity=row["capacity"],
        languages=tuple((row["languages"] or "").split()),
        hr_id=row["hr_id"],
        wecom_id=row["wecom_id"],
        dingtalk_id=row["dingtalk_id"],
        uids=tuple(map(int, (row["uids"] or "").split())),
        trained_on=_day(row["trained_on"]),
        signed_on=_day(row["signed_on"]),
        joined_on=_day(row["joined_on"]),
        left_on=_day(row["left_on"]),
        attributes=orjson.loads(row["attributes"]) if row["attributes"] else {},
        absences=tuple(absences),
    )


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def every_row(conn: Connection) -> dict[int, Row]:
    """Return every row of staff as the change log hashes it, by staff id."""
    return staff_rows(conn, conn.execute(select(tables.staff.c.staff_id)).scalars())


def staff_rows(conn: Connection, ids: Iterable[int]) -> dict[int, Row]:
    """Return rows of staff as the change log hashes them, by staff id."""
    found = bulk.fetch_by_keys(conn, tables.staff, "staff_id", sorted(ids), columns.STAFF)
    return {row[0]: dict(zip(columns.STAFF, row, strict=True)) for row in found}


def absence_row(conn: Connection, absence_id: int) -> Row:
    """Return the row of an absence as the change log hashes it."""
    found = bulk.fetch_by_keys(conn, tables.absence, "absence_id", [absence_id], columns.ABSENCE)
    return dict(zip(columns.ABSENCE, found[0], strict=True))
