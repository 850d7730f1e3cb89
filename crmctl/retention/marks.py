"""How far a customer's record has come, as people left it: what must still be so when a plan is carried out.

A mark counts what people and imports wrote. What machines derive (tiers, owners, clocks) is in none, so that a nightly
re-grade spoils no plan.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache

from sqlalchemy import Connection

from crmctl.audit.objects import ProtectedTable, protected_tables
from crmctl.store import bulk

NOT_COUNTED = frozenset({"complaint_clock", "hold_item"})  # machines move the one, the other is asked for itself


@cache
def written_by_people() -> tuple[ProtectedTable, ...]:
    """Return the tables of customers' data that a mark counts."""
    return tuple(
        table for table in protected_tables() if table.owner_column == "customer_id" and table.code not in NOT_COUNTED
    )


def marks(conn: Connection, customers: Collection[int]) -> dict[int, str]:
    """Return the mark of each customer that there is: for each kind of record how many there are and their versions.

    `contact:2.3 customer:1.4` is two contact persons changed three times in all, and the customer's own record.
    """
    numbers = sorted(customers)
    found: dict[int, dict[str, tuple[int, int]]] = {}
    for table in written_by_people():
        versioned = "version" in table.table.c
        columns = ("customer_id", "version") if versioned else ("customer_id",)
        for row in bulk.fetch_by_keys(conn, table.table, "customer_id", numbers, columns):
            of = found.setdefault(row[0], {})
            number, version = of.get(table.code, (0, 0))
            of[table.code] = (number + 1, version + (row[1] if versioned else 1))
    return {
        customer: " ".join(f"{code}:{number}.{version}" for code, (number, version) in sorted(of.items()))
        for customer, of in found.items()
        if "customer" in of
    }
