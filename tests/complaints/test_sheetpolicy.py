"""The shipped policy of sheets of complaints: its headers, and what is wrong with a broken one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from crmctl import policy
from crmctl.complaints.intake import shared
from crmctl.complaints.sheetpolicy import COLUMNS, ComplaintSheetSettings
from crmctl.errors import CrmctlError
from crmctl.locate import shipped
from crmctl.sheets.headerindex import HeaderIndex


@pytest.fixture(scope="module")
def settings() -> ComplaintSheetSettings:
    """The shipped policy with what it shares with the customers policy."""
    return shared(policy.load(shipped("policies")))


def test_everything_a_sheet_can_say_has_a_field(settings: ComplaintSheetSettings) -> None:
    assert COLUMNS.keys() <= settings.by_code.keys()
    assert all(field.identity for code, field in settings.by_code.items() if code not in COLUMNS)


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("投诉编号", "number"), ("工单号", "number"), ("ticket_id", "number"), ("客户编号", "customer_code"),
        ("客户名称", "company_name"), ("手机号", "mobile"), ("投诉人", "complainant"), ("联系方式", "contact"),
        ("联系电话", "contact"), ("渠道", "channel"), ("投诉类别", "category"), ("严重程度", "severity"),
        ("投诉事由", "matter"), ("问题描述", "matter"), ("诉求", "demand"), ("接到时间", "received_at"),
        ("Date received", "received_at"), ("被投诉人", "about"), ("首问责任人", "receiver"), ("处理人", "handler"),
        ("assigned to", "handler"), ("状态", "status"), ("结案时间", "closed_at"), ("处理结果", "remarks"),
    ],
)  # fmt: skip
def test_headers(settings: ComplaintSheetSettings, header: str, field: str) -> None:
    index = HeaderIndex(settings)
    assert index.names[index.split(header)[0]] == [field]


def test_no_header_means_two_fields(settings: ComplaintSheetSettings) -> None:
    index = HeaderIndex(settings)
    assert {key: codes for key, codes in index.names.items() if len(codes) > 1} == {}
    assert index.ignored & index.names.keys() == set()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    - code: matter\n", "    - code: motive\n", "complaints have no field motive"),
        ("    - code: matter\n", "    - code: motive\n", "field matter is missing"),
        (
            "      format: datetime\n      range",
            "      format: date\n      range",
            "has the format datetime",
        ),
        ("{code: closed, labels", "{code: done, labels", "a state is open or closed"),
    ],
)
def test_what_contradicts_itself_is_told(tmp_path: Path, old: str, new: str, said: str) -> None:
    folder = tmp_path / "policies"
    shutil.copytree(shipped("policies"), folder)
    path = folder / "complaint_sheet.yaml"
    text = path.read_text("utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), "utf-8")
    with pytest.raises(CrmctlError) as refused:
        policy.load(folder)
    problems = (refused.value.details or {})["problems"]
    assert {Path(problem["path"]).name for problem in problems} == {"complaint_sheet.yaml"}
    assert any(said in problem["message"] for problem in problems)
