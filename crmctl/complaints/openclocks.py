"""Clocks that run, of all complaints, page by page: the first to end first. No query for a single row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from sqlalchemy import Connection, Engine, literal, select, tuple_

from crmctl.cases import terms as case_terms
from crmctl.cases.clockwork import Clock
from crmctl.cases.terms import Terms
from crmctl.complaints import columns
from crmctl.complaints.model import Row, clock_of
from crmctl.complaints.tables import complaint, complaint_clock
from crmctl.store import bulk, engine

PAGE = 2_000
_CASE = (
    "customer_id", "complaint_id", "number", "org_unit", "first_receiver_id", "handler_id", "about",
    "linked_customer_id", "terms", "policy",
)  # fmt: skip
_C = complaint_clock.c
_ORDER = (_C.due_at, _C.customer_id, _C.clock_id)


class Key(NamedTuple):
    """Where a clock stands in the order of their ends."""

    due_at: datetime
    customer_id: int
    clock_id: int
    complaint_id: int


@dataclass(frozen=True)
class Open:
    """A clock that runs and has a limit, with what of its complaint it takes to judge it; rows as they are stored."""

    row: Row
    case: Row

    @cached_property
    def clock(self) -> Clock:
        """The clock."""
        return clock_of(self.row)

    @cached_property
    def terms(self) -> Terms:
        """The terms its complaint was accepted under."""
        return case_terms.loads(self.case["terms"])

    @property
    def number(self) -> str:
        """Acceptance number of its complaint."""
        return str(self.case["number"])

    @property
    def about(self) -> tuple[int, ...]:
        """Staff that its complaint is about."""
        return tuple(map(int, (self.case["about"] or "").split()))

    @property
    def calendar(self) -> str:
        """Name of the calendar its stage runs by; empty for that of the org unit."""
        stage = self.terms.stage(self.row["stage"])
        return stage.calendar if stage is not None else ""


def pages(base: Engine) -> Iterator[list[Key]]:
    """Yield the clocks that run and have a limit, each page read for itself: nothing is held between two."""
    last: Key | None = None
    while True:
        query = select(*_ORDER, _C.complaint_id).where(_C.stopped_at.is_(None), _C.due_at.is_not(None))
        if last is not None:
            begin = (literal(value, column.type) for value, column in zip(last[:3], _ORDER, strict=True))
            query = query.where(tuple_(*_ORDER) > tuple_(*begin))
        with engine.read(base) as conn:
            found = [Key(*row) for row in conn.execute(query.order_by(*_ORDER).limit(PAGE))]
        if found:
            yield found
        if len(found) < PAGE:
            return
        last = found[-1]


def loaded(conn: Connection, keys: Sequence[Key], *, locked: bool = False) -> list[Open]:
    """Return those of the clocks that still run and have a limit, in the order of `keys`.

    `locked`: nobody else changes their complaints, and with them the clocks, until the transaction ends.
    """
    if locked:
        customers = sorted({key.customer_id for key in keys})
        bulk.fetch_by_keys(conn, complaint, "customer_id", customers, ("complaint_id",), locked=True)
    places = {(key.customer_id, key.complaint_id) for key in keys}
    rows = bulk.fetch_pairs(conn, complaint, _CASE[:2], places, _CASE)
    cases = {row[:2]: dict(zip(_CASE, row, strict=True)) for row in rows}
    wanted = {(key.customer_id, key.clock_id) for key in keys}
    clocks = {
        row[:2]: dict(zip(columns.CLOCK, row, strict=True))
        for row in bulk.fetch_pairs(conn, complaint_clock, columns.CLOCK[:2], wanted, columns.CLOCK)
    }
    found = []
    for key in keys:
        row = clocks.get((key.customer_id, key.clock_id))
        if row is not None and row["stopped_at"] is None and row["due_at"] is not None:
            found.append(Open(row, cases[key.customer_id, key.complaint_id]))
    return found
