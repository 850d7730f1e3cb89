"""What the database knows of complaints: one whole, by its acceptance number."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from sqlalchemy import Connection, Table, select

from crmctl.cases import numbers
from crmctl.complaints import columns, tables
from crmctl.complaints.model import Case, Row
from crmctl.store import bulk

KIND = "complaint"
_STORED = (*columns.COMPLAINT, "sealed", "sealed_hash")
_FEW = 100  # complaints asked for by their own numbers; of more, all of their customers' are read


def place_of(conn: Connection, number: str) -> tuple[int, int] | None:
    """Return customer and own number of the complaint with this acceptance number; None where there is none.

    The look-up is believed where the complaint bears the number. Where its row is gone or leads elsewhere, behind the
    program's back, the complaint is found by its own: nobody hides one by taking it out of an index (CMP-23).
    """
    columns_ = tables.complaint.c
    places = select(columns_.customer_id, columns_.complaint_id).where(columns_.number == number)
    noted = numbers.place_of(conn, KIND, number)
    if noted is not None:
        there = places.where(columns_.customer_id == noted[0], columns_.complaint_id == noted[1])
        if conn.execute(there).first() is not None:
            return noted
    row = conn.execute(places.limit(1)).first()
    return None if row is None else (int(row[0]), int(row[1]))


def case(conn: Connection, place: tuple[int, int], *, locked: bool = False) -> Case | None:
    """Return one complaint; `locked` nobody else changes it until the caller's transaction ends."""
    return next(iter(cases(conn, (place,), locked=locked)), None)


def cases(conn: Connection, places: Collection[tuple[int, int]], *, locked: bool = False) -> Iterator[Case]:
    """Yield complaints by customer and own number, in that order, with what happened to them and their clocks."""
    wanted = set(places)
    customers = sorted({customer for customer, _own in wanted})
    few = {"complaint_id": {own for _customer, own in wanted}} if len(wanted) <= _FEW else {}
    rows = bulk.fetch_by_keys(conn, tables.complaint, "customer_id", customers, _STORED, extra=few, locked=locked)
    events = _by_case(conn, tables.complaint_event, customers, columns.EVENT, few)
    clocks = _by_case(conn, tables.complaint_clock, customers, columns.CLOCK, few)
    for row in sorted(rows, key=lambda each: each[:2]):
        place = (row[0], row[1])
        if place in wanted:
            found = dict(zip(_STORED, row, strict=True))
            sealed, sealed_hash = found.pop("sealed"), found.pop("sealed_hash")
            yield Case(found, sealed, sealed_hash, tuple(events.get(place, ())), tuple(clocks.get(place, ())))


def _by_case(
    conn: Connection, table: Table, customers: Sequence[int], names: tuple[str, ...], few: Mapping[str, Collection[int]]
) -> dict[tuple[int, int], list[Row]]:
    found: dict[tuple[int, int], list[Row]] = {}
    for row in sorted(bulk.fetch_by_keys(conn, table, "customer_id", customers, names, extra=few)):
        values = dict(zip(names, row, strict=True))
        found.setdefault((values["customer_id"], values["complaint_id"]), []).append(values)
    return found


def private_events(conn: Connection, found: Case) -> list[tuple[Row, bytes | None]]:
    """Return what happened to a complaint with the envelopes, in order."""
    names = (*columns.EVENT, "sealed")
    own = {"complaint_id": (found.complaint_id,)}
    rows = bulk.fetch_by_keys(conn, tables.complaint_event, "customer_id", (found.customer_id,), names, extra=own)
    whole = (dict(zip(names, row, strict=True)) for row in sorted(rows, key=lambda row: row[1]))
    return [(row, row.pop("sealed")) for row in whole]
