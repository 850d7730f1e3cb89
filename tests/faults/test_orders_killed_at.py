"""kill -9 while orders are imported: what the resumed batch comes to is what an undisturbed one comes to."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import oracle
import pytest
from commands import COUNTS, inside, strike
from sqlalchemy import select

from crmctl.orders.tables import order_number, purchase_order
from crmctl.store import engine

CUSTOMERS = "客户编号,公司名称,客户类型\n" + "".join(f"K{n},样例{n}号有限公司,企业客户\n" for n in range(20))
HEADER = "订单号,客户编号,金额,下单日期,付款日期\n"
BEFORE = HEADER + "".join(f"A{n},K{n % 20},{n},2026-01-05,\n" for n in range(0, 300, 3))
# New orders, changed ones, the same again, strangers, and rows about an order of an earlier chunk.
GIVEN = HEADER + "".join(
    f"A{n},K{n % 20 if n % 50 else 99},{n if n % 9 else n + 1},2026-01-05,{'2026-02-01' if n % 6 else ''}\n"
    for n in [*range(300), *range(0, 60, 4)]
)
EXPECTED = {"read": 315, "created": 196, "updated": 66, "unchanged": 32, "duplicate": 14, "rejected": 7, "flagged": 0}
ASIDE = ("created_at", "updated_at", "batch_id")
POINTS = {
    "the batch is committed": "after:1:crmctl.sheets.intake:_open_batch",
    "change numbers are taken": "before:1:crmctl.orders.apply:_create",
    "orders are written, their numbers not": "after:1:crmctl.store.bulk:insert_rows",
    "orders are created and changed, not committed": "after:1:crmctl.orders.apply:_edit",
    "the cursor is written, not committed": "after:1:crmctl.sheets.batches:progress",
    "chunk 1 is committed": "after:1:crmctl.orders.apply:apply",
    "chunk 4 is about to be written": "before:4:crmctl.orders.apply:apply",
    "the last chunk is committed": "after:7:crmctl.orders.apply:apply",
    "the run is finished, not committed": "after:1:crmctl.runs.run:finish",
}


def prepared(folder: Path) -> Path:
    """Bring in customers and some orders; return the file that the test is about."""
    for noun, text in (("customer", CUSTOMERS), ("order", BEFORE)):
        path = folder.parent / f"{noun}s.csv"
        path.write_text(text, "utf-8")
        assert inside(folder, noun, "import", path).status == 0
    given = folder.parent / "given.csv"
    given.write_text(GIVEN, "utf-8")
    return given


def contents(folder: Path) -> dict[str, Any]:
    with oracle.opened(folder) as run, engine.read(run.engine) as conn:
        rows = conn.execute(select(purchase_order)).mappings().all()
        numbers = {tuple(row) for row in conn.execute(select(order_number))}
    assert numbers == {(row["number"], row["source"], row["customer_id"], row["order_id"]) for row in rows}
    return {row["number"]: {name: value for name, value in row.items() if name not in ASIDE} for row in rows}


@pytest.fixture(scope="module")
def kept() -> dict[str, Any]:
    return {}


@pytest.fixture
def undisturbed(make: Any, kept: dict[str, Any]) -> dict[str, Any]:
    """The orders after an import that nobody disturbed, on SQLite; made once."""
    if not kept:
        folder = make("sqlite", "undisturbed")
        done = inside(folder, "order", "import", prepared(folder), "--chunk", 50, "-o", "json")
        assert (done.status, done.counts) == (3, EXPECTED)
        kept.update(contents(folder))
    return kept


@pytest.mark.parametrize("where", POINTS)
def test_killed_where(folder: Path, undisturbed: dict[str, Any], where: str) -> None:
    given = prepared(folder)
    done = strike(f"SIGKILL:{POINTS[where]}", folder, "order", "import", given, "--chunk", 50)
    assert (done.status, done.out) == (-signal.SIGKILL, b""), done.err
    batch = max(oracle.states(folder))
    resumed = inside(folder, "batch", "resume", batch, "-o", "json")
    assert (resumed.status, resumed.err) == (3, b"")
    assert {name: resumed.counts[name] for name in COUNTS} == EXPECTED
    assert contents(folder) == undisturbed
    assert oracle.complaints(folder) == []
    again = inside(folder, "order", "import", given, "--chunk", 50, "-o", "json")
    assert (again.counts["created"], again.counts["updated"]) == (0, 0)


def test_standard_input_is_not_needed_twice(make: Any, undisturbed: dict[str, Any]) -> None:
    folder = make("sqlite")
    given = prepared(folder).read_bytes()
    words = ("order", "import", "-", "--chunk", "50")
    done = strike("SIGKILL:after:2:crmctl.orders.apply:apply", folder, *words, stdin=given)
    assert done.status == -signal.SIGKILL, done.err
    resumed = inside(folder, "batch", "resume", max(oracle.states(folder)), "-o", "json")
    assert (resumed.status, resumed.counts) == (3, EXPECTED)
    assert contents(folder) == undisturbed
