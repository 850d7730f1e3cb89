"""The loop of an import: look up, decide, reserve, build, write one chunk while the next is being sealed (design §8).

Knows neither files nor click: `line` prepares and builds, `ground` looks up and writes (or pretends to).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from crmctl.customers.decide import ADD_CONTACT, MERGE, Candidate, Decided, Known, decide, pairs
from crmctl.customers.exchange import Built, Order, Stored
from crmctl.customers.pipeline import Line, Prepared
from crmctl.process import uncollected
from crmctl.runs import limits
from crmctl.sheets.model import Totals


class Ground(Protocol):
    """What an import stands on: `live.Live` or `rehearsal.Rehearsal`."""

    def holders(self, rows: list[Candidate]) -> Known: ...

    def names(self, pairs: set[tuple[bytes, int]]) -> set[tuple[bytes, int]]: ...

    def stored(self, merged: set[int], extended: set[int]) -> Stored: ...

    def numbers(self, at_most: int) -> int: ...

    def use(self, customers: int) -> None: ...

    def apply(self, built: Built) -> None: ...

    def finish(self) -> None: ...

    def close(self) -> None: ...


@dataclass
class Import:
    """One import in progress.

    `allowed` is how many customers older than the import (numbers below `newcomers`) it may change, None for no limit.
    """

    line: Line
    ground: Ground
    mode: str
    after: int
    chunk: int
    allowed: int | None
    newcomers: int
    policy: str
    tell: Callable[[int], None]
    totals: Totals = field(default_factory=Totals)
    waiting: Built | None = None
    waiting_known: Known = field(default_factory=Known)
    waiting_created: range = range(0)
    created: range = range(0)
    changed: set[int] = field(default_factory=set)

    def run(self) -> Totals:
        """Import everything the line has; return the totals."""
        with uncollected():
            prepared = self.line.next()
            while prepared is not None:
                self._block(prepared)
                prepared = self.line.next()
            self._write_waiting()
            self.ground.finish()
        return self.totals

    def _block(self, prepared: Prepared) -> None:
        start, final = 0, False
        while not final:
            rows = prepared.candidates[start:] if start else prepared.candidates
            chunk_known, decided, first = self._decide(rows)
            if decided.stopped and not decided.decisions:
                self._write_waiting()  # the first row depends on what is not written yet
                continue
            final = not decided.stopped
            order = self._order(prepared, start, final, decided, first)
            self.line.submit(order)
            self._write_waiting()
            self._take(chunk_known)
            start += len(decided.decisions)
            self.after = prepared.last_row if final else prepared.candidates[start].number - 1

    def _decide(self, rows: list[Candidate]) -> tuple[Known, Decided, int]:
        facts = self.ground.holders(rows)
        first = self.ground.numbers(len(rows))
        doubtful = pairs(rows, facts)
        if doubtful:
            facts.names |= self.ground.names(doubtful)
            facts.asked |= doubtful
        while True:
            chunk = Known()
            decided = decide(rows, facts, self.waiting_known, chunk, self.mode, first)
            if not decided.missing:
                return chunk, decided, first
            facts.names |= self.ground.names(decided.missing)
            facts.asked |= decided.missing

    def _order(self, prepared: Prepared, start: int, final: bool, decided: Decided, first: int) -> Order:
        decisions = decided.decisions
        self.ground.use(decided.created)
        self.created = range(first, first + decided.created)
        new = (self.created, self.waiting_created)
        merged = {d.customer_id for d in decisions if d.operation == MERGE and not _in(d.customer_id, new)}
        extended = {d.customer_id for d in decisions if d.operation == ADD_CONTACT and not _in(d.customer_id, new)}
        order = Order(
            block=prepared.block,
            chunk=self.chunk,
            start=start,
            final=final,
            after=self.after,
            decisions=decisions,
            stored=self.ground.stored(merged, extended),
        )
        self.chunk += 1
        return order

    def _take(self, known: Known) -> None:
        built = self.line.collect()
        self.waiting, self.waiting_known, self.waiting_created = built, known, self.created
        if self.allowed is not None:
            self.changed.update(customer for customer in built.touched if customer < self.newcomers)
            limits.check(len(self.changed), self.allowed, self.policy)

    def _write_waiting(self) -> None:
        if self.waiting is not None:
            self.ground.apply(self.waiting)
            self.totals.add(self.waiting.counts, self.waiting.reasons)
            self.tell(self.waiting.counts["read"])
        self.waiting, self.waiting_known, self.waiting_created = None, Known(), range(0)


def _in(number: int, ranges: tuple[range, ...]) -> bool:
    return any(number in numbers for numbers in ranges)
