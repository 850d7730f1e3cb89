"""Real orders of real customers: every figure against the file itself, and nothing the second time."""

from __future__ import annotations

import csv
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from readings import DATA

from crmctl.customers import intake as customers
from crmctl.orders import intake as orders
from crmctl.sheets.origin import Request


@pytest.fixture
def northwind() -> Path:
    folder = DATA / "northwind"
    if not folder.is_dir():
        pytest.skip("no shared data beside the repository")
    return folder


def test_northwind(world: Any, northwind: Path, counts: Any) -> None:
    with world.run("customer import") as run:
        request = Request(str(northwind / "customers_repaired.csv"), source="northwind")
        assert customers.start(run, request, lambda _rows: None).counts["created"] == 91
    path = northwind / "orders_amounts.csv"

    def imported() -> Any:
        with world.run("order import", lock="import") as run:
            return orders.start(run, Request(str(path), "upsert", source="northwind"), lambda _rows: None)

    assert counts(imported()) == {"read": 830, "created": 830}
    stored = world.stored()
    assert sum(row["amount"] for row in stored) == 126579306
    assert {row["currency"] for row in stored} == {"USD"}
    by_customer: dict[int, Decimal] = defaultdict(Decimal)
    for row in stored:
        by_customer[row["customer_id"]] += Decimal(row["amount"]) / 100
    by_code: dict[str, Decimal] = defaultdict(Decimal)
    with path.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    for line in rows:
        by_code[line["customer_code"]] += Decimal(line["amount_usd"])
    assert len(by_customer) == len(by_code) == 89
    assert sorted(by_customer.values()) == sorted(by_code.values())
    assert {row["number"]: (row["ordered_on"], row["delivered_on"]) for row in stored} == {
        line["order_no"]: (line["order_date"], line["shipped_date"] or None) for line in rows
    }
    assert counts(imported()) == {"read": 830, "unchanged": 830}
    assert world.problems() == []
