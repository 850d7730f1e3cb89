"""Which entries of the log leave it, and their exact bytes, streamed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select

from crmctl.audit import pruned
from crmctl.audit.listing import Filters, matching
from crmctl.audit.pruned import Mark
from crmctl.audit.raw import size as log_size
from crmctl.audit.reading import as_bytes, batches
from crmctl.audit.tables import audit_entry
from crmctl.clock import stamp

_TIME_KEY = '"ts":"'  # in the bytes of an entry; within a value its quotation marks would be escaped
_TIME_SIZE = 20
_AT_ONCE = 500


@dataclass(frozen=True)
class Wanted:
    """What to export: everything, what falls in a period (`until` exclusive), what touched one customer."""

    customer: int = 0
    since: datetime | None = None
    until: datetime | None = None

    @property
    def kind(self) -> str:
        """The kind of export: all, period, customer."""
        if self.customer:
            return "customer"
        return "period" if self.since or self.until else "all"


@dataclass(frozen=True)
class Selection:
    """The entries of an export: from `first` to `last` of a log of `size`, or only those in `numbers`.

    `mark` is what the log says of its beginning where that is pruned: nothing of it is exported.
    """

    wanted: Wanted
    size: int
    first: int
    last: int
    numbers: tuple[int, ...] | None = None
    mark: Mark | None = None

    @property
    def pruned(self) -> int:
        """How many entries of the beginning are pruned."""
        return self.mark.size if self.mark else 0

    @property
    def count(self) -> int:
        """How many entries."""
        return self.last - self.first + 1 if self.numbers is None else len(self.numbers)

    def runs(self) -> list[tuple[int, int]]:
        """Return the entries as runs [start, end), in order."""
        if self.numbers is None:
            return [(self.first, self.last + 1)] if self.count else []
        found = []
        for _key, run in groupby(enumerate(self.numbers), key=lambda pair: pair[1] - pair[0]):
            members = [number for _place, number in run]
            found.append((members[0], members[-1] + 1))
        return found

    def with_edges(self) -> Selection:
        """Return a period with the entry before and the entry after it, which show that nothing of it is missing."""
        if self.wanted.kind != "period" or not self.count:
            return self
        return replace(self, first=max(self.first - 1, self.pruned), last=min(self.last + 1, self.size - 1))


def choose(conn: Connection, wanted: Wanted) -> Selection:
    """Return the entries that `wanted` names, of the log as it is now.

    A period is one run: from its first entry to its last, in order of number. Where the clock once went back, that may
    bring entries of another time, and never leaves one out.
    """
    size, mark = log_size(conn), pruned.mark(conn)
    begin = mark.size if mark else 0
    if wanted.kind == "customer":
        filters = Filters(customer=wanted.customer, since=wanted.since, until=wanted.until, before=size)
        numbers = tuple(sorted(int(body["seq"]) for body in matching(conn, filters)))
        return Selection(wanted, size, 0, max(size - 1, 0), numbers, mark)
    if wanted.kind == "all":
        return Selection(wanted, size, begin, size - 1, mark=mark)
    first, last = _period(conn, wanted, size)
    first = max(first, begin)
    return Selection(wanted, size, first, max(last, first - 1), mark=mark)


def _period(conn: Connection, wanted: Wanted, size: int) -> tuple[int, int]:
    """Return the first entry at or after the beginning and the last before the end."""
    seq, time = audit_entry.c.seq, time_of(conn)
    first, last = 0, size - 1
    within = seq < size
    if wanted.since:
        found = conn.execute(select(func.min(seq)).where(within, time >= stamp(wanted.since))).scalar_one()
        first = size if found is None else int(found)
    if wanted.until:
        found = conn.execute(select(func.max(seq)).where(within, time < stamp(wanted.until))).scalar_one()
        last = -1 if found is None else int(found)
    return (first, last) if first <= last else (0, -1)


def time_of(conn: Connection) -> ColumnElement[str]:
    """Return what selects an entry's time; empty text where it is pruned."""
    body = audit_entry.c.body
    find = func.strpos if conn.dialect.name == "postgresql" else func.instr
    return func.substr(body, find(body, _TIME_KEY) + len(_TIME_KEY), _TIME_SIZE)


def bodies(conn: Connection, selection: Selection) -> Iterator[list[bytes]]:
    """Yield the exact bytes of the entries in order, many at a time."""
    columns = audit_entry.c
    text = as_bytes(conn, columns.body)
    if selection.numbers is None:
        if selection.count:
            yield from _column(conn, select(text).where(columns.seq.between(selection.first, selection.last)))
        return
    for start in range(0, len(selection.numbers), _AT_ONCE):
        part = selection.numbers[start : start + _AT_ONCE]
        yield from _column(conn, select(text).where(columns.seq.in_(part)))


def _column(conn: Connection, statement: Select[Any]) -> Iterator[list[bytes]]:
    for batch in batches(conn, statement.order_by(audit_entry.c.seq)):
        yield [row[0] for row in batch]


def lines(parts: Iterable[list[bytes]]) -> Iterator[bytes]:
    """Yield entries as they are written: each followed by a line feed, many at a time."""
    for part in parts:
        part.append(b"")
        yield b"\n".join(part)
