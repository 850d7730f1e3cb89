"""What becomes of each row, as if they were taken one by one: pure, from facts looked up for a whole chunk."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from crmctl.customers.meant import CUSTOMER_UNKNOWN, fitting
from crmctl.orders.model import Name, OrderRow, Stored, Value
from crmctl.orders.policy import NEEDED
from crmctl.orders.reasons import ORDER_OF_ANOTHER, ORDER_TWICE

CREATE, UPDATE, UNCHANGED, DUPLICATE, REJECT = "created", "updated", "unchanged", "duplicate", "rejected"
_SHOWN = 5  # candidates named in a reason


class Facts(NamedTuple):
    """What is known of a chunk: who has the names, stored orders by number, numbers of earlier rows of the file."""

    holders: Mapping[Name, Collection[int]]
    orders: Mapping[str, Stored]
    seen: Collection[str]


class Decision(NamedTuple):
    """What becomes of a row: its outcome; whose order it is; what a known order had; the values it is to have.

    `reasons` are those of a rejection, without values: code, field, candidates.
    """

    outcome: str
    customer_id: int = 0
    before: Stored | None = None
    values: Mapping[str, Value] = {}
    reasons: tuple[Mapping[str, Any], ...] = ()


def decide(rows: Sequence[OrderRow], facts: Facts) -> list[Decision]:
    """Return the decision on each row, in order.

    The first row about an order decides; later ones in the file say the same or are rejected, so that a file that
    contradicts itself comes to the same each time.
    """
    taken: dict[str, Stored | None] = {}
    return [_decide(row, facts, taken) for row in rows]


def _decide(row: OrderRow, facts: Facts, taken: dict[str, Stored | None]) -> Decision:
    known = taken[row.number] if row.number in taken else facts.orders.get(row.number)
    again = row.number in taken or row.number in facts.seen
    taken[row.number] = known
    customer = _customer(row, known, facts.holders)
    if isinstance(customer, Decision):
        return customer
    if known is None:
        return _rejected(ORDER_TWICE, "number") if again else _create(row, customer, taken)
    values = {name: value for name, value in row.values.items() if known.values.get(name) != value}
    if again:
        return Decision(DUPLICATE) if not values else _rejected(ORDER_TWICE, "number")
    if not values:
        return Decision(UNCHANGED)
    after = known._replace(values={**known.values, **values})
    taken[row.number] = after
    return Decision(UPDATE, known.customer_id, known, after.values)


def _create(row: OrderRow, customer: int, taken: dict[str, Stored | None]) -> Decision:
    missing = [name for name in NEEDED if name not in row.values]
    if missing:
        return Decision(REJECT, reasons=tuple({"code": "REQUIRED", "field": name} for name in missing))
    taken[row.number] = Stored(customer, 0, row.values)
    return Decision(CREATE, customer, values=row.values)


def _customer(row: OrderRow, known: Stored | None, holders: Mapping[Name, Collection[int]]) -> int | Decision:
    """Return whose order a row is: whom all that it says fits, or, where it says nothing, whose the order is."""
    if not row.names and not row.called:
        return known.customer_id if known else _rejected(CUSTOMER_UNKNOWN, "")
    found = fitting(row, holders)
    if known is not None and known.customer_id in found.fitting:
        return known.customer_id
    if found.doubt:
        return _rejected(found.doubt, "", sorted(found.fitting or found.named))
    if known is not None:
        return _rejected(ORDER_OF_ANOTHER, "number", [known.customer_id])
    return min(found.fitting)


def _rejected(code: str, field: str, candidates: Sequence[int] = ()) -> Decision:
    reason: dict[str, Any] = {"code": code, "field": field}
    if candidates:
        reason["candidates"] = list(candidates[:_SHOWN])
    return Decision(REJECT, reasons=(reason,))
