"""Numbers as people write them, in the unit a value has; what is not clear is refused."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmctl.policy.company import Unit
from crmctl.policy.model import Wrong
from crmctl.policy.units import UNITS, number_in


@pytest.mark.parametrize(
    ("text", "unit", "beside", "number"),
    [
        ("1000000", "yuan", "", 1_000_000),
        ("1,000,000.50", "yuan", "", Decimal("1000000.5")),
        ("100万", "yuan", "", 1_000_000),
        ("100 万元", "yuan", "", 1_000_000),
        ("１００万元", "yuan", "元", 1_000_000),
        ("1.5亿", "yuan", "", 150_000_000),
        ("￥300,000", "yuan", "", 300_000),
        ("100", "yuan", "万元", 1_000_000),
        ("100", "yuan", "元", 100),
        ("100", "yuan", "Yuan", 100),
        ("100", "wan_yuan", "", 100),
        ("100", "wan_yuan", "万元", 100),
        ("1000000元", "wan_yuan", "", 100),
        ("5000 yuan", "wan_yuan", "", Decimal("0.5")),
        ("98", "percent", "", 98),
        ("98 %", "percent", "", 98),
        ("98.5％", "percent", "%", Decimal("98.5")),
        ("0.5%", "percent", "", Decimal("0.5")),
        ("0", "percent", "", 0),
        ("1", "percent", "", 1),
        ("2小时", "minutes", "", 120),
        ("0.5 h", "minutes", "", 30),
        ("24 小时", "hours", "", 24),
        ("3 周", "days", "", 21),
        ("2年", "months", "", 24),
        ("1 季度", "months", "", 3),
        ("200家", "count", "", 200),
        ("85分", "points", "", 85),
        (" 按周 ", "text", "", "按周"),
        ("12", None, "", 12),
        ("7.1234", None, "", Decimal("7.1234")),
    ],
)
def test_numbers(text: str, unit: Unit | None, beside: str, number: int | Decimal | str) -> None:
    found = number_in(text, unit, beside)
    assert (found, type(found)) == (number, type(number))


@pytest.mark.parametrize(
    ("text", "unit", "beside", "code"),
    [
        ("about 100", "yuan", "", "P201"),
        ("一百万", "yuan", "", "P201"),
        ("1,00,000", "yuan", "", "P201"),
        ("100 小时", "yuan", "", "P201"),
        ("100", "yuan", "小时", "P201"),
        ("-5", "yuan", "", "P204"),
        ("1.005", "yuan", "", "P204"),
        ("101", "percent", "", "P204"),
        ("0.98", "percent", "", "P202"),
        ("2.5", "days", "", "P204"),
        ("3 天", "hours", "", "P201"),
        ("30 天", "months", "", "P201"),
        ("2 个工作日", "days", "", "P201"),
        ("1e6", "yuan", "", "P201"),
        ("1000000000000000000000", "yuan", "", "P204"),
        ("x" * 2001, "text", "", "P207"),
        ("两", None, "", "P201"),
        ("12 apples", None, "", "P201"),
    ],
)
def test_what_is_refused(text: str, unit: Unit | None, beside: str, code: str) -> None:
    with pytest.raises(Wrong) as caught:
        number_in(text, unit, beside)
    assert caught.value.code == code


@given(st.sampled_from(sorted(UNITS.keys() - {"text"})), st.text(max_size=12), st.text(max_size=4))
def test_anything_is_a_number_in_range_or_refused(unit: Unit, text: str, beside: str) -> None:
    try:
        found = number_in(text, unit, beside)
    except Wrong:
        return
    assert isinstance(found, int | Decimal)
    assert 0 <= found < 10**18
    assert unit != "percent" or found <= 100


@given(st.sampled_from(sorted(UNITS.keys() - {"text"})), st.integers(0, 10**6))
def test_a_bare_number_is_in_the_units_own(unit: Unit, number: int) -> None:
    if unit == "percent":
        number %= 101
    assert number_in(str(number), unit) == number
    assert number_in(f"{number:,}", unit) == number
