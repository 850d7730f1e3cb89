"""What the database knows about the keys of a chunk: one look-up for all of them, one more for names in doubt."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import chain
from operator import itemgetter

from sqlalchemy import Connection, func, select

from crmctl.customers import tables
from crmctl.customers.columns import CONTACT, CUSTOMER
from crmctl.customers.decide import Candidate, Known
from crmctl.customers.meant import Name, Pointing, undecided
from crmctl.store import bulk

_digest = itemgetter(slice(16))


def holders(conn: Connection, rows: Sequence[Candidate], epochs: Sequence[int]) -> Known:
    """Return who holds the idents of `rows`."""
    keys = [row.unique + row.supporting for row in rows]
    keys += [(row.name,) for row in rows if row.organisation and row.name is not None and row.name not in row.unique]
    return Known(holders=find(conn, set(chain.from_iterable(keys)), epochs))


def find(conn: Connection, idents: Iterable[bytes], epochs: Sequence[int]) -> dict[bytes, list[int]]:
    """Return the holders of idents: positive for exclusive keys, negative for look-up keys."""
    wanted = idents if isinstance(idents, (set, frozenset)) else set(idents)
    found: dict[bytes, list[int]] = {}
    if not wanted:
        return found
    digests = [*map(_digest, sorted(wanted))]
    columns = ("digest", "kind", "epoch", "slot", "customer_id")
    for digest, kind, epoch, slot, customer in bulk.fetch_by_keys(conn, tables.identity, "digest", digests, columns):
        ident = digest + bytes((kind,))
        if ident in wanted and epoch in epochs:
            found.setdefault(ident, []).append(customer if slot == 0 else -customer)
    return found


def named(conn: Connection, rows: Collection[Pointing], epochs: Sequence[int]) -> dict[Name, list[int]]:
    """Return who has each of the names by which rows of a sheet point to their customers.

    People of a name are looked up only for rows that say nothing else, or what several customers have: whom a code
    names need not be looked for among all who are called alike.
    """
    wanted = {name for row in rows for names in row.names for name in names}
    wanted |= {called.organisation for row in rows for called in row.called}
    numbers = {name for name in wanted if isinstance(name, int)}
    found = _holding(conn, wanted, epochs)
    if numbers:
        living = bulk.fetch_by_keys(conn, tables.customer, "customer_id", sorted(numbers), ("customer_id",))
        found.update((number, [number]) for (number,) in living)
    people = {called.person for row in rows if row.called and undecided(row, found) for called in row.called}
    return {**found, **_holding(conn, people, epochs)}


def _holding(conn: Connection, names: Iterable[Name], epochs: Sequence[int]) -> dict[Name, list[int]]:
    idents = {name for name in names if isinstance(name, bytes)}
    held = find(conn, idents, epochs)  # negative: of a key that does not have one holder only
    return {ident: list({abs(number) for number in numbers}) for ident, numbers in held.items()}


def names(conn: Connection, pairs: Iterable[tuple[bytes, int]], epochs: Sequence[int]) -> set[tuple[bytes, int]]:
    """Return those of the (name ident, customer) pairs that hold: a point look-up each, in one statement."""
    asked = sorted(pairs)
    keys = [(ident[:16], ident[16], epoch, slot) for ident, slot in asked for epoch in epochs]
    columns = ("digest", "kind", "slot")
    rows = bulk.fetch_pairs(conn, tables.identity, ("digest", "kind", "epoch", "slot"), keys, columns)
    return {(digest + bytes((kind,)), slot) for digest, kind, slot in rows}


def customers(conn: Connection, numbers: Iterable[int]) -> dict[int, tuple[object, ...]]:
    """Return the rows of customers, by number, in the order of `columns.CUSTOMER`."""
    rows = bulk.fetch_by_keys(conn, tables.customer, "customer_id", sorted(numbers), CUSTOMER)
    return {row[0]: row for row in rows}


def contacts(conn: Connection, numbers: Iterable[int]) -> dict[int, list[tuple[object, ...]]]:
    """Return the contact rows of customers, by customer, in the order of `columns.CONTACT`."""
    found: dict[int, list[tuple[object, ...]]] = {}
    for row in bulk.fetch_by_keys(conn, tables.contact, "customer_id", sorted(numbers), CONTACT):
        found.setdefault(row[0], []).append(row)
    for rows in found.values():
        rows.sort(key=lambda row: int(str(row[1])))
    return found


def count(conn: Connection) -> int:
    """Return how many customers there are: the base of `max_percent`."""
    return int(conn.execute(select(func.count()).select_from(tables.customer)).scalar_one())


def contact_counts(conn: Connection, numbers: Iterable[int]) -> dict[int, int]:
    """Return the highest contact number of each customer that has contacts."""
    counts: dict[int, int] = {}
    columns = ("customer_id", "contact_id")
    for customer, contact in bulk.fetch_by_keys(conn, tables.contact, "customer_id", sorted(numbers), columns):
        counts[customer] = max(contact, counts.get(customer, 0))
    return counts
