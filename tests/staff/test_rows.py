"""Records of a staff sheet: joined names, torn records, what is missing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from crmctl.policy.policyset import PolicySet
from crmctl.sheets.headerindex import HeaderIndex
from crmctl.sheets.headers import map_headers
from crmctl.sheets.model import Rejected
from crmctl.sheets.torncells import TornCells
from crmctl.staff.drafting import context_of, readers
from crmctl.staff.policy import settings_of
from crmctl.staff.rows import Outcome, StaffRow, compile_rows

AT = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)


def read(policies: PolicySet, header: list[str], *records: list[str]) -> list[Outcome]:
    settings = settings_of(policies)
    mapping = map_headers(header, HeaderIndex(settings))
    row = compile_rows(settings, mapping, readers(settings, context_of(policies, settings, AT)))
    return [row(number, record) for number, record in enumerate(records, start=2)]


def values(outcome: Outcome) -> dict[str, object]:
    assert isinstance(outcome, StaffRow), outcome
    return {name: value for name, value in outcome.values.items() if value is not None}


def codes(outcome: Outcome) -> list[tuple[str, str]]:
    assert isinstance(outcome, Rejected), outcome
    return [(reason.code, reason.field) for reason in outcome.reasons]


@pytest.mark.parametrize(
    ("first", "last", "name"),
    [("Nancy", "Davolio", "Nancy Davolio"), ("小明", "王", "王小明"), ("", "Davolio", "Davolio")],
)
def test_first_and_last_name_are_one_name(policies: PolicySet, first: str, last: str, name: str) -> None:
    (row,) = read(policies, ["employeeID", "lastName", "firstName"], ["7", last, first])
    assert values(row) == {"number": "7", "name": name}


def test_a_whole_name_comes_before_its_parts(policies: PolicySet) -> None:
    (row,) = read(policies, ["工号", "姓", "姓名", "名"], ["7", "张", "王小明", "三"])
    assert values(row) == {"number": "7", "name": "王小明"}


def test_private_columns_are_not_read(policies: PolicySet) -> None:
    header = ["工号", "姓名", "出生日期", "手机号", "家庭住址", "身份证号"]
    (row,) = read(policies, header, ["7", "王小明", "1990-01-01", "13800010001", "西湖路", "x"])
    assert values(row) == {"number": "7", "name": "王小明"}


def test_every_fault_of_a_row_is_told(policies: PolicySet) -> None:
    (row,) = read(policies, ["工号", "职级", "客户容量", "入职日期"], ["", "特级", "许多", "2026-02-30"])
    assert codes(row) == [
        ("VALUE_UNKNOWN", "level"),
        ("NUMBER_INVALID", "capacity"),
        ("DATE_INVALID", "joined_on"),
        ("REQUIRED", "number"),
    ]


def test_cells_that_fit_no_header(policies: PolicySet) -> None:
    header = ["工号", "姓名", "部门"]
    surplus, blank_surplus, short, torn = read(
        policies, header, ["7", "甲", "乙", "丙"], ["7", "甲", "乙", " "], ["7", "甲"], TornCells(["7", "甲"])
    )
    assert codes(surplus) == [("MORE_CELLS", "")]
    assert values(blank_surplus) == {"number": "7", "name": "甲", "department": "乙"}
    assert values(short) == {"number": "7", "name": "甲"}
    assert codes(torn) == [("FEWER_CELLS", "")]
