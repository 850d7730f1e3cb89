"""Acceptance numbers (受理编号): one a case, counted from 1 each day of the company, without gaps (CMP-03)."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date

from sqlalchemy import Connection, insert, select

from crmctl.cases.policy import Numbering
from crmctl.cases.tables import case_number
from crmctl.errors import InvalidInput
from crmctl.i18n import _
from crmctl.store import bulk, counters

FORM = re.compile(r"[A-Z]{2,6}-[0-9]{8}-[0-9]{3,9}", re.ASCII)


def take(conn: Connection, numbering: Numbering, day: date, n: int = 1) -> list[str]:
    """Return the next `n` numbers of a day, in the caller's transaction.

    Whoever wants one meanwhile waits until it ends; rolled back, the numbers were never taken: there is no gap.
    """
    first = counters.take(conn, f"{numbering.prefix}-{day:%Y%m%d}", n)
    return [f"{numbering.prefix}-{day:%Y%m%d}-{number:0{numbering.digits}d}" for number in range(first, first + n)]


def keep(conn: Connection, kind: str, numbers: list[tuple[str, int, int]]) -> None:
    """Note where cases are kept: each (number, customer, the case's own number)."""
    if len(numbers) == 1:
        number, customer_id, object_id = numbers[0]
        values = {"number": number, "kind": kind, "customer_id": customer_id, "object_id": object_id}
        conn.execute(insert(case_number).values(values))
        return
    rows = ((number, kind, customer_id, object_id) for number, customer_id, object_id in numbers)
    bulk.insert_rows(conn, case_number, ("number", "kind", "customer_id", "object_id"), rows)


def place_of(conn: Connection, kind: str, number: str) -> tuple[int, int] | None:
    """Return customer and own number of the case that people call so; None for none of this kind."""
    columns = case_number.c
    query = select(columns.customer_id, columns.object_id).where(columns.number == number, columns.kind == kind)
    row = conn.execute(query).first()
    return None if row is None else (int(row[0]), int(row[1]))


def places_of(conn: Connection, kind: str, wanted: Collection[str]) -> dict[str, tuple[int, int]]:
    """Return customer and own number of the cases that go by these numbers; those there are none of are left out."""
    columns = ("number", "customer_id", "object_id")
    rows = bulk.fetch_by_keys(conn, case_number, "number", wanted, columns, extra={"kind": (kind,)})
    return {number: (int(customer_id), int(own)) for number, customer_id, own in rows}


def parsed(text: str) -> str:
    """Return an acceptance number as typed, in its form. Raises InvalidInput for anything else."""
    import unicodedata

    plain = unicodedata.normalize("NFKC", text).strip().upper()
    if not FORM.fullmatch(plain):
        raise InvalidInput(
            _("not an acceptance number"), hint=_("write it as CMP-20261121-0007"), code="NUMBER_INVALID"
        )
    return plain
