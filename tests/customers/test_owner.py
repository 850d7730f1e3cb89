"""Owners as people know them: asked for by staff number or name, shown by name; programs keep the staff id."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import workspaces
from golden import call
from sqlalchemy import update

from crmctl.customers.tables import customer
from crmctl.store import engine

SHEET = "客户类型,公司名称,手机\n企业客户,甲一样例有限公司,13800000001\n企业客户,乙二样例有限公司,13800000002\n"
TRAINED = "2026-01-05,2026-01-05"
STAFF = f"工号,姓名,岗前培训通过日期,保密协议签署日期\nE1,周样例,{TRAINED}\nE2,同名,{TRAINED}\nE3,同名,{TRAINED}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A workspace of two customers: the second owned by E1, whose staff id is 1, the first by nobody."""
    place = workspaces.make(tmp_path / "w")
    for kind, text in (("customer", SHEET), ("staff", STAFF)):
        sheet = tmp_path / f"{kind}.csv"
        sheet.write_text(text, "utf-8")
        assert call(["-w", str(place), kind, "import", str(sheet)]).exit_code == 0
    own(place, 1)
    return place


def own(folder: Path, staff_id: int) -> None:
    with workspaces.running(folder, "customer list", dry_run=True) as run, engine.write(run.engine) as conn:
        conn.execute(update(customer).where(customer.c.customer_id == 2).values(owner_id=staff_id))


def listed(folder: Path, owner: str) -> tuple[int, Any]:
    done = call(["-w", str(folder), "customer", "list", "--owner", owner, "-o", "json"])
    if done.exit_code:
        return done.exit_code, json.loads(done.stderr.splitlines()[-1])["code"]
    return 0, [(row["customer"], row["owner"]) for row in json.loads(done.stdout)["customers"]]


@pytest.mark.parametrize("owner", ["E1", "周样例", "S-000001"])
def test_an_owner_is_asked_for_by_number_or_name(folder: Path, owner: str) -> None:
    assert listed(folder, owner) == (0, [(2, 1)])


def test_who_owns_nothing_is_unknown_or_shares_a_name(folder: Path) -> None:
    assert listed(folder, "E2") == (0, [])
    assert listed(folder, "nobody")[1] == "STAFF_UNKNOWN"
    assert listed(folder, "同名")[1] == "STAFF_AMBIGUOUS"


def test_people_see_the_owners_name_programs_the_staff_id(folder: Path) -> None:
    assert "周样例 (E1)" in call(["-w", str(folder), "customer", "show", "2"]).stdout
    document = json.loads(call(["-w", str(folder), "customer", "show", "2", "-o", "json"]).stdout)
    assert document["customer"]["owner_id"] == 1
    own(folder, 77)  # left the register's world: the bare id is all there is
    told = call(["-w", str(folder), "customer", "show", "2"]).stdout.splitlines()
    (line,) = (line for line in told if "Owner" in line)
    assert line.split()[-1] == "77"


def test_an_owner_by_a_name_that_two_have_is_left_empty_and_listed(folder: Path, tmp_path: Path) -> None:
    """Nobody is guessed: whoever has the name alone, or is given by number, is the owner."""
    sheet = tmp_path / "owners.csv"
    sheet.write_text(
        "客户类型,公司名称,手机,负责人\n企业客户,丙三样例有限公司,13800000003,同 名\n"
        "企业客户,丁四样例有限公司,13800000004,周样例\n企业客户,戊五样例有限公司,13800000005,E2\n",
        "utf-8",
    )
    done = json.loads(call(["-w", str(folder), "customer", "import", str(sheet), "-o", "json"]).stdout)
    assert (done["created"], done["rejected"]) == (3, 0)
    flagged = call(["-w", str(folder), "customer", "list", "--flag", "OWNER_AMBIGUOUS", "-o", "json"])
    (row,) = json.loads(flagged.stdout)["customers"]
    assert row["name"] == "丙三样例有限公司"
    shown = [json.loads(call(["-w", str(folder), "customer", "show", str(n), "-o", "json"]).stdout) for n in (3, 4, 5)]
    assert [each["customer"].get("owner_name") for each in shown] == [None, "周样例", "E2"]
    assert [each["customer"].get("owner_id") for each in shown] == [None, 1, 2]
    batch = json.loads(call(["-w", str(folder), "batch", "show", str(done["batch"]), "-o", "json"]).stdout)
    assert batch["flagged"] == 1
