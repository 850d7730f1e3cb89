"""What conditions may ask of a customer's orders: sums and counts over windows of days, exact at both ends."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert, select
from sqlalchemy.engine import Connection, Engine

from crmctl.customers.tables import customer
from crmctl.orders.metrics import source
from crmctl.orders.tables import purchase_order
from crmctl.policy.metrics import METRICS, Left, Value
from crmctl.policy.windows import window
from crmctl.store.engine import write

METRICS_OF_ORDERS = {metric.name: metric for metric in METRICS if metric.target == "crmctl.orders.metrics:source"}
NOW = datetime(2026, 1, 5, tzinfo=UTC)


def left(name: str, over: str = "") -> Left:
    return Left(METRICS_OF_ORDERS[name], window(over) if over else None)


def everything(over: str) -> tuple[Left, ...]:
    return tuple(left(name, over if metric.windowed else "") for name, metric in METRICS_OF_ORDERS.items())


def told(
    conn: Connection, orders: Sequence[tuple[int, str, int | None, str | None]], lefts: Sequence[Left], day: str
) -> dict[int, dict[Left, Value]]:
    """Return what SQL says of customers 1 to 3, orders being (customer, day, amount, product line)."""
    conn.execute(customer.delete())
    conn.execute(purchase_order.delete())
    own = {"created_at": NOW, "updated_at": NOW, "version": 1}
    more = {"type": "enterprise", "status": "draft", "derived_version": 0, "sealed": b"", "sealed_hash": b""}
    conn.execute(insert(customer), [{"customer_id": number, **own, **more} for number in (1, 2, 3)])
    rows = [
        {
            "customer_id": number, "order_id": place, "number": str(place), "source": "x", "amount": 1,
            "currency": "CNY", "home_amount": amount, "ordered_on": ordered, "product_line": line, **own,
        }
        for place, (number, ordered, amount, line) in enumerate(orders)
    ]  # fmt: skip
    if rows:
        conn.execute(insert(purchase_order), rows)
    at = datetime.combine(date.fromisoformat(day), datetime.min.time(), ZoneInfo("Asia/Shanghai"))
    answer = source.columns(lefts, at)
    joined = customer.outerjoin(answer.source, answer.source.c.customer_id == customer.c.customer_id)
    query = select(customer.c.customer_id, *answer.columns.values()).select_from(joined)
    found = {row[0]: dict(zip(answer.columns, row[1:], strict=True)) for row in conn.execute(query)}
    assert source.facts(conn, [1, 2, 3], lefts, at) == found
    assert source.facts(conn, [2], lefts, at) == {2: found[2]}
    part = source.columns(lefts, at, lambda number: number.in_([2]))
    only = {row.customer_id for row in conn.execute(select(part.source))}
    assert only <= {2}
    return found


@pytest.mark.parametrize(
    ("over", "day", "first"),
    [
        ("12 months", "2026-02-28", "2025-03-01"),
        ("12 months", "2025-02-28", "2024-02-29"),
        ("12 months", "2024-02-29", "2023-03-01"),
        ("1 month", "2026-03-31", "2026-03-01"),
        ("1 month", "2026-03-30", "2026-03-01"),
        ("1 month", "2026-03-01", "2026-02-02"),
        ("3 months", "2026-05-31", "2026-03-01"),
        ("1 year", "2026-01-01", "2025-01-02"),
        ("30 days", "2026-03-01", "2026-01-31"),
        ("1 day", "2026-03-01", "2026-03-01"),
        ("2 weeks", "2026-03-14", "2026-03-01"),
    ],
)
def test_windows_hold_their_first_and_their_last_day(engine: Engine, over: str, day: str, first: str) -> None:
    before = date.fromordinal(date.fromisoformat(first).toordinal() - 1).isoformat()
    after = date.fromordinal(date.fromisoformat(day).toordinal() + 1).isoformat()
    orders = [(1, before, 1, "a"), (1, first, 10, "b"), (1, day, 100, "c"), (1, after, 1000, "d")]
    with write(engine) as conn:
        found = told(conn, orders, everything(over), day)[1]
    assert {side.metric.name: value for side, value in found.items()} == {
        "order_amount": 110, "order_count": 2, "average_order_amount": 55, "product_lines": 2,
        "days_since_last_order": 0,
    }  # fmt: skip


def test_nothing_is_known_of_who_never_ordered(engine: Engine) -> None:
    """An order to come is none yet; one of long ago makes the amount of this year 0."""
    orders = [(1, "2020-01-01", 5, "a"), (2, "2026-03-02", 5, "a")]
    with write(engine) as conn:
        found = told(conn, orders, everything("12 months"), "2026-03-01")
    values = {number: list(row.values()) for number, row in found.items()}  # in the order of METRICS
    assert values == {1: [0, 0, None, 0, 2251], 2: [None, 0, None, 0, None], 3: [None, 0, None, 0, None]}


def test_an_order_without_a_rate_counts_as_an_order_only(engine: Engine) -> None:
    orders: list[Any] = [(1, "2026-03-01", None, "a"), (2, "2026-03-01", None, None), (2, "2026-02-01", 7, None)]
    lefts = everything("12 months")
    with write(engine) as conn:
        found = told(conn, orders, lefts, "2026-03-01")
    assert [found[1][side] for side in lefts] == [0, 1, None, 1, 0]
    assert [found[2][side] for side in lefts] == [7, 2, 7, 0, 0]


@pytest.mark.parametrize(("amounts", "average"), [([1, 2], 1), ([-1, -2], -1), ([-1, 0], 0), ([5, -5], 0), ([3], 3)])
def test_an_average_is_cut_off(engine: Engine, amounts: list[int], average: int) -> None:
    with write(engine) as conn:
        found = told(conn, [(1, "2026-03-01", each, None) for each in amounts], everything("1 day"), "2026-03-01")[1]
    assert found[left("average_order_amount", "1 day")] == average
    assert found[left("order_amount", "1 day")] == sum(amounts)


def test_large_sums_are_exact(engine: Engine) -> None:
    """Beyond what a floating-point number can tell apart."""
    with write(engine) as conn:
        orders = [(1, "2026-03-01", 2**53, None), (1, "2026-03-01", 1, None)]
        found = told(conn, orders, everything("1 day"), "2026-03-01")[1]
    assert found[left("order_amount", "1 day")] == 2**53 + 1
    assert {type(value) for value in found.values()} == {int}


def test_one_metric_over_two_windows_is_two(engine: Engine) -> None:
    lefts = (left("order_amount", "1 month"), left("order_amount", "12 months"))
    with write(engine) as conn:
        found = told(conn, [(1, "2025-12-01", 1, None), (1, "2026-03-01", 10, None)], lefts, "2026-03-01")
    assert list(found[1].values()) == [10, 11]
