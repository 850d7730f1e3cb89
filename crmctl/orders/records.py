"""Orders as they are stored: pages of them in the order of customer and order, nothing personal among them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from crmctl.customers.records import settings_of as settings_of_customers
from crmctl.customers.scope import in_scope
from crmctl.customers.tables import customer
from crmctl.errors import InvalidInput
from crmctl.i18n import _
from crmctl.orders.model import ORDER
from crmctl.orders.policy import OrdersSettings
from crmctl.orders.tables import order_number, purchase_order
from crmctl.runs.run import Run
from crmctl.store import bulk, engine

MOST = 1000
_PLACE = re.compile(r"([1-9][0-9]{0,17})-([1-9][0-9]{0,17})")
Place = tuple[int, int]  # customer and order: where a page ends


@dataclass(frozen=True)
class Filters:
    """Which orders; empty means any. Days are inclusive; `unrated` are those without an amount at home."""

    customer: int | None = None
    first: date | None = None
    last: date | None = None
    number: str = ""
    batch: int | None = None
    unrated: bool = False
    after: Place = (0, 0)


@dataclass(frozen=True)
class Page:
    """Orders by customer and order number within the database; `next` continues after them, None at the end."""

    orders: list[dict[str, Any]]
    next: str | None


def settings_of(run: Run) -> OrdersSettings:
    """Return the order policy, with what it shares with the customers policy."""
    settings = cast("OrdersSettings", run.policies.settings("orders"))
    return settings.sharing(settings_of_customers(run))


def page(run: Run, filters: Filters, limit: int) -> Page:
    """Return up to `limit` orders that match."""
    wanted = min(limit, MOST)
    columns = purchase_order.c
    query = select(columns.customer_id, columns.order_id).order_by(columns.customer_id, columns.order_id)
    with engine.read(run.engine) as conn:
        query = query.where(*_conditions(conn, run, filters)).limit(wanted + 1)
        keys = [tuple(row) for row in conn.execute(query)]
        rows = bulk.fetch_pairs(conn, purchase_order, ("customer_id", "order_id"), keys[:wanted], ORDER)
    found = [dict(zip(ORDER, row, strict=True)) for row in sorted(rows, key=lambda row: row[:2])]
    return Page(found, "-".join(map(str, keys[wanted - 1])) if len(keys) > wanted else None)


def count(run: Run, filters: Filters) -> int:
    """Return how many orders match."""
    with engine.read(run.engine) as conn:
        query = select(func.count()).select_from(purchase_order).where(*_conditions(conn, run, filters))
        return int(conn.execute(query).scalar_one())


def place(text: str) -> Place:
    """Return where a page ended, as `next` says it. Raises InvalidInput for anything else."""
    match = _PLACE.fullmatch(text)
    if match is None:
        raise InvalidInput(
            _("{text}: not what a list of orders ends with").format(text=text[:40]),
            hint=_("give --after what the page before said"),
            code="PLACE_INVALID",
        )
    return int(match[1]), int(match[2])


def _conditions(conn: Connection, run: Run, filters: Filters) -> list[ColumnElement[bool]]:
    columns = purchase_order.c
    owner, order = filters.after
    found: list[ColumnElement[bool]] = []
    if filters.after != (0, 0):
        found.append(or_(columns.customer_id > owner, and_(columns.customer_id == owner, columns.order_id > order)))
        found.append(columns.customer_id >= owner)  # what the index can seek to
    if filters.customer is not None:
        found.append(columns.customer_id == filters.customer)
    if filters.first is not None:
        found.append(columns.ordered_on >= filters.first.isoformat())
    if filters.last is not None:
        found.append(columns.ordered_on <= filters.last.isoformat())
    if filters.number:
        found.append(_numbered(conn, filters.number))
    if filters.batch is not None:
        found.append(columns.batch_id == filters.batch)
    if filters.unrated:
        found.append(columns.home_amount.is_(None))
    scope = in_scope(run)
    if scope:
        found.append(columns.customer_id.in_(select(customer.c.customer_id).where(*scope)))
    return found


def _numbered(conn: Connection, number: str) -> ColumnElement[bool]:
    """Return what narrows to the orders of a number, one in each system at most."""
    held = order_number.c
    places = conn.execute(select(held.customer_id, held.order_id).where(held.number == number)).all()
    columns = purchase_order.c
    return or_(columns.customer_id == 0, *(and_(columns.customer_id == c, columns.order_id == o) for c, o in places))
