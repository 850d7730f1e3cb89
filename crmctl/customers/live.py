"""The real ground of an import: look-ups, stored rows, numbers and writing in the workspace's own database."""

from __future__ import annotations

from collections.abc import Sequence

from crmctl.customers import apply, facts
from crmctl.customers.apply import Reserved
from crmctl.customers.build import Built, Stored
from crmctl.customers.decide import Candidate, Known
from crmctl.runs.run import Run
from crmctl.store import engine


class Live:
    """What an import stands on. `rehearsal.Rehearsal` answers the same calls and writes nothing."""

    def __init__(self, run: Run, batch_id: int, epochs: Sequence[int]) -> None:
        self.run, self.batch_id, self.epochs = run, batch_id, epochs

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
        if not merged and not extended:
            return Stored()
        with engine.read(self.run.engine) as conn:
            customers = facts.customers(conn, merged)
            contacts = facts.contacts(conn, merged)
            counts = facts.contact_counts(conn, extended)
        return Stored(self.run.keys.fetch("customer", merged | extended), customers, contacts, counts)

    def reserve(self, chunk: int, customers: int, changes: int) -> Reserved:
        """Take the numbers a chunk needs."""
        return apply.reserve(self.run, self.batch_id, chunk, customers, changes)

    def apply(self, built: Built) -> None:
        """Write a chunk."""
        apply.apply(self.run, self.batch_id, built)

    def close(self) -> None:
        """Nothing to give back."""
