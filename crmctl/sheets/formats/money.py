"""Amounts of money as people write them → integer minor units. Never through a float."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from crmctl.sheets.formats.texts import Fault, plain

_NUMBER = re.compile(
    r"(\(?)\s*([+-]?)\s*((?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?|\.\d+)(?:[eE]([+-]?\d{1,2}))?\s*(\)?)", re.ASCII
)
_LARGEST = 10**17  # minor units; fits 64 bits with room to add up


class Unit(NamedTuple):
    """What a unit in a header or cell means: whole currency units each, and the currency if it names one.

    `factor` 0 is a sign without a size: ￥50 in a column of 万元 is 50 万元, 50元 there is 50 yuan.
    """

    factor: int
    currency: str | None


class Amount(NamedTuple):
    """An amount in minor units; `rounded` when the cell had more decimals than the currency."""

    minor: int
    currency: str
    rounded: bool


def unit_table(
    units: Iterable[tuple[Iterable[str], int, str | None]], currencies: Iterable[tuple[str, Iterable[str]]]
) -> dict[str, Unit]:
    """Return every spelling of a unit (lower-case, without spaces) with its meaning."""
    table: dict[str, Unit] = {}
    for code, names in currencies:
        for name in (code, *names):
            table[spelling(name)] = Unit(int(any(letter.isalpha() for letter in name)), code)
    for names, factor, currency in units:
        for name in names:
            table[spelling(name)] = Unit(factor, currency)
    return table


def spelling(text: str) -> str:
    """Return the form in which units are compared."""
    return "".join(plain(text).casefold().split())


def money_reader(
    table: Mapping[str, Unit], decimals: Mapping[str, int], unit: Unit, least: int | None, most: int | None
) -> Callable[[str], Amount]:
    """Return a function from cell to `Amount` for a column whose numbers are in `unit` (its currency must be set).

    A cell's own unit or sign comes before the column's. Raises Fault AMOUNT_INVALID, CURRENCY_CONFLICT, or
    AMOUNT_OUT_OF_RANGE beyond `least`–`most` whole currency units.
    """
    assert unit.currency is not None
    home = unit.currency
    scale = 10 ** decimals[home]
    lowest = -_LARGEST if least is None else least * scale
    highest = _LARGEST if most is None else most * scale

    def read(cell: str) -> Amount:
        amount = _slowly(cell, table, decimals, unit)
        if not lowest <= amount.minor <= highest:
            raise Fault("AMOUNT_OUT_OF_RANGE")
        return amount

    return read


def quick_money(decimals: int, factor: int, least: int | None, most: int | None) -> Callable[[str], int | None]:
    """Return a function from a bare number in range (540055.99) to minor units; None says nothing."""
    scale = 10**decimals
    cents, two = scale * factor, decimals == 2
    lowest = 0 if least is None else least * scale
    highest = _LARGEST if most is None else most * scale

    def read(cell: str) -> int | None:
        whole, _dot, part = cell.partition(".")
        if not (whole.isdecimal() and cell.isascii()) or len(whole) > 15:
            return None
        if not part:
            minor = int(whole) * cents
        elif two and len(part) == 2 and part.isdecimal():
            minor = int(whole + part) * factor
        else:
            return None
        return minor if lowest <= minor <= highest else None

    return read


def written(minor: int, decimals: int) -> str:
    """Return an amount of minor units in whole ones of a currency with so many decimals: 1,234.50, or 1,235 yen."""
    sign = "-" if minor < 0 else ""
    whole, part = divmod(abs(minor), 10**decimals)
    return f"{sign}{whole:,}" + (f".{part:0{decimals}d}" if decimals else "")


def _slowly(cell: str, table: Mapping[str, Unit], decimals: Mapping[str, int], unit: Unit) -> Amount:
    text = spelling(cell)
    match = _NUMBER.search(text)
    if not match or bool(match.group(1)) != bool(match.group(5)):
        raise Fault("AMOUNT_INVALID")
    own = _own_unit(text[: match.start()].rstrip("-"), text[match.end() :], table)
    negative = bool(match.group(1)) or match.group(2) == "-" or text[: match.start()].endswith("-")
    number = Decimal(match.group(3).replace(",", "")).scaleb(int(match.group(4) or 0))
    currency = own.currency or unit.currency
    assert currency is not None
    exact = number * (own.factor or unit.factor) * 10 ** decimals[currency]
    if exact > _LARGEST:
        raise Fault("AMOUNT_OUT_OF_RANGE")
    minor = int(exact.quantize(Decimal(1), ROUND_HALF_UP))
    return Amount(-minor if negative else minor, currency, minor != exact)


def _own_unit(before: str, after: str, table: Mapping[str, Unit]) -> Unit:
    """Return what the signs around a number say; factor 0 when they say nothing about the size."""
    factor, currency = 0, None
    for sign in (before, after):
        sign = sign.strip("/-:整")
        if not sign:
            continue
        found = table.get(sign)
        if found is None:
            raise Fault("AMOUNT_INVALID")
        if currency and found.currency and found.currency != currency:
            raise Fault("CURRENCY_CONFLICT")
        currency = currency or found.currency
        factor = max(factor, found.factor)
    return Unit(factor, currency)
