"""The empty sheet: headers that import again, marks, allowed values, notes, no sample row."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
import python_calamine
import xlsxwriter

from crmctl.customers.policy import CustomersSettings
from crmctl.customers.template import template
from crmctl.errors import InvalidInput
from crmctl.i18n import use
from crmctl.policy.model import CodeItem

Read = Callable[..., Any]
TIERS = {"tiers": [CodeItem(code="core", labels={"zh": "核心客户", "en": "Core"})]}


def header(data: bytes) -> list[str]:
    return next(csv.reader(io.StringIO(data.decode("utf-8-sig"))))


def sheets(data: bytes) -> dict[str, list[list[Any]]]:
    book = python_calamine.load_workbook(io.BytesIO(data))
    return {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}


@pytest.mark.parametrize("type_code", [None, "enterprise", "individual"])
@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("form", ["xlsx", "csv"])
def test_an_untouched_sheet_has_no_rows(
    read: Read, settings: CustomersSettings, type_code: str | None, lang: str, form: str
) -> None:
    use(lang)
    with pytest.raises(InvalidInput) as caught:
        read(template(settings, type_code, lang, form))
    assert caught.value.code == "NO_ROWS"


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_headers_are_understood_again(read: Read, settings: CustomersSettings, lang: str) -> None:
    columns = header(template(settings, None, lang, "csv"))
    text = io.StringIO(newline="")
    csv.writer(text).writerows([columns, ["张三", *[""] * (len(columns) - 1)]])
    mapping = read(text.getvalue()).info.mapping
    wanted = [field.code for field in settings.fields if field.template]
    assert [column.field for column in mapping.columns] == wanted
    assert mapping.fields["annual_amount"].unit is not None


def test_a_filled_sheet_imports(read: Read, settings: CustomersSettings) -> None:
    filled = {
        "客户类型": "政府客户", "公司名称*": "甲局", "对接人": "张三", "手机号": 13812345678,
        "客户来源": "展会", "年合作额(元)": 1200,
        "生日": "1988-06-18", "统一社会信用代码": "91330106MA2CCCCC52",
    }  # fmt: skip
    columns = header(template(settings, "government", "zh", "csv"))
    assert set(filled) <= set(columns)
    stream = io.BytesIO()
    book = xlsxwriter.Workbook(stream, {"in_memory": True})
    sheet = book.add_worksheet()
    for at, name in enumerate(columns):
        sheet.write(0, at, name)
        sheet.write(1, at, filled.get(name, ""))
    book.close()
    row = read(stream.getvalue()).valid[0]
    assert (row.type, row.clear["source"], row.clear["annual_amount"]) == ("government", "exhibition", 120_000)
    assert row.contact == {"name": "张三", "mobile": "+8613812345678", "birthday": "1988-06-18"}


def test_marks_and_columns_follow_the_type(settings: CustomersSettings) -> None:
    person = header(template(settings, "individual", "zh", "csv"))
    assert "姓名*" in person and "公司名称*" not in person and "统一社会信用代码" not in person
    firm = header(template(settings, "enterprise", "zh", "csv"))
    assert "公司名称*" in firm and "对接人" in firm
    assert header(template(settings, "enterprise", "en", "csv"))[:2] == ["Customer type", "Company name*"]


def test_notes_say_how_in_the_readers_language(settings: CustomersSettings) -> None:
    pages = sheets(template(settings, None, "en", "xlsx"))
    assert list(pages) == ["Customers", "How to fill in", "Allowed values"]
    assert len(pages["Customers"]) == 1
    notes = {line[0]: line for line in pages["How to fill in"]}
    assert notes["Company name*"][1] == "for organisations"
    assert "Exhibition" in notes["Source"][4]
    assert notes["Mobile"][5] == "13812345678"


def test_allowed_values_can_be_chosen(settings: CustomersSettings) -> None:
    with zipfile.ZipFile(io.BytesIO(template(settings, "government", "zh", "xlsx"))) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
    assert '"政府客户"' in sheet and "北京市,天津市" in sheet
    assert sheet.count("<dataValidation ") == 4  # type, region, industry, source


def test_long_lists_stand_on_a_sheet_of_their_own(settings: CustomersSettings) -> None:
    tier = settings.by_code["tier"].model_copy(update={"template": True})
    changed = settings.model_copy(update={"fields": (*settings.fields, tier)})
    long = CodeItem(code="x", labels={"zh": "很长" * 90, "en": "x"})
    pages = sheets(template(changed, None, "zh", "xlsx", {"tiers": [long, *TIERS["tiers"], long]}))
    assert [line[-1] for line in pages["Allowed values"]] == ["很长" * 90, "核心客户", "很长" * 90]


def test_lists_of_other_policies(settings: CustomersSettings) -> None:
    tier = settings.by_code["tier"].model_copy(update={"template": True})
    changed = settings.model_copy(update={"fields": (*settings.fields[:-1], tier)})
    pages = sheets(template(changed, None, "zh", "xlsx", TIERS))
    assert any("核心客户" in str(line) for line in pages["How to fill in"])
