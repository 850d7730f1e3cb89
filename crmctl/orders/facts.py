"""What the database knows about a chunk of order rows: a handful of look-ups for all of them together."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, func, select

from crmctl.orders.model import ORDER, Stored
from crmctl.orders.tables import order_number, purchase_order
from crmctl.store import bulk


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
