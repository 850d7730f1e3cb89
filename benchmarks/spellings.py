"""How people write one and the same mobile number, e-mail address, amount or date.

Each function takes a normalised value and one random byte and returns a CSV cell, quoted where it must be. Every
spelling here must be read back to the value it came from: the generator's expected counts rest on that.
"""

from __future__ import annotations

from collections.abc import Callable

_WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}

_Spell = Callable[[str], str]


def _dashes(number: str) -> str:
    return f"{number[:3]}-{number[3:7]}-{number[7:]}"


def _spaces(number: str) -> str:
    return f"{number[:3]} {number[3:7]} {number[7:]}"


# (weight of 256, spelling of 11 digits)
_MOBILE: tuple[tuple[int, _Spell], ...] = (
    (24, _dashes),
    (14, _spaces),
    (16, lambda number: f"+86{number}"),
    (16, lambda number: f"+86 {_dashes(number)}"),
    (8, lambda number: f"0086 {number}"),
    (4, lambda number: f"0086-{_dashes(number)}"),
    (6, lambda number: f"86-{number}"),
    (6, lambda number: f"（+86）{number}"),
    (6, lambda number: f"(+86) {_spaces(number)}"),
    (6, lambda number: number.translate(_WIDE)),
    (2, lambda number: f"+86 {number}".translate(_WIDE)),
    (4, lambda number: f" {number} "),
)
_EMAIL: tuple[tuple[int, _Spell], ...] = (
    (24, str.upper),
    (16, str.title),
    (10, lambda address: address.replace("@", "＠")),
    (10, lambda address: f" {address} "),
    (4, lambda address: address.translate(_WIDE)),
)


def _table(spellings: tuple[tuple[int, _Spell], ...]) -> tuple[_Spell | None, ...]:
    """Spread weighted spellings over 256 places; None is the plain spelling, which takes the rest."""
    places: list[_Spell | None] = [spell for weight, spell in spellings for _ in range(weight)]
    return tuple(places + [None] * (256 - len(places)))


_MOBILE_TABLE = _table(_MOBILE)
_EMAIL_TABLE = _table(_EMAIL)


def mobile(number: str, chance: int) -> str:
    """Spell a mobile: 11 digits of China in one of thirteen ways, `+…` of the world with or without a space."""
    if number[0] == "+":
        return number if chance < 128 else f"{number[:3]} {number[3:]}" if number[1] != "1" else f"+1 {number[2:]}"
    spell = _MOBILE_TABLE[chance]
    return spell(number) if spell else number


def email(address: str, chance: int) -> str:
    """Spell an address: capitals, full-width ＠, full-width throughout, blanks around it, or plain."""
    spell = _EMAIL_TABLE[chance]
    return spell(address) if spell else address


def amount(cents: int, chance: int) -> str:
    """Write an amount of 1/100 yuan with two decimals; some with thousands separators, some cut to whole yuan."""
    if chance < 24:
        return f'"{cents // 100:,}.{cents % 100:02d}"'
    if chance < 32:
        return f"{cents // 100}"
    return f"{cents // 100}.{cents % 100:02d}"


def moment(year: int, month: int, day: int, minute: int, chance: int) -> str:
    """Write a date and a minute of its day: ISO mostly, else with slashes or in Chinese without the time."""
    if chance < 6:
        return f"{year}/{month}/{day}"
    if chance < 12:
        return f"{year}年{month}月{day}日"
    return f"{year}-{month:02d}-{day:02d} {minute // 60:02d}:{minute % 60:02d}:00"
