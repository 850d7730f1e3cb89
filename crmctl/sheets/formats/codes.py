"""Codes: 统一社会信用代码 (GB 32100-2015), ID cards (GB 11643-1999), and codes of other systems."""

from __future__ import annotations

import re
from datetime import date
from operator import mul

from crmctl.sheets.formats.texts import Fault, plain

_USCC_SIGNS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_VALUES = {sign: value for value, sign in enumerate(_USCC_SIGNS)}
_USCC_WEIGHTS = [pow(3, i, 31) for i in range(17)]
# First sign: 1–9, and A, N, Y (central agencies, rural collectives, others), which python-stdnum refuses.
_USCC = re.compile(rf"[1-9ANY][{_USCC_SIGNS}]{{17}}")
_OLD_REGISTRATION = re.compile(r"[0-9A-Z]{15}")
_ID_WEIGHTS = [pow(2, i, 11) for i in range(17, 0, -1)]
_ID_CHECK = "10X98765432"
_ID = re.compile(r"\d{17}[\dX]", re.ASCII)
_OLD_ID = re.compile(r"\d{15}", re.ASCII)
_PROVINCES = frozenset(
    str(code)
    for code in (*range(11, 16), *range(21, 24), *range(31, 38), *range(41, 47), *range(50, 55), *range(61, 66),
                 71, 81, 82, 83, 91)
)  # fmt: skip
_GAPS = re.compile(r"[\s\-–—]+")
_DAMAGED = re.compile(r"\d(?:\.\d+)?[eE]\+\d{1,3}")


def read_uscc(cell: str) -> str:
    """Return a 统一社会信用代码, or the old 15-digit registration number of a sole trader (个体户).

    Raises Fault USCC_INVALID or CODE_DAMAGED.
    """
    text = _GAPS.sub("", plain(cell)).upper()
    if _DAMAGED.fullmatch(text):
        raise Fault("CODE_DAMAGED")
    if _USCC.fullmatch(text) and _uscc_check(text):
        return text
    if _OLD_REGISTRATION.fullmatch(text) and (_registration_check(text) or not _old_id_day(text)):
        return text
    raise Fault("USCC_INVALID")


def _uscc_check(text: str) -> bool:
    total = sum(map(mul, map(_USCC_VALUES.__getitem__, text[:17]), _USCC_WEIGHTS))
    return _USCC_SIGNS[-total % 31] == text[17]


def _registration_check(text: str) -> bool:
    """Return whether 15 digits carry the check digit of registration numbers (ISO 7064 MOD 11,10)."""
    if not text.isdigit():
        return False
    product = 10
    for sign in text[:14]:
        product = ((product + int(sign)) % 10 or 10) * 2 % 11
    return (product + int(text[14])) % 10 == 1


def read_id_card(cell: str) -> str:
    """Return an ID card number in its 18-digit form; the old 15-digit form is completed. Raises ID_CARD_INVALID."""
    text = _GAPS.sub("", plain(cell)).upper()
    if _DAMAGED.fullmatch(text):
        raise Fault("CODE_DAMAGED")
    if _OLD_ID.fullmatch(text) and _old_id_day(text):
        body = text[:6] + "19" + text[6:]
        return body + _id_check(body)
    if _ID.fullmatch(text) and text[:2] in _PROVINCES and _day(text[6:14]) and _id_check(text) == text[17]:
        return text
    raise Fault("ID_CARD_INVALID")


def _id_check(text: str) -> str:
    total = sum(map(mul, map(int, text[:17]), _ID_WEIGHTS))
    return _ID_CHECK[total % 11]


def _old_id_day(text: str) -> bool:
    return text.isdigit() and text[:2] in _PROVINCES and text[6:8] >= "10" and _day("19" + text[6:12])


def _day(text: str) -> bool:
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return False
    return True


def read_code(cell: str) -> str:
    """Return a code of another system as it is. Raises CODE_DAMAGED when a spreadsheet turned it into 1.3E+10."""
    text = plain(cell)
    if _DAMAGED.fullmatch(text):
        raise Fault("CODE_DAMAGED")
    return text
