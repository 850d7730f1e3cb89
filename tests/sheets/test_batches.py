"""What the log tells of a chunk: the same of every kind of sheet, chunk by chunk up to what the batch says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import workspaces
from golden import call
from sqlalchemy import select

from crmctl.audit.tables import audit_entry
from crmctl.store import engine

KEYS = {"batch", "chunk", "rows", "counts", "changes"}
SHEETS = (
    ("customer", "客户类型,公司名称,手机\n企业客户,甲一样例有限公司,13800000001\n个人客户,,\n个人客户,,abc\n"),
    (
        "order",
        "订单号,公司名称,金额,下单日期\nA1,甲一样例有限公司,5,2026-01-05\nA2,无此有限公司,5,2026-01-05\nA3,,x,\n",
    ),
    ("staff", "工号,姓名\n1,员工甲\n2,\n,员工乙\n"),
)


def chunks(folder: Path, batch: int) -> list[dict[str, Any]]:
    """Return the entries of a batch's chunks, in order."""
    with workspaces.running(folder, "audit list", dry_run=True) as run, engine.read(run.engine) as conn:
        bodies = conn.execute(select(audit_entry.c.body).order_by(audit_entry.c.seq)).scalars()
        found = [json.loads(body) for body in bodies]
    return [entry for entry in found if entry.get("batch") == batch and "chunk" in entry]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return workspaces.make(tmp_path / "w")


def test_every_kind_of_sheet_is_logged_alike_and_adds_up(folder: Path, tmp_path: Path) -> None:
    for batch, (kind, text) in enumerate(SHEETS, 1):
        sheet = tmp_path / f"{kind}.csv"
        sheet.write_text(text, "utf-8")
        done = call(["-w", str(folder), kind, "import", str(sheet), "--chunk", "1", "-o", "json"])
        report = json.loads(done.stdout)

        entries = chunks(folder, batch)

        assert [(entry["chunk"], entry["rows"]) for entry in entries] == [(0, [2, 2]), (1, [3, 3]), (2, [4, 4])], kind
        assert all(entry.keys() >= KEYS for entry in entries), kind
        assert [entry["changes"] > 0 for entry in entries] == [True, False, False], kind
        assert ["changes_root" in entry for entry in entries] == [True, False, False], kind
        for name in ("read", "created", "rejected"):
            assert sum(entry["counts"][name] for entry in entries) == report[name], (kind, name)
        assert sorted({code for entry in entries for code in entry.get("codes", ())}) == sorted(report["reasons"])
    assert call(["-w", str(folder), "audit", "verify", "--changes", "--rows"]).exit_code == 14
