"""What goes together: a customer, and the provisional ones that were found out to be that customer (CMP-02).

A complaint taken from somebody nobody knew keeps its row and its key; whose it is was linked later. Whoever destroys
the customer destroys both, or nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection

from crmctl.complaints.tables import complaint
from crmctl.store import bulk


def followers(conn: Connection, customers: Collection[int]) -> tuple[dict[int, list[int]], set[int]]:
    """Return for customers the provisional ones that go with each, ascending.

    Besides: those of whom one is shared with somebody else, so that neither can go alone.
    """
    links = _links(conn, "linked_customer_id", customers)
    others = sorted({provisional for provisional, _customer in links})
    whose: defaultdict[int, set[Any]] = defaultdict(set)
    for provisional, customer in _links(conn, "customer_id", others):
        whose[provisional].add(customer)
    found: dict[int, list[int]] = {}
    shared: set[int] = set()
    for other in others:
        for customer in whose[other].intersection(customers):
            if len(whose[other]) == 1:
                found.setdefault(customer, []).append(other)
            else:
                shared.add(customer)
    return found, shared


def _links(conn: Connection, column: str, numbers: Collection[int]) -> list[tuple[int, Any]]:
    """Return (provisional customer, customer) of complaints; the second is None where nobody was found out."""
    rows = bulk.fetch_by_keys(conn, complaint, column, sorted(numbers), ("customer_id", "linked_customer_id"))
    return [(row[0], row[1]) for row in rows]
