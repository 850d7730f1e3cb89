"""How far a customer's record has come, as people left it: what must still be so when a plan is carried out.

A mark counts what people and imports wrote. What machines derive (tiers, owners, clocks) is in none, so that a nightly
re-grade spoils no plan.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache

from sqlalchemy import Connection

from crmctl.audit.objects import ProtectedTable, protected_tables
from crmctl.store import bulk

NOT_COUNTED = frozenset({"complaint_clock", "hold_item"})  # machines move the one, the other is asked for itself


@cache
def written_by_people() -> tuple[ProtectedTable, ...]:
    """Return the tables of customers' data that a mark counts, by their codes."""
    theirs = (table for table in protected_tables() if table.owner_column == "customer_id")
    return tuple(sorted((each for each in theirs if each.code not in NOT_COUNTED), key=lambda each: each.code))


def marks(conn: Connection, customers: Collection[int]) -> dict[int, str]:
    """Return the mark of each customer that there is: for each kind of record how many there are and their versions.

    `contact:2.3 customer:1.4` is two contact persons changed three times in all, and the customer's own record.
    """
    numbers = sorted(customers)
    found: dict[int, list[str]] = {}
    there: Collection[int] = ()
    for table in written_by_people():
        tally = _tally(conn, table, numbers)
        if table.code == "customer":
            there = tally.keys()
        for customer, (number, version) in tally.items():
            found.setdefault(customer, []).append(f"{table.code}:{number}.{version}")
    return {customer: " ".join(found[customer]) for customer in there}


def _tally(conn: Connection, table: ProtectedTable, numbers: Sequence[int]) -> dict[int, list[int]]:
    """Return for each customer that has rows how many there are, and the sum of their versions."""
    tally: dict[int, list[int]] = {}
    if "version" not in table.table.c:
        for (customer,) in bulk.fetch_by_keys(conn, table.table, "customer_id", numbers, ("customer_id",)):
            tally[customer] = [each + 1 for each in tally.get(customer, (0, 0))]
        return tally
    for customer, version in bulk.fetch_by_keys(conn, table.table, "customer_id", numbers, ("customer_id", "version")):
        of = tally.get(customer)
        if of is None:
            tally[customer] = [1, version]
        else:
            of[0] += 1
            of[1] += version
    return tally
