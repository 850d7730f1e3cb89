"""Phone numbers: Chinese mobiles by a fast path, everything else by phonenumbers, foreign ones kept when unsure.

The normal form is E.164 (`+8613812345678`), with `;ext=801` behind it where there is an extension (RFC 3966).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from crmctl.customers.formats.texts import Fault, plain

# Prefixes that phonenumbers accepts whatever follows; a test compares all of 130–199 with the library, which decides
# on the others (140–144, 160, 161, 174 … are not assigned, or only in part).
MOBILE_PREFIXES = frozenset(
    str(prefix)
    for prefix in (
        *range(130, 140), 145, 147, *range(150, 154), *range(155, 160), 162, *range(165, 168), *range(170, 174),
        *range(175, 179), *range(180, 194), *range(195, 200),
    )
)  # fmt: skip
HOME = "CN"
ELSEWHERE = "ZZ"  # a country that we do not know, but not the home one
_SEPARATORS = str.maketrans("", "", " -()")
_DAMAGED = re.compile(r"\d(?:\.\d+)?[eE]\+?\d{1,2}")
_EXTENSION = re.compile(r"\s*(?:转|轉|分机|内线|#|[eE][xX][tT](?:ension)?\.?|[xX])\s*:?\s*(\d{1,6})$")
_DASHED_EXTENSION = re.compile(r"(?<=\d{7})-(\d{1,6})$")
_SHAPE = re.compile(r"\+?[\d\s().\-/*]{5,40}")
_SEVERAL = re.compile(r"\s*(?:[;；,，、|/\n]|或|和)\s*")
_AMERICAN = re.compile(r"\(?[2-9]\d{2}\)?[ .-]{1,2}\d{3}[ .-]\d{4}")
_MOBILE_LIKE = re.compile(r"1[3-9]\d{9}")


class Phone(NamedTuple):
    """One number: its normal form (as written when `valid` is false), and whether it is a mobile."""

    number: str
    mobile: bool
    valid: bool


def quick_mobile(text: str) -> str | None:
    """Return the normal form of a Chinese mobile in a usual spelling; None says nothing."""
    if len(text) != 11:
        text = text.translate(_SEPARATORS)
        if len(text) != 11:
            if text[:3] == "+86":
                text = text[3:]
            elif text[:4] == "0086":
                text = text[4:]
            elif len(text) == 13 and text[:2] == "86":
                text = text[2:]
    if len(text) == 11 and text[:3] in MOBILE_PREFIXES and text.isascii() and text.isdigit():
        return "+86" + text
    return None


def read_mobiles(cell: str, region: str = HOME) -> list[Phone]:
    """Return the mobile numbers of a cell; `region` is the country of numbers without one.

    Raises Fault MOBILE_INVALID, or CODE_DAMAGED for 1.38E+10.
    """
    return _read(cell, region, True, "MOBILE_INVALID")


def read_phones(cell: str, region: str = HOME) -> list[Phone]:
    """Return the phone numbers of a cell, mobile or not. Raises Fault PHONE_INVALID or CODE_DAMAGED."""
    return _read(cell, region, False, "PHONE_INVALID")


def _read(cell: str, region: str, mobile: bool, code: str) -> list[Phone]:
    text = plain(cell)
    found = quick_mobile(text) if region == HOME else None
    if found:
        return [Phone(found, True, True)]
    if _DAMAGED.fullmatch(text):
        raise Fault("CODE_DAMAGED")
    try:
        return [_one(text, region, mobile, code)]
    except Fault:
        parts = [part for part in _SEVERAL.split(cell.strip(" []'\"")) if part]
        if len(parts) < 2 or len(parts) > 10:
            raise
    return [_one(plain(part).strip("'\""), region, mobile, code) for part in parts]


def _one(text: str, region: str, mobile: bool, code: str) -> Phone:
    found = quick_mobile(text) if region == HOME or text.startswith(("+86", "0086")) else None
    if found:
        return Phone(found, True, True)
    number, extension = _split(text)
    digits = re.sub(r"\D", "", number)
    if not _SHAPE.fullmatch(number) or not 5 <= len(digits) <= 24:
        raise Fault(code)
    for base, tail in ((number, extension), *_dashed(text)):
        parsed = _parsed(base, region, tail)
        if parsed and mobile and not parsed.mobile and parsed.number.startswith("+86"):
            raise Fault(code)
        if parsed:
            return parsed
    if len(digits) > 20 or not _foreign(number, digits, region, mobile):
        raise Fault(code)
    return Phone(text, mobile, False)


def _split(text: str) -> tuple[str, str]:
    match = _EXTENSION.search(text)
    return (text[: match.start()], match.group(1)) if match else (text, "")


def _dashed(text: str) -> list[tuple[str, str]]:
    match = _DASHED_EXTENSION.search(text)  # 0755-88888888-801
    return [(text[: match.start()], match.group(1))] if match else []


def _parsed(text: str, region: str, extension: str) -> Phone | None:
    """Return the number if the library knows it to be valid, else None."""
    import phonenumbers

    if text.startswith("00") and region in (HOME, ELSEWHERE):
        text = "+" + text[2:]
    try:
        number = phonenumbers.parse(text, None if region == ELSEWHERE else region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    kind = phonenumbers.number_type(number)
    if (
        region == HOME
        and kind == phonenumbers.PhoneNumberType.FIXED_LINE
        and not text.lstrip("(").startswith(("0", "+"))
    ):
        return None  # 229.077.5154 is no number of Tianjin: here one writes the 0
    extension = extension or number.extension or ""
    number.extension = None
    plain_number = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return Phone(
        f"{plain_number};ext={extension}" if extension else plain_number,
        kind == phonenumbers.PhoneNumberType.MOBILE,
        True,
    )


def _foreign(text: str, digits: str, region: str, mobile: bool) -> bool:
    """Return whether a number that is not valid is clearly not Chinese, so that it may be kept as written."""
    home = text.startswith(("+86", "0086"))
    if home:
        return False
    if region != HOME or text.startswith(("+", "00")):
        return True
    if _AMERICAN.fullmatch(text):
        return True
    return not mobile and not _MOBILE_LIKE.fullmatch(digits)
