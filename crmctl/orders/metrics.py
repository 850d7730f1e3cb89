"""What conditions may ask of a customer's orders: sums and counts over windows of days, in SQL (design §4).

An order counts on the day it was made, in the company's zone; orders after the day decided for do not count. Amounts
are in the home currency; an order whose rate is not known counts as an order, not as an amount. `order_amount` is 0
where there are orders but none inside the window, and missing where there are none at all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, case, cast, func, literal, select
from sqlalchemy.sql.expression import Subquery

from crmctl.orders.tables import purchase_order
from crmctl.policy.metrics import Left, Value, Within
from crmctl.store.days import days_between

Column = ColumnElement[Any]
_orders = purchase_order.c
_ALWAYS = ("order_count", "product_lines")


@dataclass(frozen=True)
class Columns:
    """The columns asked for, of one row a customer that has orders."""

    columns: Mapping[Left, Column]
    source: Subquery


def _inside(left: Left, day: date) -> ColumnElement[bool]:
    assert left.window is not None
    return _orders.ordered_on >= left.window.start(day).isoformat()  # not after `day`: see `_grouped`


def _sum(left: Left, day: date) -> Column:
    """Return a sum as 64 bits: PostgreSQL would make a decimal of it."""
    return cast(func.coalesce(func.sum(case((_inside(left, day), _orders.home_amount))), 0), BigInteger)


def _average(left: Left, day: date) -> Column:
    """Return whole minor units, cut off; missing where no order inside the window has an amount."""
    inside = case((_inside(left, day), _orders.home_amount))
    counted = func.nullif(func.count(inside), 0)
    return cast(func.sum(inside), BigInteger) // cast(counted, BigInteger)


def _column(left: Left, day: date) -> Column:
    match left.metric.name:
        case "order_amount":
            return _sum(left, day)
        case "average_order_amount":
            return _average(left, day)
        case "order_count":
            return cast(func.count(case((_inside(left, day), 1))), BigInteger)
        case "product_lines":
            return cast(func.count(case((_inside(left, day), _orders.product_line)).distinct()), BigInteger)
        case "days_since_last_order":
            return cast(days_between(func.max(_orders.ordered_on), day.isoformat()), BigInteger)
    raise KeyError(left.text)


class OrderMetrics:
    """The `Source` of the metrics that orders answer."""

    def columns(self, lefts: Collection[Left], at: datetime, within: Within | None = None) -> Columns:
        """Return the columns for these left sides; `within` restricts the orders that are read."""
        day = at.date()
        named = {left: f"order_{position}" for position, left in enumerate(lefts)}
        query = select(_orders.customer_id, *(_column(left, day).label(name) for left, name in named.items()))
        query = query.where(_orders.ordered_on <= day.isoformat()).group_by(_orders.customer_id)
        if within is not None:
            query = query.where(within(_orders.customer_id))
        found = query.subquery("orders")
        columns: dict[Left, Column] = {}
        for left, name in named.items():
            column = found.c[name]
            columns[left] = func.coalesce(column, literal(0, BigInteger)) if left.metric.name in _ALWAYS else column
        return Columns(columns, found)

    def facts(
        self, conn: Connection, customers: Collection[int], lefts: Collection[Left], at: datetime
    ) -> dict[int, dict[Left, Value]]:
        """Return the same values for these customers: of the same query, so that the two cannot differ."""
        answer = self.columns(lefts, at, lambda number: number.in_(list(customers)))
        found: dict[int, dict[Left, Value]] = {
            number: {left: 0 if left.metric.name in _ALWAYS else None for left in lefts} for number in customers
        }
        query = select(answer.source.c.customer_id, *answer.columns.values())
        for row in conn.execute(query):
            found[row[0]] = dict(zip(answer.columns, row[1:], strict=True))
        return found


source = OrderMetrics()
