"""Amounts at home: exact, and rounded half to even once."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmctl.orders.rates import Rates

RATES = Rates("CNY", {"CNY": 2, "USD": 2, "JPY": 0, "KWD": 3}, {"USD": Decimal("7.125"), "JPY": Decimal("0.0485")})


@pytest.mark.parametrize(
    ("minor", "currency", "expected"),
    [
        (12345, "CNY", 12345),
        (1000, "USD", 7125),
        (4, "USD", 28),  # 28.5
        (12, "USD", 86),  # 85.5
        (-4, "USD", -28),
        (100, "JPY", 485),  # 100 yen are 4.85 yuan
        (10, "JPY", 48),  # 48.5
        (30, "JPY", 146),  # 145.5
        (5, "KWD", None),
    ],
)
def test_examples(minor: int, currency: str, expected: int | None) -> None:
    assert RATES.at_home(minor, currency) == expected


@given(
    st.integers(-(10**17), 10**17),
    st.decimals(min_value=Decimal("0.000001"), max_value=100_000, places=9),
    st.integers(0, 4),
    st.integers(0, 4),
)
def test_as_fractions_say(minor: int, rate: Decimal, home: int, other: int) -> None:
    rates = Rates("AAA", {"AAA": home, "BBB": other}, {"BBB": rate})
    exact = Fraction(minor) * Fraction(rate) * Fraction(10) ** (home - other)
    assert rates.at_home(minor, "BBB") == round(exact)  # Python rounds fractions half to even
