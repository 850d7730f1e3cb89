"""The real ground of an import: look-ups, stored rows, numbers and writing in the workspace's own database."""

from __future__ import annotations

from collections.abc import Sequence

from crmctl.customers import apply, facts
from crmctl.customers.decide import Candidate, Known
from crmctl.customers.exchange import Built, Found, Stored
from crmctl.runs.run import Run
from crmctl.store import engine


class Live:
    """What an import stands on. `rehearsal.Rehearsal` answers the same calls and writes nothing."""

    def __init__(self, run: Run, batch_id: int, epochs: Sequence[int]) -> None:
        self.run, self.batch_id, self.epochs = run, batch_id, epochs
        self.free = range(0)
        self.reserved = 0

    def holders(self, rows: Sequence[Candidate]) -> Known:
        """Return who holds the keys of `rows`."""
        with engine.read(self.run.engine) as conn:
            return facts.holders(conn, rows, self.epochs)

    def names(self, pairs: set[tuple[bytes, int]]) -> set[tuple[bytes, int]]:
        """Return those (name, customer) pairs that hold."""
        with engine.read(self.run.engine) as conn:
            return facts.names(conn, pairs, self.epochs)

    def stored(self, merged: set[int], extended: set[int]) -> Stored:
        """Return what is stored of customers to be merged into, and of companies that get one more contact."""
        return Stored.of(self.found(merged, extended))

    def found(self, merged: set[int], extended: set[int]) -> Found:
        """Return the same as rows."""
        if not merged and not extended:
            return Found()
        with engine.read(self.run.engine) as conn:
            customers = facts.customers(conn, merged)
            contacts = facts.contacts(conn, merged)
            counts = facts.contact_counts(conn, extended)
        return Found(self.run.keys.fetch("customer", merged | extended), customers, contacts, counts)

    def numbers(self, at_most: int) -> int:
        """Return the first of at least `at_most` free numbers in a row, reserved for this batch."""
        if len(self.free) < at_most:
            wanted = at_most - len(self.free)
            self.reserved += 1
            first = apply.reserve(self.run, self.batch_id, self.reserved, wanted)
            if first == self.free.stop:
                self.free = range(self.free.start, first + wanted)
            else:  # somebody else took numbers meanwhile: the rest of ours stays a gap
                self.free = range(first, first + wanted)
                return self.numbers(at_most)
        return self.free.start

    def use(self, customers: int) -> None:
        """Note that the next `customers` numbers are given."""
        self.free = self.free[customers:]

    def apply(self, built: Built) -> None:
        """Write a chunk, if the import's lock is still ours."""
        if self.run.held is not None:
            self.run.held.check()
        apply.apply(self.run, self.batch_id, built)

    def finish(self) -> None:
        """Give back the numbers that were not needed."""
        apply.release(self.run, self.batch_id, self.free)

    def close(self) -> None:
        """Nothing to close; numbers of an interrupted batch are settled by `batch resume`."""
