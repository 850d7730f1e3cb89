"""The ground of a dry run: the same calls as `live.Live`, answered from the database and from what the run would have
written so far. That is kept in a private temporary database of SQLite (no name, gone with the process), sealed and
digested like the real one; the workspace is only read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, create_engine

from crmctl.customers import facts, tables
from crmctl.customers.columns import CONTACT, CUSTOMER, IDENTITY
from crmctl.customers.decide import Candidate, Known
from crmctl.customers.exchange import Built, Found, Stored
from crmctl.customers.live import Live
from crmctl.runs.run import Run
from crmctl.store import bulk, sqlite
from crmctl.store.metadata import metadata

SECTIONS = (
    ("customers", tables.customer, CUSTOMER),
    ("contacts", tables.contact, CONTACT),
    ("identities", tables.identity, IDENTITY),
    ("changed_customers", tables.customer, CUSTOMER),
    ("changed_contacts", tables.contact, CONTACT),
)
FIRST_CUSTOMER = 1 << 56  # beyond any real number


class Rehearsal:
    """What a dry run stands on."""

    def __init__(self, run: Run, batch_id: int, epochs: Sequence[int]) -> None:
        self.real = Live(run, batch_id, epochs)
        self.epochs = epochs
        self.scratch = _scratch()
        self.next_customer = FIRST_CUSTOMER
        self.keys: dict[int, Any] = {}
        self.dropped: set[tuple[Any, ...]] = set()

    def holders(self, rows: Sequence[Candidate]) -> Known:
        """Return who would hold the keys of `rows`."""
        known = self.real.holders(rows)
        for ident, held in known.holders.items():
            known.holders[ident] = [customer for customer in held if not self._dropped(ident, customer)]
        with self.scratch.begin() as conn:
            for ident, held in facts.holders(conn, rows, self.epochs).holders.items():
                known.holders.setdefault(ident, []).extend(held)
        return known

    def _dropped(self, ident: bytes, customer: int) -> bool:
        slot = 0 if customer > 0 else -customer
        return bool(self.dropped) and any((ident[:16], ident[16], epoch, slot) in self.dropped for epoch in self.epochs)

    def names(self, pairs: set[tuple[bytes, int]]) -> set[tuple[bytes, int]]:
        """Return those (name, customer) pairs that would hold."""
        held = {pair for pair in self.real.names(pairs) if not self._dropped(pair[0], -pair[1])}
        with self.scratch.begin() as conn:
            return held | facts.names(conn, pairs, self.epochs)

    def stored(self, merged: set[int], extended: set[int]) -> Stored:
        """Return what would be stored: what the run has touched in front of what the database holds."""
        real = self.real.found(merged, extended)
        with self.scratch.begin() as conn:
            customers = {**real.customers, **facts.customers(conn, merged)}
            contacts = dict(real.contacts)
            for customer, rows in facts.contacts(conn, merged).items():
                newer = {row[1]: row for row in rows}
                older = {row[1]: row for row in contacts.get(customer, [])}
                contacts[customer] = [row for _number, row in sorted({**older, **newer}.items())]
            counts = {**real.contact_counts, **facts.contact_counts(conn, extended)}
        wrapper = self.real.run.keys.wrapper
        fresh = {n: wrapper.unwrap(self.keys[n]) for n in merged | extended if n in self.keys}
        return Stored.of(Found({**real.keys, **fresh}, customers, contacts, counts))

    def numbers(self, at_most: int) -> int:
        """Return a number that nobody keeps."""
        del at_most
        return self.next_customer

    def use(self, customers: int) -> None:
        """Note that the next `customers` numbers are given."""
        self.next_customer += customers

    def apply(self, built: Built) -> None:
        """Remember a chunk as if it were written."""
        for piece in built.pieces("keys"):
            self.keys.update((row[1], row) for row in piece)
        with self.scratch.begin() as conn:
            for section, table, columns in SECTIONS:
                for piece in built.pieces(section):
                    bulk.replace_rows(conn, table, columns, piece)
            for piece in built.pieces("dropped_identities"):
                self.dropped.update(piece)
                bulk.delete_rows(conn, tables.identity, IDENTITY[:4], piece)

    def finish(self) -> None:
        """Nothing was taken."""

    def close(self) -> None:
        """Drop what was remembered."""
        self.scratch.dispose()


def _scratch() -> Engine:
    module = sqlite.driver()

    def connect() -> Any:  # noqa: ANN401 - a DBAPI connection
        raw = module.connect("", isolation_level=None, check_same_thread=False)
        raw.execute("PRAGMA cache_size=-16000")
        return raw

    from sqlalchemy.pool import StaticPool

    scratch = create_engine("sqlite+pysqlite://", module=module, creator=connect, poolclass=StaticPool)
    metadata.create_all(scratch, tables=[tables.customer, tables.contact, tables.identity])
    return scratch
