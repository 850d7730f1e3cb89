"""Amounts: spellings, units of header and cell, currencies, rounding, what is none."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmctl.sheets.formats.money import Amount, Unit, money_reader, unit_table, written
from crmctl.sheets.formats.texts import Fault

TABLE = unit_table(
    [(["元"], 1, "CNY"), (["万元", "万"], 10_000, "CNY"), (["亿"], 10**8, "CNY"), (["万美元"], 10_000, "USD"),
     (["k"], 1000, None)],
    [("CNY", ["￥", "¥", "人民币", "RMB"]), ("USD", ["$", "US$", "美元"]), ("JPY", ["日元"])],
)  # fmt: skip
DECIMALS = {"CNY": 2, "USD": 2, "JPY": 0}
yuan = money_reader(TABLE, DECIMALS, Unit(1, "CNY"), 0, 10**11)
wan = money_reader(TABLE, DECIMALS, Unit(10_000, "CNY"), None, None)


@pytest.mark.parametrize(
    "cell",
    ["12345.6", "12,345.60", "12345.60元", "￥12,345.60", "¥ 12345.6", "人民币12345.6元", "１２３４５．６０",
     "1.23456万", "1.23456 万元",
     "RMB 12345.60", "12345.60 CNY", "+12345.6", "1.23456e4", "12345.6k".replace("k", ""), "12.3456k"],
)  # fmt: skip
def test_spellings(cell: str) -> None:
    assert yuan(cell) == Amount(1_234_560, "CNY", False)


@pytest.mark.parametrize(
    "cell",
    ["面议", "约5万左右", "12,34.5", "1,2345", "1.234,56", "--", "1-2万", "10~20", "5万8",
     "12345.6 箱", "(12", "1e999", "NaN", "inf",
     "1_000", "0x10", "", "."],
)  # fmt: skip
def test_what_is_no_amount(cell: str) -> None:
    with pytest.raises(Fault) as caught:
        yuan(cell)
    assert caught.value.code in ("AMOUNT_INVALID", "AMOUNT_OUT_OF_RANGE")


def test_a_column_in_ten_thousands() -> None:
    assert wan("12.5").minor == 12_500_000
    assert wan("1,200").minor == 1_200_000_000
    assert wan("￥50").minor == 50_000_000
    assert wan("50元").minor == 5_000
    assert wan("50万").minor == 50_000_000
    assert wan("0.00001").minor == 10


def test_currencies() -> None:
    assert yuan("$100") == Amount(10_000, "USD", False)
    assert yuan("1.5万美元") == Amount(1_500_000, "USD", False)
    assert yuan("500日元") == Amount(500, "JPY", False)
    with pytest.raises(Fault, match="CURRENCY_CONFLICT"):
        yuan("$100元")


@pytest.mark.parametrize(
    ("minor", "decimals", "expected"),
    [(123450, 2, "1,234.50"), (1234, 0, "1,234"), (1234, 3, "1.234"), (-5, 2, "-0.05"), (-1234567, 0, "-1,234,567")],
)
def test_amounts_are_written_in_whole_units(minor: int, decimals: int, expected: str) -> None:
    assert written(minor, decimals) == expected


def test_rounding_is_said_and_half_goes_up() -> None:
    assert yuan("1.005") == Amount(101, "CNY", True)
    assert yuan("1.0049") == Amount(100, "CNY", True)
    assert yuan("1.500") == Amount(150, "CNY", False)


def test_range_and_negative_amounts() -> None:
    for cell in ("-3", "(3)", "100000000001", "1001亿"):
        with pytest.raises(Fault, match="AMOUNT_OUT_OF_RANGE"):
            yuan(cell)
    assert wan("-3").minor == wan("(3)").minor == wan("￥-3").minor == -3_000_000


@given(st.decimals(0, 10**9, places=2), st.sampled_from(["{}", "{:,}", "￥{:,}", "{}元"]))
def test_amounts_come_back_exactly(amount: Decimal, spelling: str) -> None:
    assert yuan(spelling.format(amount)) == Amount(int(amount * 100), "CNY", False)


@given(st.text(st.sampled_from("0123456789.,+-()$￥元万亿eE k美"), max_size=15))
def test_reading_never_fails_otherwise(text: str) -> None:
    try:
        assert isinstance(yuan(text).minor, int)
    except Fault as problem:
        assert problem.code.startswith(("AMOUNT_", "CURRENCY_"))
