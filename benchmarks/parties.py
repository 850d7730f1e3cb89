"""Who a generated row is about, from its number and its random bytes, and how the row spells it.

Company names, mobiles and mailboxes come from permutations of the row number: none repeats unless a row means it to.
"""

from __future__ import annotations

from typing import NamedTuple

import benchmarks.vocabulary as v
from benchmarks import spellings

HEADER = (
    "name,company,customer_type,mobile,email,address,region,industry,source,"
    "annual_amount,last_contact_at,birthday,notes"
)
BYTES_PER_ROW = 40  # random bytes that one row may use; 32 of them here


class Party(NamedTuple):
    """Who a row is about, before spelling; `company` is empty for an individual."""

    english: bool
    type: str
    name: str
    company: str
    mobile: str
    email: str


class Numbers(NamedTuple):
    """Offsets of this seed's permutations: row numbers in, numbers that never repeat out."""

    mobile: int
    company: int


def _mobile(index: int, numbers: Numbers) -> str:
    """Return the eleven digits of row `index`; a tail never starts with 0, so that no placeholder number arises."""
    place = (index * 2_654_435_761 + numbers.mobile) % (len(v.MOBILE_PREFIXES) * 90_000_000)
    return f"{v.MOBILE_PREFIXES[place // 90_000_000]}{10_000_000 + place % 90_000_000}"


def _foreign_mobile(index: int, numbers: Numbers, choice: int) -> str:
    """Return a number of the United States, the United Kingdom, Germany or Japan in ranges wholly assigned."""
    if choice < 128:
        place = (index * 7_368_787 + numbers.mobile) % (len(v.AREA_CODES) * 8_000_000)
        return f"+1{v.AREA_CODES[place // 8_000_000]}{2_000_000 + place % 8_000_000}"
    tail = 10_000_000 + (index * 48_271_177 + numbers.mobile) % 90_000_000  # +81 800… is toll-free
    return f"{('+4474', '+49151', '+8180')[choice % 3]}{tail}"


def _company(index: int, numbers: Numbers, english: bool, b: bytes) -> str:
    """Return a registered name that no other row number has; a few carry brackets, written either way."""
    place = (index * 5_700_357 + numbers.company) % 16_777_216
    digits = place >> 18, place >> 12 & 63, place >> 6 & 63, place & 63
    if english:
        w = v.COMPANY_WORDS
        first, second, third, fourth = (w[digit] for digit in digits)
        return f"{first} {second} & {third} {fourth} {v.COMPANY_KINDS[b[4]]}"
    core = "".join([v.COMPANY_SYLLABLES[digit] for digit in digits])
    city = v.CITIES[b[3]].partition("|")[0]
    return f"{city}{core}{v.COMPANY_TRADES[b[4]]}{'（集团）' if b[5] < 8 else ''}有限公司"


def _person(english: bool, first: int, second: int, third: int) -> str:
    if english:
        return f"{v.FIRST_NAMES[first]} {v.LAST_NAMES[second]}"
    return v.SURNAMES[first] + v.GIVEN[second] + v.GIVEN_SECOND[third]


def _email(index: int, b: bytes) -> str:
    return f"{v.MAIL_HEADS[b[6]]}.{index:x}@{v.MAIL_DOMAINS[b[7]]}"


def invent(index: int, lang: str, numbers: Numbers, b: bytes) -> Party:
    """Invent the party of row `index` in the language asked for."""
    english = lang == "en" or (lang == "mixed" and b[8] < 77)
    kind = v.TYPES[b[9]]
    company = "" if kind == "individual" else _company(index, numbers, english, b)
    foreign = english and b[10] < 16  # the slow path of phone numbers: 2 % of a mixed file
    mobile = _foreign_mobile(index, numbers, b[11]) if foreign else _mobile(index, numbers)
    return Party(english, kind, _person(english, b[0], b[1], b[2]), company, mobile, _email(index, b))


def spell(party: Party, b: bytes) -> list[str]:
    """Spell a party as thirteen CSV cells with its place, amount and dates."""
    year, month, day = 2022 + b[15] % 4, 1 + b[16] % 12, 1 + b[17] % 28
    cents = int.from_bytes(b[18:21], "little") * (30 if b[21] & 3 else 1)
    birthday = "" if b[22] < 77 else f"{1950 + b[22] % 54}-{1 + b[23] % 12:02d}-{1 + b[24] % 28:02d}"
    if party.english:
        town, _, region = v.TOWNS[b[3]].partition("|")
        address = f'"{1 + b[25]} {v.ROADS[b[26]]}, {town}"'
        industry, notes = v.TRADES[b[27]], v.REMARKS[b[28]]
    else:
        _, region, district = v.CITIES[b[3]].split("|")
        address = f"{district}{v.STREETS[b[26]]}{1 + b[25]}号{1 + b[24] % 30}层"
        industry, notes = v.INDUSTRIES[b[27]], v.NOTES[b[28]]
    return [
        party.name,
        f'"{party.company}"' if "," in party.company else party.company,
        party.type,
        spellings.mobile(party.mobile, b[12]),
        spellings.email(party.email, b[13]),
        address,
        region,
        industry,
        v.SOURCES[b[29]],
        spellings.amount(cents, b[14]),
        spellings.moment(year, month, day, 540 + b[30] * 2, b[21]),
        birthday,
        notes,
    ]
