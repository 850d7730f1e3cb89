"""Phone numbers: Chinese mobiles by a fast path, everything else by phonenumbers, foreign ones kept when unsure.

The normal form is E.164 (`+8613812345678`), with `;ext=801` behind it where there is an extension (RFC 3966).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from crmctl.sheets.formats.texts import Fault, plain

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


def quick_abroad(text: str) -> Phone | None:
    """Return a valid number of another country that is written with its code (+44 7427509107); None says nothing.

    What phonenumbers makes of it, at a tenth of the time: its patterns, without its search for what is written.
    """
    digits = text.translate(_SEPARATORS)
    if digits[:1] != "+" or not 8 <= len(digits) <= 16 or not (digits.isascii() and digits[1:].isdecimal()):
        return None
    for size in (2, 3, 4):
        plan = _plan(digits[1:size])
        if plan is not None:
            national = digits[size:]
            if national[:1] == "0" or plan.before(national):
                return None  # a prefix that is perhaps no part of the number
            kind = plan.kind(national)
            return None if kind is None else Phone(digits, kind, True)
    return None


class _Plan(NamedTuple):
    """How numbers of a country code look: what may stand before them in that country, and which are (mobile) numbers.

    `kind` says whether a national number is a mobile, None when it is not valid.
    """

    before: Callable[[str], object]
    kind: Callable[[str], bool | None]


@cache
def _plan(code: str) -> _Plan | None:
    """Return the numbering plan of a country code; None when there is no such code, or it is China's own."""
    import phonenumbers

    regions = phonenumbers.region_codes_for_country_code(int(code)) if code[0] != "0" and code != "86" else ()
    if not regions or "001" in regions:
        return None
    tests = [_tests(region) for region in regions]
    main = phonenumbers.PhoneMetadata.metadata_for_region(regions[0])
    before = main.national_prefix_for_parsing if main else None

    def kind(national: str) -> bool | None:
        for begins, matches in tests:
            if begins is not None and not begins(national):
                continue
            found = matches(national)
            if found is not None or begins is not None or len(tests) == 1:
                return found
        return None

    return _Plan(re.compile(before).match if before else lambda _national: None, kind)


def _tests(region: str) -> tuple[Callable[[str], object] | None, Callable[[str], bool | None]]:
    """Return the test of the digits that tell a region from others with its code, and that of its numbers."""
    import phonenumbers

    plan = phonenumbers.PhoneMetadata.metadata_for_region(region)
    assert plan is not None
    general = _matcher(plan.general_desc)
    others = (
        plan.premium_rate, plan.toll_free, plan.shared_cost, plan.voip, plan.personal_number, plan.pager, plan.uan,
        plan.voicemail, plan.fixed_line,
    )  # fmt: skip
    known = [matcher for desc in others if (matcher := _matcher(desc))]
    mobile = _matcher(plan.mobile)

    def kind(national: str) -> bool | None:
        if general is None or not general(national):
            return None
        if any(matcher(national) for matcher in known):
            return False
        return True if mobile is not None and mobile(national) else None

    return re.compile(plan.leading_digits).match if plan.leading_digits else None, kind


def _matcher(desc: Any) -> Callable[[str], object] | None:
    if desc is None or desc.national_number_pattern is None:
        return None
    pattern, lengths = re.compile(desc.national_number_pattern).fullmatch, frozenset(desc.possible_length)
    return lambda national: (not lengths or len(national) in lengths) and pattern(national)


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
    abroad = quick_abroad(text)
    if abroad is not None:
        return [abroad]
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
