"""The generated function for usual rows: the same outcomes as the general way, whatever the cells."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from unicodedata import is_normalized

import pytest

from crmctl.customers.model import Row
from crmctl.customers.policy import CustomersSettings
from crmctl.customers.rows import Rows
from crmctl.customers.usual import usual_rows
from crmctl.customers.usualcells import UNTIDY
from crmctl.sheets.formats.texts import notes, wording
from crmctl.sheets.headerindex import HeaderIndex
from crmctl.sheets.headers import ColumnMapping, map_headers
from crmctl.sheets.model import Rejected
from crmctl.sheets.readers import Context

AT = datetime(2026, 11, 21, tzinfo=UTC)
ZONES = ("Asia/Shanghai", "Europe/Berlin", "Asia/Kolkata")
TYPICAL: Mapping[str, tuple[str, ...]] = {
    "type": ("enterprise", "个人", "政府客户", "channel", ""),
    "name": ("王小明", "Maria Anders"),
    "customer_name": ("甲有限公司", "王小明"),
    "company_name": ("甲（中国）有限公司", "Acme & Sons, Ltd."),
    "mobile": ("13812345678", "138 1234 5678", "+44 7427509107", "１３８１２３４５６７８"),
    "email": ("a.b@example.com", "X_Y@Example.CN"),
    "annual_amount": ("1346674.80", "4,830,074.70", "100"),
    "last_contact_at": ("2024-04-18 16:38:00", "2024年4月22日", "2022/10/14"),
    "birthday": ("1994-03-24",),
    "currency": ("", "CNY", "USD"),
    "country": ("", "CN", "Germany"),
}
ODD = (
    "", " ", "无", "N/A", "'=1+1", "'+8613812345678", " 张三 ", "张 三", "Ｊｏｈｎ", "O'Brien", "Café",
    "Cafe\u0301", "Straße",
    "ﬁrm", "x\u200by", "第一行\n第二行", "tab\tx", "客" * 201, "13800138000", "14012345678", "1.38E+10", "010-12345678",
    "13812345678/13912345678", "+1 7137088369", "+44 07427509107", "(5) 555-4729", "a@b", "a@b.cn;c@d.cn",
    "test@test.com",
    "yang＠mail.example.cn", "a" * 70 + "@b.cn", "2024-04-18T23:59:59", "2024-04-18 24:00:00", "2024-02-30 10:00:00",
    "1986-05-04 00:30:00", "1900-12-31 23:59:59", "2050-01-01", "2024-04-18 16:61:00", "2024-04-18 16:38", "45000.5",
    "1,34", "1346674.", ".5", "(5)", "￥100", "100万", "-5", "9" * 17, "１００", "20000000000", "个人客户", "xyz",
    "男;女",
    "91330106MA2CCCCC52", "34岁", "_", "👍",
)  # fmt: skip


def settled(outcome: Row | Rejected) -> Any:
    """Return an outcome without the order in which fields were read."""
    if isinstance(outcome, Rejected):
        return outcome
    return outcome._replace(blank=frozenset(outcome.blank))


@pytest.fixture(scope="module")
def mappings(settings: CustomersSettings) -> list[ColumnMapping]:
    """Return headers of all kinds: wide and narrow, with and without type, joined names, countries, currencies."""
    dice = random.Random(7)  # noqa: S311 - the same files every time
    found = [map_headers(list(TYPICAL)[:1] + list(TYPICAL)[1:2] + list(TYPICAL)[3:], HeaderIndex(settings))]
    codes = [item.code for item in settings.fields]
    for _turn in range(60):
        some = dice.sample(codes, dice.randint(2, 12))
        some += [
            code for code in ("name", "company_name", "type", "mobile") if code not in some and dice.random() < 0.7
        ]
        found.append(map_headers(some, HeaderIndex(settings)))
    return found


def test_usual_and_general_agree(settings: CustomersSettings, mappings: list[ColumnMapping]) -> None:
    dice = random.Random(11)  # noqa: S311
    valid = 0
    for turn, mapping in enumerate(mappings):
        given = dice.choice((None, None, "enterprise", "individual"))
        rows = Rows(settings, mapping, Context(settings, ZONES[turn % 3], AT, {}), given)
        usual = usual_rows(rows)
        calm = dice.random()
        for number in range(60):
            cells = [_cell(column.field or "", calm, dice) for column in mapping.columns]
            cells += [""] * dice.choice((0, 0, 0, 0, 1))
            expected = rows.row(number, [*cells])
            assert settled(usual(number, cells)) == settled(expected), (mapping.columns, cells)
            valid += isinstance(expected, Row)
    assert valid > 1000


def _cell(field: str, calm: float, dice: random.Random) -> str:
    if field in TYPICAL and dice.random() < 0.8:
        return dice.choice(TYPICAL[field])
    return "" if dice.random() < calm else dice.choice(ODD)


def test_every_odd_cell_in_every_column(settings: CustomersSettings) -> None:
    beside = {"name": "王小明", "company_name": "甲有限公司", "mobile": "13812345678"}
    for item in settings.fields:
        heads = [item.code, "type", *(code for code in beside if code != item.code)]
        if item.code == "type":
            heads.remove("type")
        rows = Rows(settings, map_headers(heads, HeaderIndex(settings)), Context(settings, ZONES[0], AT, {}), None)
        usual = usual_rows(rows)
        for kind in ("enterprise", "个人"):
            for odd in (*ODD, *TYPICAL.get(item.code, ())):
                cells = [odd if code == item.code else beside.get(code, kind) for code in heads]
                assert settled(usual(2, cells)) == settled(rows.row(2, cells)), (heads, cells)


def test_tidy_characters_are_kept_by_every_kind_of_text() -> None:
    tidy = [sign for sign in map(chr, range(0x110000)) if UNTIDY(sign) is None]
    assert len(tidy) > 20_000
    for sign in tidy:
        assert sign.isprintable()
        assert wording(f"a{sign}b") == notes(f"a{sign}b") == f"a{sign}b"
    assert is_normalized("NFC", "".join(tidy))


def test_usual_rows_do_not_take_the_general_way(settings: CustomersSettings) -> None:
    mapping = map_headers(
        ["name", "company_name", "type", "mobile", "email", "annual_amount", "last_contact_at", "birthday", "notes"],
        HeaderIndex(settings),
    )
    rows = Rows(settings, mapping, Context(settings, ZONES[0], AT, {}), None)
    taken: list[int] = []
    rows.row = lambda number, cells: taken.append(number) or Rejected(number, (), cells)  # type: ignore[method-assign, func-returns-value]
    usual = usual_rows(rows)
    cells = [
        "王小明",
        "甲有限公司",
        "enterprise",
        "13812345678",
        "a@b.cn",
        "1,200.50",
        "2024-04-18 16:38:00",
        "1994-03-24",
        "",
    ]
    row = usual(2, cells)
    assert isinstance(row, Row)
    assert row.clear == {
        "company_name": "甲有限公司", "annual_amount": 120050, "currency": "CNY",
        "last_contact_at": "2024-04-18T08:38:00Z",
    }  # fmt: skip
    assert row.contact is not None
    assert row.contact["mobile"] == "+8613812345678"
    assert taken == []
    assert isinstance(usual(3, [*cells[:3], "1381234567", *cells[4:]]), Rejected)
    assert taken == [3]
