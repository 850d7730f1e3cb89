"""The empty sheet of staff: its headers are understood, it has the allowed values, it imports as it is."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from golden import call
from python_calamine import CalamineWorkbook

from crmctl.policy.policyset import PolicySet
from crmctl.staff.policy import outside_lists, settings_of
from crmctl.staff.template import template


def header(policies: PolicySet, lang: str) -> list[str]:
    data = template(settings_of(policies), lang, "csv", outside_lists(policies))
    return next(csv.reader(io.StringIO(data.decode("utf-8-sig"))))


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_headers_are_understood_again(policies: PolicySet, staff_here: Any, lang: str, tmp_path: Path) -> None:
    names = header(policies, lang)
    row = dict.fromkeys(names, "")
    row[names[0]], row[names[1]] = "7", "王小明"
    sheet = tmp_path / "filled.csv"
    with sheet.open("w", encoding="utf-8-sig", newline="") as stream:
        csv.writer(stream).writerows([names, row.values()])
    assert staff_here.json("import", str(sheet))["created"] == 1


def test_required_columns_are_marked(policies: PolicySet) -> None:
    assert [name for name in header(policies, "zh") if name.endswith("*")] == ["工号*", "姓名*"]


def test_a_workbook_offers_the_allowed_values(policies: PolicySet) -> None:
    data = template(settings_of(policies), "zh", "xlsx", outside_lists(policies))
    book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    sheets = [book.get_sheet_by_name(name).to_python() for name in book.sheet_names]
    assert sheets[0][0][:2] == ["工号*", "姓名*"]
    assert len(sheets[0]) == 1
    notes = {str(row[0]): str(row[4]) for row in sheets[1] if len(row) > 4}
    assert "初级服务顾问, 中级服务顾问, 高级服务顾问, 服务主管" in notes["职级"]
    assert "客户分级与跟进岗" in notes["岗位"]


def test_a_workbook_goes_to_a_file(sqlite_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "员工.xlsx"
    done = call(["-w", str(sqlite_folder), "staff", "template", "-o", "xlsx", "--out", str(out)])
    assert (done.exit_code, done.stdout) == (0, "")
    assert out.read_bytes().startswith(b"PK")
