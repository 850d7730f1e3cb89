"""What the database knows about a chunk of order rows: a handful of look-ups for all of them together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import Connection, func, select

from crmctl.customers import facts as customers
from crmctl.customers.tables import customer
from crmctl.orders.model import ORDER, Name, OrderRow, Stored
from crmctl.orders.tables import order_number, purchase_order
from crmctl.store import bulk


def holders(conn: Connection, rows: Collection[OrderRow], epochs: Sequence[int]) -> dict[Name, list[int]]:
    """Return who has each of the names of `rows`.

    People of a name are looked up only for rows that say nothing else, or what several customers have: whom a code
    names need not be looked for among all who are called alike.
    """
    wanted = {name for row in rows for names in row.names for name in names}
    wanted |= {called.organisation for row in rows for called in row.called}
    numbers = {name for name in wanted if isinstance(name, int)}
    found = _holders(conn, wanted, epochs)
    if numbers:
        living = bulk.fetch_by_keys(conn, customer, "customer_id", sorted(numbers), ("customer_id",))
        found.update((number, [number]) for (number,) in living)
    people = {called.person for row in rows if row.called and _open(row, found) for called in row.called}
    return {**found, **_holders(conn, people, epochs)}


def _holders(conn: Connection, names: Iterable[Name], epochs: Sequence[int]) -> dict[Name, list[int]]:
    idents = {name for name in names if isinstance(name, bytes)}
    held = customers.find(conn, idents, epochs)  # negative: of a key that does not have one holder only
    return {ident: list({abs(number) for number in numbers}) for ident, numbers in held.items()}


def _open(row: OrderRow, found: Mapping[Name, Collection[int]]) -> bool:
    """Say whether a row says nothing besides a name, or what several customers have."""
    return not row.names or any(len({who for name in names for who in found.get(name, ())}) > 1 for names in row.names)


def orders(conn: Connection, numbers: Collection[str], source: str) -> dict[str, Stored]:
    """Return the stored orders with these numbers of the system `source`."""
    columns = ("number", "customer_id", "order_id")
    held = bulk.fetch_by_keys(conn, order_number, "number", numbers, columns, extra={"source": (source,)})
    pairs = [(customer_id, order_id) for _number, customer_id, order_id in held]
    rows = bulk.fetch_pairs(conn, purchase_order, ("customer_id", "order_id"), pairs, ORDER)
    return {row[2]: Stored(row[0], row[1], dict(zip(ORDER, row, strict=True))) for row in rows}


def count(conn: Connection) -> int:
    """Return how many orders there are: the base of `max_percent`."""
    return int(conn.execute(select(func.count()).select_from(purchase_order)).scalar_one())
