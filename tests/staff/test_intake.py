"""Sheets of staff on both databases: counts reconcile, the same again changes nothing, a killed import is finished."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from golden import call
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

STRIKE = Path(__file__).parents[1] / "faults" / "strike.py"
OUTCOMES = ("created", "updated", "unchanged", "duplicate", "rejected")
SHEET = (
    "工号,姓名,职级,语言,企业微信账号,入职日期,离职日期",
    "1,张三,高级,中文;英语,zs,2026-01-05,",
    "2,李四,高级,火星语,ls,,",
    "3,王五,初级,,ZS,,",
    "4,赵六,,,,2026-05-01,2026-04-01",
    "5,,,,,,",
    "6,钱七,,,,2026年3月5日,",
    "6,钱七,主管,,,,",
    ",孙八,,,,,",
)


def counts(document: Any) -> tuple[int, ...]:
    assert document["read"] == sum(document[name] for name in OUTCOMES)
    return tuple(document[name] for name in OUTCOMES)


def write(folder: Path, *lines: str) -> str:
    path = folder.with_name("sheet.csv")
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return str(path)


def register(staff: Any) -> list[dict[str, Any]]:
    return [{**row, "staff_id": 0} for row in staff.json("list")["staff"]]


def test_northwind_has_nine_people(staff: Any, northwind: Path) -> None:
    assert counts(staff.json("import", str(northwind), "--dry-run")) == (9, 0, 0, 0, 0)
    assert counts(staff.json("import", str(northwind))) == (9, 0, 0, 0, 0)
    before = staff.json("list")["staff"]
    assert [row["name"] for row in before][:2] == ["Nancy Davolio", "Andrew Fuller"]
    assert before[4]["joined_on"] == "1993-10-17"
    assert before[4]["attributes"] == {"extension": "3453", "job_title": "Sales Manager", "reports_to": "2"}
    assert "birth" not in json.dumps(before)
    assert counts(staff.json("import", str(northwind))) == (0, 0, 9, 0, 0)
    assert staff.json("list")["staff"] == before


def test_rejected_rows_wait_in_quarantine_with_their_reasons(folder: Path, staff: Any) -> None:
    document = staff.json("import", write(folder, *SHEET), status=3)
    assert counts(document) == (2, 1, 0, 0, 5)
    assert document["reasons"] == {
        "LEFT_BEFORE_JOINED": 1,
        "REQUIRED": 2,
        "VALUE_UNKNOWN": 1,
        "WECOM_ID_TAKEN": 1,
    }
    done = call(["-w", str(folder), "batch", "rejects", "1", "-o", "json"])
    rows = json.loads(done.stdout)["rejects"]
    assert [(row["row"], row["code"], row["field"]) for row in rows] == [
        (3, "VALUE_UNKNOWN", "languages"),
        (4, "WECOM_ID_TAKEN", ""),
        (5, "LEFT_BEFORE_JOINED", ""),
        (6, "REQUIRED", "name"),
        (9, "REQUIRED", "number"),
    ]
    people = {row["number"]: row for row in staff.json("list")["staff"]}
    assert (people["6"]["level"], people["6"]["joined_on"]) == ("supervisor", "2026-03-05")  # a row sees those before


@pytest.mark.parametrize("chunk", ["1", "2", "100"])
def test_the_result_does_not_depend_on_the_chunk(folder: Path, staff: Any, chunk: str) -> None:
    document = staff.json("import", write(folder, *SHEET), "--chunk", chunk, status=3)
    assert counts(document) == (2, 1, 0, 0, 5)
    assert [row["number"] for row in register(staff)] == ["1", "6"]
    shown = staff.json("show", "6")["staff"]
    assert (shown["level"], shown["attributes"]) == ("supervisor", {})


def test_a_sheet_with_numbers_and_trainings_is_enough_for_known_people(folder: Path, staff: Any) -> None:
    staff.add("1", "甲", "--department", "客户部")
    sheet = write(folder, "工号,培训通过日期,部门", "1,2026-03-05,", "2,2026-03-05,")
    document = staff.json("import", sheet, status=3)
    assert (counts(document), document["reasons"]) == ((0, 1, 0, 0, 1), {"REQUIRED": 1})
    shown = staff.json("show", "1")["staff"]
    assert (shown["trained_on"], shown["department"]) == ("2026-03-05", "客户部")


def test_blank_cells_clear_where_that_is_asked_for(folder: Path, staff: Any) -> None:
    staff.add("1", "甲", "--department", "客户部", "--level", "mid")
    sheet = write(folder, "工号,姓名,部门", "1,甲,")
    assert counts(staff.json("import", sheet)) == (0, 0, 1, 0, 0)
    assert counts(staff.json("import", sheet, "--blank", "clear")) == (0, 1, 0, 0, 0)
    shown = staff.json("show", "1")["staff"]
    assert (shown["department"], shown["level"]) == (None, "mid")


def test_modes(folder: Path, staff: Any) -> None:
    staff.add("1", "甲")
    sheet = write(folder, "工号,姓名", "1,乙", "2,丙")
    assert counts(staff.json("import", sheet, "--mode", "create")) == (1, 0, 0, 1, 0)
    assert staff.json("show", "1")["staff"]["name"] == "甲"
    sheet = write(folder, "工号,姓名", "1,乙", "3,丁")
    document = staff.json("import", sheet, "--mode", "update", status=3)
    assert (counts(document), document["reasons"]) == ((0, 1, 0, 0, 1), {"NO_MATCH": 1})


def test_a_file_without_staff_numbers_or_with_unknown_columns_is_refused(folder: Path, staff: Any) -> None:
    assert staff.refused("import", write(folder, "姓名,部门", "甲,乙"))[:2] == (4, "COLUMN_MISSING")
    assert staff.refused("import", write(folder, "工号,姓名,星座", "1,甲,白羊"))[:2] == (4, "COLUMN_UNKNOWN")
    sheet = write(folder, "工号,姓名,星座", "1,甲,白羊")
    assert counts(staff.json("import", sheet, "--drop-unknown")) == (1, 0, 0, 0, 0)


def test_more_changes_than_allowed_are_refused(folder: Path, staff: Any) -> None:
    staff.add("1", "甲")
    staff.add("2", "乙")
    sheet = write(folder, "工号,部门", "1,客户部", "2,客户部")
    assert staff.refused("import", sheet, "--max-changes", "1")[:2] == (7, "LIMIT_EXCEEDED")
    assert staff.json("show", "1")["staff"]["department"] is None
    done = call(["-w", str(folder), "batch", "resume", "1", "--max-changes", "2", "-o", "json"])
    assert (done.exit_code, counts(json.loads(done.stdout))) == (0, (0, 2, 0, 0, 0))


@pytest.mark.parametrize(
    "point",
    ["before:1:crmctl.staff.apply:write", "after:2:crmctl.staff.apply:write", "after:2:crmctl.sheets.batches:progress"],
)
def test_a_killed_import_is_finished_without_a_lost_or_doubled_row(folder: Path, staff: Any, point: str) -> None:
    sheet = write(folder, *SHEET)
    words = ["-w", str(folder), "staff", "import", sheet, "--chunk", "3"]
    killed = subprocess.run(
        [sys.executable, str(STRIKE), f"SIGKILL:{point}", *words], env=dict(os.environ), capture_output=True, timeout=60
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    done = call(["-w", str(folder), "batch", "resume", "1", "-o", "json"])
    assert (done.exit_code, counts(json.loads(done.stdout))) == (3, (2, 1, 0, 0, 5))
    assert [row["number"] for row in register(staff)] == ["1", "6"]


def test_standard_input(folder: Path, staff: Any) -> None:
    done = staff("import", "-", "-o", "json", stdin="\n".join(SHEET).encode("gb18030"))
    assert (done.exit_code, counts(json.loads(done.stdout))) == (3, (2, 1, 0, 0, 5))


_numbers = itertools.count()
cells = st.tuples(
    st.sampled_from("1234"), st.sampled_from(["", "甲", "乙"]), st.sampled_from(["", "a", "b"]),
    st.sampled_from(["", "初级", "高级", "特级"]),
)  # fmt: skip


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(cells, min_size=1, max_size=8))
def test_rows_are_taken_one_by_one(sqlite_folder: Path, staff_here: Any, rows: list[tuple[str, ...]]) -> None:
    """A model that knows the rules of the sheet agrees, row by row, on the register as it is by then."""
    people: dict[str, dict[str, str]] = {
        row["number"]: {"name": row["name"], "wecom_id": row["wecom_id"] or "", "level": row["level"] or ""}
        for row in staff_here.json("list")["staff"]
    }
    expected = dict.fromkeys(OUTCOMES, 0)
    for number, name, account, level in rows:
        given_ = {"name": name, "wecom_id": account, "level": {"初级": "junior", "高级": "senior"}.get(level, "")}
        known = people.get(number, {"name": "", "wecom_id": "", "level": ""})
        after = {key: given_[key] or known[key] for key in known}
        taken = any(other["wecom_id"] == after["wecom_id"] != "" for key, other in people.items() if key != number)
        if level == "特级" or (number not in people or after != known) and (not after["name"] or taken):
            expected["rejected"] += 1
            continue
        expected[
            "unchanged" if after == known and number in people else "updated" if number in people else "created"
        ] += 1
        people[number] = after
    lines = [",".join(row) for row in rows]
    remark = f"n{next(_numbers)}"  # every file is another one
    sheet = write(sqlite_folder, "工号,姓名,企业微信账号,职级,序号", *(f"{line},{remark}" for line in lines))
    document = staff_here.json("import", sheet, "--chunk", "3", status=3 if expected["rejected"] else 0)
    assert {name: document[name] for name in OUTCOMES} == expected
    found = {
        row["number"]: {"name": row["name"], "wecom_id": row["wecom_id"] or "", "level": row["level"] or ""}
        for row in staff_here.json("list")["staff"]
    }
    assert found == people
