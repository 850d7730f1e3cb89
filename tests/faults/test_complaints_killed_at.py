"""kill -9 while complaints are imported: the resumed batch comes to what an undisturbed one comes to (CMP-03)."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import oracle
import pytest
from commands import COUNTS, inside, strike
from sqlalchemy import select

from crmctl.complaints import columns
from crmctl.complaints.tables import complaint, complaint_clock, complaint_event
from crmctl.customers.tables import customer
from crmctl.security.sealing import Sealer
from crmctl.store import engine

CUSTOMERS = "客户编号,公司名称,客户类型\n" + "".join(f"K{n},样例{n}号有限公司,企业客户\n" for n in range(20))
HEADER = "投诉编号,客户编号,投诉人,联系方式,渠道,类别,投诉事由,诉求,接到时间\n"
# Known customers, strangers, rows without numbers, rows twice, faulty ones.
GIVEN = HEADER + "".join(
    f"{f'A{n}' if n % 3 else ''},K{n % 25},投诉人{n},139{n:08d},{'电话' if n % 20 else '飞鸽'},质量,第{n}件事,换新,"
    f"2026-01-{n % 28 + 1:02d} 10:00\n"
    for n in [*range(200), *range(0, 60, 4)]
)
OPTIONS = ("--unidentified", "--migrated", "--chunk", 50)
POINTS = {
    "the batch is committed": "after:1:crmctl.sheets.intake:_open_batch",
    "numbers of strangers are taken": "after:1:crmctl.customers.apply:reserve",
    "keys of strangers are kept": "after:1:crmctl.complaints.provisional:several",
    "complaints are written, not committed": "after:1:crmctl.complaints.registering:register",
    "marks are written, not committed": "after:2:crmctl.complaints.origins:keep",
    "the cursor is written, not committed": "after:1:crmctl.sheets.batches:progress",
    "chunk 1 is committed": "after:1:crmctl.complaints.ground:Live.apply",
    "chunk 3 is about to be written": "before:3:crmctl.complaints.ground:Live.apply",
    "the last chunk is committed": "after:5:crmctl.complaints.ground:Live.apply",
    "the run is finished, not committed": "after:1:crmctl.runs.run:finish",
}


def prepared(folder: Path) -> Path:
    """Decide the limit that is told, bring in customers; return the file that the test is about."""
    company = folder / "policies" / "company.yaml"
    unset = "complaint_feedback_days:\n      value: unset"
    text = company.read_text("utf-8")
    assert unset in text
    company.write_text(text.replace(unset, unset.replace("unset", "7")), "utf-8")
    path = folder.parent / "customers.csv"
    path.write_text(CUSTOMERS, "utf-8")
    assert inside(folder, "customer", "import", path).status == 0
    given = folder.parent / "given.csv"
    given.write_text(GIVEN, "utf-8")
    return given


def contents(folder: Path) -> list[Any]:
    """Return every complaint, opened, in order; numbers of customers nobody knows say nothing."""
    with oracle.opened(folder) as run:
        with engine.read(run.engine) as conn:
            rows = conn.execute(select(complaint).order_by(complaint.c.complaint_id)).mappings().all()
            events = {row.complaint_id: row for row in conn.execute(select(complaint_event))}
            clocks = conn.execute(select(complaint_clock.c.complaint_id, complaint_clock.c.stage)).all()
            query = select(customer.c.customer_id, customer.c.status)
            known = {row.customer_id: row.status for row in conn.execute(query)}
        keys, sealer = run.keys.fetch("customer", known), Sealer(run.workspace.instance)
        assert set(run.keys.owner_ids("customer")) == set(known)
        numbers = sorted(row["number"] for row in rows)
        assert [int(number[-4:]) for number in numbers] == list(range(1, len(rows) + 1))
        assert len(events) == len(rows)
        assert {row["complaint_id"] for row in rows} == {own for own, _stage in clocks}
        found = []
        for row in rows:
            key, event = keys[row["customer_id"]], events[row["complaint_id"]]
            texts = sealer.open_json(key, columns.IN_COMPLAINT, bytes(row["sealed"]), row["complaint_id"])
            said = sealer.open_json(key, columns.IN_EVENT, bytes(event.sealed), event.event_id)
            whose = known[row["customer_id"]] if known[row["customer_id"]] == "provisional" else row["customer_id"]
            stages = sorted(stage for own, stage in clocks if own == row["complaint_id"])
            found.append((whose, row["status"], str(row["received_at"])[:10], texts, said.get("external"), stages))
        return found


@pytest.fixture(scope="module")
def kept() -> dict[str, Any]:
    return {}


@pytest.fixture
def undisturbed(make: Any, kept: dict[str, Any]) -> dict[str, Any]:
    """The complaints after an import that nobody disturbed, on SQLite, and its counts; made once."""
    if not kept:
        folder = make("sqlite", "undisturbed")
        done = inside(folder, "complaint", "import", prepared(folder), *OPTIONS, "-o", "json")
        assert done.status == 3, done.err
        assert done.counts["read"] == 215 == sum(done.counts[name] for name in ("created", "duplicate", "rejected"))
        assert min(done.counts[name] for name in ("created", "duplicate", "rejected")) >= 10
        kept.update(contents=contents(folder), counts=done.counts)
    return kept


@pytest.mark.parametrize("where", POINTS)
def test_killed_where(folder: Path, undisturbed: dict[str, Any], where: str) -> None:
    given = prepared(folder)
    done = strike(f"SIGKILL:{POINTS[where]}", folder, "complaint", "import", given, *OPTIONS)
    assert (done.status, done.out) == (-signal.SIGKILL, b""), done.err
    batch = max(oracle.states(folder))
    resumed = inside(folder, "batch", "resume", batch, "-o", "json")
    assert (resumed.status, resumed.err) == (3, b"")
    assert {name: resumed.counts[name] for name in COUNTS} == undisturbed["counts"]
    assert contents(folder) == undisturbed["contents"]
    assert oracle.complaints(folder) == []
    again = inside(folder, "complaint", "import", given, *OPTIONS, "-o", "json")
    assert again.counts["created"] == 0
