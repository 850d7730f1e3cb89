"""Rows: where values go, which identities they make, what is missing, all reasons at once."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from strategies import CELLS, csv_bytes

from crmctl.customers.identities import identity_values
from crmctl.customers.model import Row
from crmctl.policy.model import CodeItem
from crmctl.security.identity import IDENTITY_KINDS
from crmctl.sheets.model import Rejected

KINDS = {number: name for name, number in IDENTITY_KINDS.items()}
Read = Callable[..., Any]


def keys(row: Row) -> list[tuple[str, str, str, bool]]:
    return [(KINDS[key.kind], key.value, key.strength, key.of_contact) for key in row.keys]


def one(read: Read, headers: str, cells: str, **options: Any) -> Row:
    outcome = read(f"{headers}\n{cells}\n", **options).outcomes[0]
    assert isinstance(outcome, Row), outcome
    return outcome


def reasons(read: Read, headers: str, cells: str, **options: Any) -> set[tuple[str, str]]:
    return {(code, field) for _number, code, field in read(f"{headers}\n{cells}\n", **options).reasons}


def test_an_organisation(read: Read) -> None:
    row = one(
        read,
        "公司名称,联系人,手机,邮箱,地址,省份,客户来源,年合作额(万元),税号,客户编号,最近跟进时间,备注",
        "甲有限公司,王五,138 1234 5678,A@B.CN,路 1 号,浙江,展会,1.5,91330106MA2CCCCC52,KH1,2024-06-25 10:37:00,",
    )
    assert (row.number, row.type, row.organisation) == (2, "enterprise", True)
    assert row.clear == {
        "company_name": "甲有限公司", "region": "浙江省", "source": "exhibition", "annual_amount": 1_500_000,
        "currency": "CNY", "last_contact_at": "2024-06-25T02:37:00Z",
    }  # fmt: skip
    assert row.attributes == {"uscc": "91330106MA2CCCCC52", "external_code": "KH1"}
    assert row.personal == {"address": "路 1 号"}
    assert row.contact == {"name": "王五", "mobile": "+8613812345678", "email": "a@b.cn"}
    assert set(row.blank) == {"notes"}
    assert keys(row)[0] == ("org_name", "甲有限公司", "unique", False)
    assert set(keys(row)[1:]) == {
        ("uscc", "91330106MA2CCCCC52", "unique", False),
        ("external_code", "KH1", "unique", False),
        ("person_name", "王五", "none", True),
        ("mobile", "+8613812345678", "supporting", True),
        ("email", "a@b.cn", "supporting", True),
    }


def test_a_person(read: Read) -> None:
    row = one(read, "姓名,手机,邮箱,年龄,生日,公司名称,客户类型", "王 小明,13812345678,无,35岁,1988/6/18,甲公司,个人")
    assert (row.type, row.organisation, row.contact) == ("individual", False, None)
    assert row.clear == {} and row.attributes == {}
    assert row.personal == {
        "name": "王 小明", "mobile": "+8613812345678", "age": "35", "birthday": "1988-06-18", "company_name": "甲公司",
    }  # fmt: skip
    assert set(row.blank) == {"email"}
    assert keys(row) == [("person_name", "王小明", "none", False), ("mobile", "+8613812345678", "unique", False)]


@pytest.mark.parametrize(
    ("headers", "cells", "type_code", "expected"),
    [
        ("公司名称,联系人", "甲,张三", None, "enterprise"),
        ("公司名称,联系人", "无,张三", None, "individual"),
        ("公司名称,联系人", ",张三", "government", None),
        ("客户名称", "杭州某某有限公司", None, "enterprise"),
        ("客户名称", "Acme Ltd", None, "enterprise"),
        ("客户名称", "Altdorfer", None, "individual"),
        ("客户名称,联系人", "甲,张三", None, "enterprise"),
        ("客户名称,联系人", "张三,张三", None, "individual"),
        ("客户名称,税号", "甲,91330106MA2CCCCC52", None, "enterprise"),
        ("客户名称", "张三", "government", "government"),
        ("客户名称,客户类型", "张三,政府", "individual", "government"),
        ("客户名称,客户类型", "张三,", "government", "government"),
        ("customerName,contactFirstName,contactLastName", "Atelier,Carine,Schmitt", None, "enterprise"),
        ("Name,First Name,Last Name", "Carine Schmitt,Carine,Schmitt", None, "individual"),
    ],
)
def test_the_type_of_a_row(read: Read, headers: str, cells: str, type_code: str | None, expected: str | None) -> None:
    if expected is None:
        assert reasons(read, headers, cells, type=type_code) == {("REQUIRED", "company_name")}
    else:
        assert one(read, headers, cells, type=type_code).type == expected


def test_the_name_of_the_party(read: Read) -> None:
    firm = one(read, "客户名称,联系人", "甲有限公司,张三")
    assert (firm.clear["company_name"], firm.contact) == ("甲有限公司", {"name": "张三"})
    assert "customer_name" not in firm.personal
    both = one(read, "客户名称,公司名称,联系人", "小甲,甲有限公司,张三")
    assert (both.clear["company_name"], both.attributes["short_name"]) == ("甲有限公司", "小甲")
    person = one(read, "客户名称,联系人,客户类型", "张三,李四,个人")
    assert person.personal == {"name": "张三", "contact_person": "李四"}
    same = one(read, "客户名称,联系人,手机,客户类型", "甲公司,甲公司,13812345678,企业")
    assert same.contact == {"mobile": "+8613812345678"}


def test_parts_become_a_whole(read: Read) -> None:
    western = one(
        read, "First Name,Middle Name,Last Name,Address Line 1,Address Line 2", "Maria,X,Anders,Obere Str. 57,2nd floor"
    )
    assert western.personal == {"name": "Maria X Anders", "address": "Obere Str. 57 2nd floor"}
    assert one(read, "姓,名", "王,小明").personal["name"] == "王小明"
    assert one(read, "First Name,Last Name", "Maria,").personal["name"] == "Maria"
    empty = read("First Name,Last Name,Company\n,,Acme\n").outcomes[0]
    assert empty.contact is None and "name" in empty.blank


def test_all_reasons_are_told(read: Read) -> None:
    found = reasons(
        read,
        "姓名,手机,邮箱,身份证号,年龄,创建时间,客户类型,年合作额",
        ",1381234567,a@mail..x,110105194912310021,200,2024-02-30,vip?,面议",
    )
    assert found == {
        ("REQUIRED", "name"), ("MOBILE_INVALID", "mobile"), ("EMAIL_INVALID", "email"), ("ID_CARD_INVALID", "id_card"),
        ("NUMBER_OUT_OF_RANGE", "age"), ("DATE_INVALID", "first_added_at"), ("TYPE_UNKNOWN", "type"),
        ("AMOUNT_INVALID", "annual_amount"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("headers", "cells", "expected"),
    [
        ("公司名称,联系人,手机", "甲,,13812345678", {("REQUIRED", "name")}),
        ("公司名称,First Name,Last Name,Email", "甲,,,a@b.cn", {("REQUIRED", "name")}),
        ("姓名", "合计", {("REQUIRED", "name")}),
        ("姓名,最近跟进时间", "张三,2027-01-01 00:00", {("DATE_OUT_OF_RANGE", "last_contact_at")}),
        ("姓名,生日", "张三,1899-01-01", {("DATE_OUT_OF_RANGE", "birthday")}),
        ("姓名,手机", "张三,1.38E+10", {("CODE_DAMAGED", "mobile")}),
        ("姓名,客户编号", "张三,1.1E+17", {("CODE_DAMAGED", "external_code")}),
        ("姓名,性别", "张三," + "x" * 30, {("TOO_LONG", "gender")}),
        ("姓名", "张" * 61, {("TOO_LONG", "name")}),
        ("姓名,手机", "张三,138,x", {("MORE_CELLS", "")}),
    ],
)
def test_reasons(read: Read, headers: str, cells: str, expected: set[tuple[str, str]]) -> None:
    assert reasons(read, headers, cells) == expected


def test_a_contact_without_a_name_is_fine_where_the_file_has_no_names(read: Read) -> None:
    row = one(read, "公司名称,手机,邮箱", "甲,13812345678,info@a.cn")
    assert row.contact == {"mobile": "+8613812345678", "email": "info@a.cn"}


@pytest.mark.parametrize(
    "cell", ["", " ", "无", "/", "-", "NULL", "null", "N/A", "n/a", "ｎｕｌｌ", "#N/A", "暂无", "——", "'-"]
)
def test_placeholders_say_nothing(read: Read, cell: str) -> None:
    headers = [
        "姓名",
        "手机",
        "邮箱",
        "省份",
        "客户来源",
        "备注",
        "年合作额",
        "生日",
        "客户编号",
        "税号",
        "电话",
        "年龄",
        "创建时间",
        "客户类型",
    ]
    row = read(csv_bytes([headers, ["张三", *[cell] * (len(headers) - 1)]])).outcomes[0]
    assert isinstance(row, Row), row
    assert row.personal == {"name": "张三"} and row.clear == {} and row.attributes == {}
    assert len(row.blank) == len(headers) - 2


@pytest.mark.parametrize(
    ("headers", "cell"),
    [("手机", "13800138000"), ("手机", "00000000000"), ("手机", "+86 138-0013-8000"), ("电话", "12345678"),
     ("生日", "1900-01-00"),
     ("客户编号", "0"), ("邮箱", "123@qq.com"), ("税号", "000000000000000000")],
)  # fmt: skip
def test_placeholders_of_formats(read: Read, headers: str, cell: str) -> None:
    row = one(read, f"姓名,{headers}", f"张三,{cell}")
    assert row.personal == {"name": "张三"} and row.attributes == {} and len(row.keys) == 1


def test_phones_find_their_place(read: Read) -> None:
    person = one(read, "姓名,电话", "张三,13812345678/021-58881234")
    assert (person.personal["mobile"], person.personal["phone"]) == ("+8613812345678", "+862158881234")
    assert person.blank == ()
    contact = one(read, "公司,联系人,电话", "甲,张三,13812345678")
    assert contact.contact == {"name": "张三", "mobile": "+8613812345678"} and "phone" not in contact.personal
    firm = one(read, "公司,电话", "甲,13812345678")
    assert (firm.personal, firm.contact) == ({"phone": "+8613812345678"}, None)
    more = one(read, "姓名,手机,电话", "张三,13812345678;13912345678,13812345678")
    assert more.personal == {"name": "张三", "mobile": "+8613812345678", "mobile_2": "+8613912345678"}
    assert ("mobile", "+8613912345678", "supporting", False) in keys(more)
    mails = one(read, "姓名,邮箱", "张三,a@b.cn;c@d.cn;e@f.cn")
    assert (mails.personal["email"], mails.personal["email_2"]) == ("a@b.cn", "c@d.cn; e@f.cn")
    assert {value for kind, value, _s, _c in keys(mails) if kind == "email"} == {"a@b.cn", "c@d.cn", "e@f.cn"}


def test_countries_decide_how_numbers_are_read(read: Read) -> None:
    german = one(read, "company,phone,country", "Kuh,0711-020361,Germany")
    assert (german.personal["phone"], german.attributes["country"], german.flags) == ("+49711020361", "DE", ())
    mexican = one(read, "company,phone,country", "Ana,(5) 555-4729,Mexico")
    assert (mexican.personal["phone"], mexican.flags) == ("(5) 555-4729", ("PHONE_NOT_VALIDATED",))
    assert not any(kind == "landline" for kind, *_rest in keys(mexican))
    nowhere = one(read, "company,phone,country", "Ana,555-4729,Atlantis")
    assert (nowhere.attributes["country"], nowhere.flags) == ("Atlantis", ("PHONE_NOT_VALIDATED",))
    assert reasons(read, "company,phone,country", "甲,14012345678,中国") == {("PHONE_INVALID", "phone")}


def test_currencies(read: Read) -> None:
    head = "公司,年合作额,币种"
    assert one(read, head, "甲,100,USD").clear == {"company_name": "甲", "annual_amount": 10_000, "currency": "USD"}
    assert one(read, head, "甲,100,日元").clear["annual_amount"] == 100
    assert reasons(read, head, "甲,￥100,USD") == {("CURRENCY_CONFLICT", "annual_amount")}
    assert reasons(read, "公司,年合作额(元),币种", "甲,100,USD") == {("CURRENCY_CONFLICT", "annual_amount")}
    assert one(read, head, "甲,1.005,").flags == ("AMOUNT_ROUNDED",)
    assert one(read, head, "甲,,").clear == {"company_name": "甲"}
    other = one(read, "公司,年营收(万美元)", "甲,5")
    assert other.attributes == {"annual_revenue": 5_000_000, "annual_revenue_currency": "USD"}


def test_lists_of_other_policies(read: Read) -> None:
    tiers = [CodeItem(code="core", labels={"zh": "核心客户", "en": "Core"}, synonyms=("A",))]
    tags = [CodeItem(code="active", labels={"zh": "活跃", "en": "Active"})]
    outside = {"tiers": tiers, "tags": tags}
    row = one(read, "姓名,客户等级,标签", "张三,a,活跃；Active", outside=outside)
    assert (row.clear["tier"], row.attributes["tags"]) == ("core", ["active"])
    assert reasons(read, "姓名,客户等级,标签", "张三,Z,别的", outside=outside) == {
        ("VALUE_UNKNOWN", "tier"),
        ("VALUE_UNKNOWN", "tags"),
    }


def test_unknown_values_are_kept_where_the_policy_keeps_them(read: Read) -> None:
    row = one(read, "姓名,客户来源,所属行业,省份", "张三,路边,造船,BC")
    assert row.clear == {"source": "路边", "industry": "造船", "region": "BC"}


def test_keys_are_those_of_the_stored_values(read: Read, settings: Any) -> None:
    row = one(read, "公司,联系人,手机,电话,邮箱,编号", "甲,张三,13812345678,021-58881234转8,A@B.cn,K1")
    stored = {**row.clear, **row.attributes, **row.personal, **(row.contact or {})}
    again = {
        (IDENTITY_KINDS[field.identity.kind], value)
        for field in settings.fields
        if field.identity and field.code in stored
        for value in identity_values(field.identity.kind, stored[field.code])
    }
    assert again == {(key.kind, key.value) for key in row.keys}


def test_our_own_exports_come_back(read: Read) -> None:
    row = one(read, "公司,联系人,手机,备注", "'=甲,'+张三,'+8613812345678,'-1")
    assert row.clear["company_name"] == "=甲"
    assert row.contact == {"name": "+张三", "mobile": "+8613812345678"}
    assert row.personal["notes"] == "-1"


def test_rejected_rows_keep_their_cells(read: Read) -> None:
    rejected = read("姓名,手机\n 张三 ,138 , x\n").rejected[0]
    assert rejected == Rejected(2, (("MORE_CELLS", ""),), [" 张三 ", "138 ", " x"])


FAULTS = {
    "mobile_letters": "MOBILE_INVALID", "mobile_short": "MOBILE_INVALID", "mobile_unassigned": "MOBILE_INVALID",
    "email_no_at": "EMAIL_INVALID", "email_bad_domain": "EMAIL_INVALID", "amount_text": "AMOUNT_INVALID",
    "date_impossible": "DATE_INVALID", "name_empty": "REQUIRED", "type_unknown": "TYPE_UNKNOWN",
}  # fmt: skip


def test_the_chinese_file_and_the_workbook_are_one(read: Read, data: Path) -> None:
    text = read((data / "cn_customers_5000.gb18030.csv").read_bytes())
    book = read((data / "cn_customers_5000.xlsx").read_bytes())
    counts = json.loads((data / "cn_customers_5000.expected.json").read_text())["counts"]
    expected: Counter[str] = Counter()
    for fault, code in FAULTS.items():
        expected[code] += counts[f"invalid_{fault}"]
    assert Counter(code for _number, code, _field in text.reasons) == expected
    assert (len(text.valid), len(text.rejected)) == (5000 - counts["invalid"], counts["invalid"])
    assert not any(row.flags for row in text.valid)
    assert text.valid == book.valid
    assert text.reasons == book.reasons


def test_northwind(read: Read, data: Path) -> None:
    old = read((data / "northwind" / "customers.csv").read_bytes())
    assert (old.info.records, len(old.valid), len(old.rejected)) == (91, 67, 24)
    assert {code for _number, code, _field in old.reasons} == {"MORE_CELLS"}
    repaired = read((data / "northwind" / "customers_repaired.csv").read_bytes())
    assert (len(repaired.valid), len(repaired.rejected)) == (91, 0)
    with (data / "northwind" / "customers_repaired.csv").open(encoding="utf-8", newline="") as stream:
        source = {line["customerID"]: line for line in csv.DictReader(stream)}
    for row in repaired.valid:
        line = source[row.attributes["external_code"]]
        assert row.clear["company_name"] == line["companyName"].strip()
        assert row.contact == {"name": line["contactName"], "position": line["contactTitle"]}
        assert row.personal["phone"] == line["phone"] or row.personal["phone"].startswith("+")
        assert (row.personal["phone"] == line["phone"]) == ("PHONE_NOT_VALIDATED" in row.flags)
        assert row.clear.get("region", "NULL") == line["region"]
    by_number = {row.number: row for row in repaired.valid}
    assert all(by_number[row.number] == row for row in old.valid)


@given(st.lists(st.lists(CELLS, min_size=14, max_size=14), min_size=1, max_size=5))
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_cells_make_a_row_or_reasons(read: Read, records: list[list[str]]) -> None:
    headers = [
        "姓名",
        "公司名称",
        "手机",
        "邮箱",
        "省份",
        "备注",
        "年合作额",
        "生日",
        "客户编号",
        "税号",
        "电话",
        "年龄",
        "创建时间",
        "客户类型",
    ]
    rows = [["张三", *cells[1:]] for cells in records]
    reading = read(csv_bytes([headers, *rows], quote_all=True))
    assert len(reading.outcomes) == reading.info.records == len(records)
    for row in reading.valid:
        assert all(
            isinstance(value, str) and value for value in (*row.personal.values(), *(row.contact or {}).values())
        )
        assert all(isinstance(value, str | int) for value in row.clear.values())
