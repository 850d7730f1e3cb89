"""Measure `tier regrade`: the first (everybody changes), the second (nobody), the third (one in a hundred).

    python -m benchmarks.regrade                       # 1,000,000 customers, 5,000,000 orders, both databases
    python -m benchmarks.regrade --customers 50000     # does it run at all

Customers and orders are written straight into the tables: grading reads figures, not people. A loop of an ORM, one
object at a time, does the same for a sample of customers without any log; its rate is compared.
"""

from __future__ import annotations

import json
import random
import re
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from benchmarks import measure
from benchmarks.contenders import environment
from benchmarks.machine import script
from benchmarks.report import Budget
from benchmarks.sitting import Sitting, sit
from crmctl.customers.columns import CUSTOMER
from crmctl.customers.tables import customer
from crmctl.orders.tables import purchase_order
from crmctl.store import bulk, engine

FIRST = "first budget {}, moved with its reason: docs/performance.md"
SEED = 20261121
ORDERS_EACH = 5
ORM_CUSTOMERS = 5_000
AT_ONCE = 20_000
CORE, IMPORTANT = 100_000_000, 30_000_000  # minor units; the demo values of company.yaml
ORDER = (
    "customer_id", "order_id", "number", "source", "amount", "currency", "home_amount", "ordered_on",
    "created_at", "updated_at", "version",
)  # fmt: skip


def customers(number: int, at: str) -> Iterator[tuple[Any, ...]]:
    """Yield customers without a tier."""
    given = {"type": "enterprise", "status": "draft", "created_at": at, "updated_at": at, "version": 1}
    given |= {"derived_version": 0, "sealed": b"", "sealed_hash": bytes(32), "region": "华东", "completeness": 80}
    row = [given.get(name) for name in CUSTOMER]
    for customer_id in range(1, number + 1):
        row[0] = customer_id
        yield tuple(row)


def orders(number: int, day: date, at: str) -> Iterator[tuple[Any, ...]]:
    """Yield five orders a customer within two years; amounts spread over all tiers."""
    chance = random.Random(SEED)
    days = [(day - timedelta(days=back)).isoformat() for back in range(730)]
    for customer_id in range(1, number + 1):
        size = 10 ** chance.uniform(5, 8.2)
        for order_id in range(1, ORDERS_EACH + 1):
            amount = int(size * chance.random())
            name = f"O{customer_id * ORDERS_EACH + order_id}"
            on = days[int(730 * chance.random())]
            yield (customer_id, order_id, name, "bench", amount, "CNY", amount, on, at, at, 1)


def fill(url: str, number: int, day: date) -> None:
    """Write customers and orders."""
    at = "2026-01-01T00:00:00Z"
    base = engine.open_engine(url)
    with engine.write(base) as conn:
        bulk.insert_rows(conn, customer, CUSTOMER, customers(number, at))
    with engine.write(base) as conn:
        bulk.insert_rows(conn, purchase_order, ORDER, orders(number, day, at))
    if url.startswith("postgresql"):
        with base.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            conn.exec_driver_sql("ANALYZE customer")
            conn.exec_driver_sql("ANALYZE purchase_order")
    base.dispose()


def grow(url: str, number: int, day: date) -> None:
    """Give every hundredth customer an order that lifts it to the highest tier."""
    base = engine.open_engine(url)
    at = "2026-01-02T00:00:00Z"
    rows = (
        (n, ORDERS_EACH + 1, f"X{n}", "bench", 2 * CORE, "CNY", 2 * CORE, day.isoformat(), at, at, 1)
        for n in range(50, number + 1, 100)
    )
    with engine.write(base) as conn:
        bulk.insert_rows(conn, purchase_order, ORDER, rows)
    base.dispose()


def policy_of_orders(workspace: Path) -> None:
    """Let the annual amount come from the orders of twelve months, and no limit stand in the way."""
    path = workspace / "policies" / "tiers.yaml"
    text = path.read_text("utf-8")
    text = re.sub(r"(?m)^  annual_amount:\n(?:    .*\n)+", "", text)
    text = text.replace("settings:\n", "settings:\n  annual_amount:\n    - {from: orders, over: 12 months}\n", 1)
    path.write_text(re.sub(r"(?m)^limits:.*\n", "", text), "utf-8")


class Base(DeclarativeBase):
    """Mapped classes of the loop."""


class Customer(Base):
    """A customer as an ORM has it."""

    __tablename__ = "customer"
    customer_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    tier: Mapped[str | None]


class Order(Base):
    """An order as an ORM has it."""

    __tablename__ = "purchase_order"
    customer_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    order_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    home_amount: Mapped[int]
    ordered_on: Mapped[str]


class History(Base):
    """A tier change as an ORM has it, in a table of its own."""

    __tablename__ = "orm_tier_change"
    customer_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    old: Mapped[str | None]
    new: Mapped[str]


def orm_loop(url: str, number: int, day: date) -> float:
    """Return seconds a customer of a loop that loads, sums, decides and stores one at a time; all is rolled back."""
    if url.startswith("postgresql://"):
        url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    base = create_engine(url)
    Base.metadata.create_all(base, tables=[Base.metadata.tables["orm_tier_change"]])
    since = (day - timedelta(days=365)).isoformat()
    with Session(base) as session:
        start = time.perf_counter()
        for number_ in range(1, number + 1):
            found = session.get_one(Customer, number_)
            amount = session.scalar(
                select(func.sum(Order.home_amount)).where(Order.customer_id == number_, Order.ordered_on > since)
            )
            new = "core" if (amount or 0) >= CORE else "important" if (amount or 0) >= IMPORTANT else "ordinary"
            session.add(History(customer_id=number_, old=found.tier, new=new))
            found.tier = new
            session.flush()
        seconds = time.perf_counter() - start
        session.rollback()
    Base.metadata.drop_all(base, tables=[Base.metadata.tables["orm_tier_change"]])
    base.dispose()
    return seconds / number


def measured(name: str, url: str, number: int, home: Path) -> tuple[list[list[Any]], list[Budget], dict[str, Any]]:
    """Return table lines, verdicts and raw figures of one database."""
    crmctl, env, day = script("crmctl"), environment(home), datetime.now(UTC).date()
    assert crmctl is not None
    workspace = home / name
    _run(["init", workspace, "--demo", *(["--database", url] if url else [])], env, crmctl)
    policy_of_orders(workspace)
    place = url or f"sqlite:///{workspace / 'data' / 'crmctl.db'}"
    fill(place, number, day)
    loop = orm_loop(place, min(number, ORM_CUSTOMERS), day) * number
    runs = {}
    for which in ("first", "second", "third"):
        if which == "third":
            grow(place, number, day)
        runs[which] = _run(["-w", workspace, "tier", "regrade", "-o", "json", "--limit", "0"], env, crmctl)
    counts = {which: json.loads(run.stdout)["changed"] for which, run in runs.items()}
    lines = [
        [f"{name}: {which}", f"{counts[which]:,}", f"{run.seconds:.2f}", f"{run.cpu_seconds:.1f}", f"{run.largest:.0f}"]
        for which, run in runs.items()
    ]
    lines.append([f"{name}: ORM loop, extrapolated", f"{number:,}", f"{loop:.1f}", "", ""])
    scale = 1_000_000 / number
    budgets = [
        Budget(
            f"{name}: first, a million customers",
            runs["first"].seconds * scale,
            "≤",
            80,
            20,
            " s",
            FIRST.format("≤ 20 s"),
        ),
        Budget(f"{name}: first, speed against an ORM loop", loop / runs["first"].seconds, "≥", 8, None),
        Budget(
            f"{name}: one in a hundred, a million customers",
            runs["third"].seconds * scale,
            "≤",
            9,
            3,
            " s",
            FIRST.format("≤ 3 s"),
        ),
    ]
    if counts["second"]:
        sys.exit(f"FAILED: {name}: the second re-grade changed {counts['second']}")
    return lines, budgets, {which: run.seconds for which, run in runs.items()} | {"orm": loop}


def _run(words: Sequence[object], env: dict[str, str], crmctl: Path) -> measure.Measured:
    done = measure.run([str(crmctl), *map(str, words)], env=env)
    if done.exit_code:
        sys.exit(f"FAILED: exit {done.exit_code}: {done.stderr.decode(errors='replace')[-2000:]}")
    return done


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; print and save its report."""
    headers = ["case", "changed", "wall s", "CPU s", "MB"]
    sitting = Sitting("regrade", "customers", 1_000_000, _title, headers, measured)
    return sit(sitting, __doc__, argv)


def _title(customers: int) -> str:
    return f"Re-grade, {customers:,} customers, {customers * ORDERS_EACH:,} orders"


if __name__ == "__main__":
    sys.exit(main())
