"""What keeps customers from being destroyed: holds in force, and cases that are open (DES-07).

The same selects answer for all customers at once and for some of them. A hold on everybody is in neither: ask
`everybody` first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from importlib import import_module

from sqlalchemy import Connection, SelectBase, literal, select, union_all

from crmctl.holds.model import KINDS
from crmctl.holds.tables import legal_hold, legal_hold_item
from crmctl.store import bulk

Customers = Callable[[datetime], SelectBase]
# What keeps customers without anybody's doing: a code of `model.LABELS` and a function from a time to the select of the
# customers it keeps. Names, resolved on use: a subject more is a line more.
AUTOMATIC: tuple[tuple[str, str], ...] = (("complaint", "crmctl.complaints.keeping:kept_customers"),)
_AT_ONCE = 20_000  # customers in one statement


def reasons(at: datetime) -> Mapping[str, SelectBase]:
    """Return for each reason, by its code and in order, what selects the numbers of the customers it keeps at a time.

    A number may come twice. Whoever destroys in the transaction of the look keeps others out of it before.
    """
    found: dict[str, SelectBase] = {kind: _held(kind) for kind in KINDS}
    for code, name in AUTOMATIC:
        module, _colon, function = name.partition(":")
        customers: Customers = getattr(import_module(module), function)
        found[code] = customers(at)
    return found


def _held(kind: str) -> SelectBase:
    item, hold = legal_hold_item, legal_hold
    return (
        select(item.c.customer_id)
        .join(hold, hold.c.hold_id == item.c.hold_id)
        .where(hold.c.kind == kind, hold.c.lifted_at.is_(None))
    )


def kept(conn: Connection, customers: Collection[int], at: datetime) -> dict[int, tuple[str, ...]]:
    """Return the codes of the reasons that keep each of `customers`, in the order of `reasons`; none for whom none.

    One statement for every twenty thousand of them.
    """
    selects = reasons(at)
    numbers, found = sorted(set(customers)), dict[int, set[str]]()
    for start in range(0, len(numbers), _AT_ONCE):
        wanted = numbers[start : start + _AT_ONCE]
        parts = []
        for code, query in selects.items():
            (number,) = (held := query.subquery()).c
            parts.append(select(literal(code), number).select_from(held).where(bulk.among(conn, number, wanted)))
        for code, customer in conn.execute(union_all(*parts)):
            found.setdefault(customer, set()).add(code)
    return {customer: tuple(code for code in selects if code in codes) for customer, codes in found.items()}


def everybody(conn: Connection) -> str | None:
    """Return the kind of a hold on all customers that is in force, the first that was set; None where there is none."""
    hold = legal_hold.c
    query = select(hold.kind).where(hold.everybody == 1, hold.lifted_at.is_(None)).order_by(hold.hold_id).limit(1)
    return conn.execute(query).scalar_one_or_none()
