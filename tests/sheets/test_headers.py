"""Headers → fields: synonyms in any style, units, roles of names, unknown and repeated columns."""

from __future__ import annotations

from pathlib import Path

import pytest

from crmctl.customers.policy import CustomersSettings
from crmctl.errors import InvalidInput
from crmctl.sheets.formats.money import Unit
from crmctl.sheets.headerindex import HeaderIndex
from crmctl.sheets.headers import ColumnMapping, check_required, letter, load_mapping, map_headers


@pytest.fixture(scope="session")
def index(settings: CustomersSettings) -> HeaderIndex:
    return HeaderIndex(settings)


def fields(mapping: ColumnMapping) -> list[str | None]:
    return [column.field for column in mapping.columns]


@pytest.mark.parametrize(
    ("headers", "field"),
    [
        ("companyName company_name Company-Name COMPANYNAME 公司名称 企业名称 单位名称 ｃｏｍｐａｎｙ", "company_name"),
        ("统一社会信用代码 税号 纳税人识别号 taxId", "uscc"),
        ("客户编号 唯一ID customerID customer_id Record-ID", "external_code"),
        ("联系人 姓名 对接人 contactName contact_person", "name"),
        ("手机 手机号 手机号码 联系人手机 对接人手机 mobile cell_phone Mobile-Phone-Number", "mobile"),
        ("电话 联系电话 座机 phone tel BusinessPhone", "phone"),
        ("邮箱 电子邮箱 e-mail Email E-mail-Address", "email"),
        ("职务 职位 contactTitle jobTitle", "position"),
        ("客户等级 级别 分级 tier", "tier"),
        ("负责人 所有人 归属人 跟进人 Account-Owner", "owner_name"),
        ("省 省份 region State/Province", "region"),
        ("详细地址 地址 address Street MailingStreet", "address"),
        ("postalCode 邮编 ZIP", "postcode"),
        ("创建时间 录入时间 CreatedDate created_at", "first_added_at"),
        ("最近跟进时间 last_contact_at LastActivityDate", "last_contact_at"),
        ("合同到期日 contract_end_date", "contract_end_on"),
        ("external_userid externalUserId", "external_userid"),
    ],
)
def test_usual_headers_in_any_style(index: HeaderIndex, headers: str, field: str) -> None:
    for header in headers.split():
        assert fields(map_headers([header], index)) == [field], header


@pytest.mark.parametrize(
    "header",
    [
        "手机号*",
        "*手机号",
        "手机号（必填）",
        "手机号(required)",
        "手机号【必填】",
        "手机号：",
        "手机号(格式：11位)",
        "手机号 (e.g. 138…)",
    ],
)
def test_remarks_change_nothing(index: HeaderIndex, header: str) -> None:
    assert fields(map_headers([header], index)) == ["mobile"]


@pytest.mark.parametrize(
    ("header", "unit"),
    [
        ("年合作额", None),
        ("年合作额(元)", (1, "CNY")),
        ("年合作额（万元）", (10_000, "CNY")),
        ("年合作额[万]", (10_000, "CNY")),
        ("年合作额（单位：万元）", (10_000, "CNY")),
        ("年合作额万元", (10_000, "CNY")),
        ("年合作额(万元/年)", (10_000, "CNY")),
        ("Annual amount (USD)", (1, "USD")),
        ("annual_amount_usd", (1, "USD")),
        ("Annual amount (k)", (1000, None)),
        ("年合作额(万美元)", (10_000, "USD")),
    ],
)
def test_units_in_headers(index: HeaderIndex, header: str, unit: tuple[int, str] | None) -> None:
    column = map_headers([header], index).columns[0]
    assert (column.field, column.unit) == ("annual_amount", unit and Unit(*unit))


def test_a_unit_declared_above_holds_for_amounts_that_name_none(index: HeaderIndex) -> None:
    columns = map_headers(["年合作额", "年营收(元)", "备注"], index, unit=Unit(10_000, "CNY")).columns
    assert [column.unit for column in columns] == [Unit(10_000, "CNY"), Unit(1, "CNY"), None]


def test_an_unknown_unit_is_an_unknown_column(index: HeaderIndex) -> None:
    with pytest.raises(InvalidInput, match="年合作额"):
        map_headers(["年合作额(箱)"], index)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (["客户名称", "手机"], ["customer_name", "mobile"]),
        (["客户名称", "公司名称"], ["name", "company_name"]),
        (["客户名称", "联系人"], ["customer_name", "name"]),
        (["客户名称", "公司名称", "联系人"], ["customer_name", "company_name", "name"]),
        (["name", "First Name", "Last Name", "Company"], ["name", None, None, "company_name"]),
        (["external_userid", "type", "userid"], ["external_userid", "wecom_type", "owner_name"]),
        (["type", "user id"], ["type", "external_code"]),
        (["corp_name"], ["company_name"]),
        (["corp_name", "corp_full_name"], ["short_name", "company_name"]),
        (["Title", "Job Title"], ["salutation", "position"]),
        (["Title"], ["position"]),
    ],
)
def test_headers_whose_meaning_depends_on_the_others(
    index: HeaderIndex, headers: list[str], expected: list[str | None]
) -> None:
    assert fields(map_headers(headers, index)) == expected


def test_unknown_columns_stop_the_file_unless_mapped_or_dropped(index: HeaderIndex) -> None:
    with pytest.raises(InvalidInput) as caught:
        map_headers(["公司名称", "星座", "手机号马"], index)
    assert (caught.value.code, caught.value.exit_code) == ("COLUMN_UNKNOWN", 4)
    assert caught.value.details["columns"] == ["星座", "手机号马"]
    assert "手机号马 → mobile" in caught.value.hint and "--drop-unknown" in caught.value.hint
    dropped = map_headers(["公司名称", "星座"], index, drop_unknown=True)
    assert [column.why for column in dropped.columns] == ["synonym", "dropped"]
    mapped = map_headers(["公司名称", "星座", "血型"], index, chosen={"星座": "notes", "血型": "ignore"})
    assert fields(mapped) == ["company_name", "notes", None]


def test_a_column_without_header_matters_only_with_values(index: HeaderIndex) -> None:
    assert fields(map_headers(["公司名称", ""], index)) == ["company_name", None]
    with pytest.raises(InvalidInput, match="column B"):
        map_headers(["公司名称", ""], index, unnamed=frozenset({1}))


def test_two_columns_of_one_field(index: HeaderIndex) -> None:
    with pytest.raises(InvalidInput, match="columns A .电话. and B .联系电话. both mean phone"):
        map_headers(["电话", "联系电话"], index)
    with pytest.raises(InvalidInput, match="occurs twice"):
        map_headers(["name", "Name"], index)
    chosen = {"联系电话": "ignore"}
    assert fields(map_headers(["电话", "联系电话"], index, chosen=chosen)) == ["phone", None]


@pytest.mark.parametrize("chosen", [{"公司名称": "compny_name"}, {"没有这列": "notes"}])
def test_a_mapping_that_cannot_be(index: HeaderIndex, chosen: dict[str, str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        map_headers(["公司名称"], index, chosen=chosen)
    assert caught.value.code == "MAPPING_INVALID" and caught.value.hint


@pytest.mark.parametrize(
    ("headers", "type_code", "missing"),
    [
        (["手机", "邮箱"], None, ["company_name", "name"]),
        (["手机", "姓名"], "enterprise", ["company_name"]),
        (["手机", "公司"], "individual", ["name"]),
        (["手机", "姓名"], None, None),
        (["手机", "公司"], None, None),
        (["客户名称"], "enterprise", None),
        (["First Name", "Last Name"], "individual", None),
    ],
)
def test_required_columns(
    index: HeaderIndex,
    settings: CustomersSettings,
    headers: list[str],
    type_code: str | None,
    missing: list[str] | None,
) -> None:
    mapping = map_headers(headers, index)
    if missing is None:
        check_required(mapping, settings, type_code)
        return
    with pytest.raises(InvalidInput) as caught:
        check_required(mapping, settings, type_code)
    assert caught.value.code == "COLUMN_MISSING"
    assert caught.value.details["fields"] == missing
    assert "公司名称" in caught.value.hint or "对接人" in caught.value.hint


def test_mapping_files(tmp_path: Path) -> None:
    good = tmp_path / "good.yaml"
    good.write_text('mapping:\n  客户全名: customer_name\n  "传真": ignore\n', "utf-8")
    assert load_mapping(good) == {"客户全名": "customer_name", "传真": "ignore"}
    for text in (
        "mapping: {}\n",
        "a: b\n",
        "mapping:\n  a: {b: c}\n",
        "mapping:\n  a: b\n  a: c\n",
        "mapping: &x {a: b}\n",
        "[1]\n",
    ):
        bad = tmp_path / "bad.yaml"
        bad.write_text(text, "utf-8")
        with pytest.raises(InvalidInput):
            load_mapping(bad)


def test_letters_are_those_of_a_spreadsheet() -> None:
    assert [letter(i) for i in (0, 25, 26, 51, 52, 701, 702)] == ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]


def test_every_header_of_the_policy_is_understood(index: HeaderIndex, settings: CustomersSettings) -> None:
    unknown = []
    for item in settings.fields:
        for header in (item.code, *item.labels.values(), *item.headers):
            try:
                map_headers([header], index)
            except InvalidInput:
                unknown.append((item.code, header))
    assert unknown == []
