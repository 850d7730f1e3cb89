"""The shipped order policy, customers to order, and order files imported as a person would."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import workspaces
from sqlalchemy import select

from crmctl import policy
from crmctl.audit.verify import verify
from crmctl.cli.invocation import Invocation
from crmctl.customers import intake as customers
from crmctl.customers.policy import CustomersSettings
from crmctl.locate import shipped
from crmctl.orders import intake as orders
from crmctl.orders.policy import OrdersSettings
from crmctl.orders.tables import order_number, purchase_order
from crmctl.runs import run as runs
from crmctl.sheets import quarantine
from crmctl.sheets.origin import Request
from crmctl.sheets.outcome import Outcome
from crmctl.store import engine

CUSTOMERS = """客户编号,公司名称,手机号,客户类型
K1,甲一样例有限公司,13800000001,企业客户
K2,乙二样例有限公司,13800000002,企业客户
K3,丙三样例有限公司,13800000003,企业客户
"""
COUNTED = ("read", "created", "updated", "unchanged", "duplicate", "rejected", "flagged")


class World:
    """A workspace with three customers of system `erp`, and what is done there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = 0

    def run(self, command: str, *, dry_run: bool = False, lock: str = "") -> Any:
        call = Invocation(command=command, workspace=self.folder, dry_run=dry_run)
        return runs.open_run(call, command, command.replace(" ", "."), lock=lock)

    def file(self, text: str) -> Path:
        self.files += 1
        path = self.folder.parent / f"file{self.files}.csv"
        path.write_text(text, "utf-8")
        return path

    def customers(self, text: str) -> Outcome:
        with self.run("customer import") as run:
            return customers.start(run, Request(str(self.file(text)), source="erp"), lambda _rows: None)

    def orders(self, text: str, *, dry_run: bool = False, **asked: Any) -> Outcome:
        request = Request(str(self.file(text)), mode="upsert", **{"source": "erp", **asked})
        with self.run("order import", dry_run=dry_run, lock="import") as run:
            return orders.start(run, request, lambda _rows: None)

    def stored(self) -> list[dict[str, Any]]:
        """Return every order without what differs from import to import."""
        with self.run("order list") as run, engine.read(run.engine) as conn:
            rows = conn.execute(select(purchase_order).order_by(purchase_order.c.number)).mappings().all()
            numbers = {tuple(row) for row in conn.execute(select(order_number))}
        assert numbers == {(row["number"], row["source"], row["customer_id"], row["order_id"]) for row in rows}
        return [{k: v for k, v in row.items() if k not in ("created_at", "updated_at", "batch_id")} for row in rows]

    def reasons(self, batch: int) -> list[tuple[int, str, str]]:
        with self.run("batch rejects") as run:
            return [row[:3] for row in quarantine.reasons(run, batch, 1000)]

    def problems(self) -> list[str]:
        """Return what is wrong with the log, its changes and every row."""
        with self.run("audit verify") as run:
            return [problem.message for problem in verify(run.engine, changes=True, rows=True).problems]


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> World:
    """A workspace with customers on each database."""
    url = "" if database_url.startswith("sqlite") else database_url
    made = World(workspaces.make(tmp_path / "crm", url, demo=True))
    assert made.customers(CUSTOMERS).counts["created"] == 3
    return made


@pytest.fixture(scope="session")
def settings() -> OrdersSettings:
    """The shipped order policy with what it shares with the customers policy."""
    policies = policy.load(shipped("policies"))
    found, shared = policies.settings("orders"), policies.settings("customers")
    assert isinstance(found, OrdersSettings) and isinstance(shared, CustomersSettings)
    return found.sharing(shared)


@pytest.fixture
def counts() -> Callable[[Outcome], dict[str, int]]:
    """Return the function from an outcome to the counts that are not zero."""
    return lambda outcome: {name: n for name in COUNTED if (n := outcome.counts[name])}
