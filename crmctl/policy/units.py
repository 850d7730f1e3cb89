"""Units of the company's own numbers, and how people write a number of each: 100万, 1,000,000 元, 98 %.

A number without a unit is in the value's own. What could mean two things is refused, never guessed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from crmctl.i18n import LANGUAGES, N_, _, speak
from crmctl.policy.company import Unit
from crmctl.policy.model import Wrong
from crmctl.policy.problems import shown, suggest
from crmctl.policy.scalars import MOST_DIGITS

MOST_TEXT = 2000

_MONEY = {
    "元": 1, "圆": 1, "块": 1, "块钱": 1, "人民币": 1, "yuan": 1, "rmb": 1, "cny": 1,
    "千": 10**3, "千元": 10**3,
    "万": 10**4, "万元": 10**4, "w": 10**4, "wan": 10**4, "wan yuan": 10**4, "10,000 yuan": 10**4,
    "百万": 10**6, "百万元": 10**6, "million": 10**6, "million yuan": 10**6,
    "千万": 10**7, "千万元": 10**7, "亿": 10**8, "亿元": 10**8,
}  # fmt: skip
_NUMBER = re.compile(
    r"(?:¥|rmb|cny|人民币)?\s*(?P<sign>[-+]?)\s*(?:¥\s*)?"
    r"(?P<number>[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?)\s*(?P<unit>.*)",
    re.IGNORECASE | re.DOTALL | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class UnitKind:
    """A unit: its name for people, the words that stand behind a number with their factors, decimals at most."""

    label: str  # N_ message
    words: Mapping[str, Decimal]
    places: int


def _words(factors: Mapping[str, int | Decimal]) -> dict[str, Decimal]:
    return {word: Decimal(factor) for word, factor in factors.items()}


UNITS: Mapping[Unit, UnitKind] = {
    "yuan": UnitKind(N_("Yuan"), _words(_MONEY), 2),
    "wan_yuan": UnitKind(
        N_("10,000 yuan"), _words({word: Decimal(factor) / 10**4 for word, factor in _MONEY.items()}), 6
    ),
    "percent": UnitKind(N_("Percent"), _words({"%": 1, "percent": 1, "per cent": 1}), 4),
    "points": UnitKind(N_("Points"), _words({"分": 1, "points": 1, "point": 1}), 4),
    "count": UnitKind(
        N_("Count"),
        _words(dict.fromkeys(("个", "次", "家", "人", "户", "件", "条", "笔", "项", "单", "times"), 1)),
        0,
    ),
    "minutes": UnitKind(
        N_("Minutes"),
        _words(
            dict.fromkeys(("分钟", "分", "minutes", "minute", "min", "mins"), 1)
            | dict.fromkeys(("小时", "个小时", "hours", "hour", "h"), 60)
        ),
        0,
    ),
    "hours": UnitKind(
        N_("Hours"), _words(dict.fromkeys(("小时", "个小时", "时", "hours", "hour", "hrs", "hr", "h"), 1)), 2
    ),
    "days": UnitKind(
        N_("Days"),
        _words(
            dict.fromkeys(("天", "日", "days", "day", "d"), 1)
            | dict.fromkeys(("周", "星期", "个星期", "weeks", "week"), 7)
        ),
        0,
    ),
    "months": UnitKind(
        N_("Months"),
        _words(
            dict.fromkeys(("个月", "月", "months", "month"), 1)
            | dict.fromkeys(("季度", "个季度", "季", "quarters", "quarter"), 3)
            | dict.fromkeys(("年", "years", "year"), 12)
        ),
        0,
    ),
    "text": UnitKind(N_("Text"), {}, 0),
}


def number_in(text: str, unit: Unit | None, beside: str = "") -> int | Decimal | str:
    """Return what a person wrote as a number in `unit` (a bare number where that is None); of `text`, the text.

    `beside` is the unit that stands beside the number, in a column of its own; one behind the number goes before it.
    Raises Wrong for what is no number of that unit, out of its range, or could mean two things.
    """
    written = unicodedata.normalize("NFKC", text).strip()
    found = _NUMBER.fullmatch(written)
    if unit == "text":
        return _text(text.strip())
    if found is None or (unit is None and found["unit"]):
        raise Wrong(_("'{text}' is no number").format(text=shown(text)), _hint(unit), code="P201")
    number = Decimal(found["sign"] + found["number"].replace(",", ""))
    if unit is None:
        return _plain(number, text)
    if unit == "percent" and not found["unit"] and 0 < number < 1:
        hint = _("write it with the sign: {one} % or {other} %").format(one=number, other=_plain(number * 100, text))
        raise Wrong(_("'{text}' could mean two shares").format(text=shown(text)), hint, code="P202")
    return _plain(_checked(number * _factor(found["unit"] or beside, unit, text), unit, text), text)


def _factor(word: str, unit: Unit, text: str) -> Decimal:
    known = UNITS[unit].words
    folded = " ".join(unicodedata.normalize("NFKC", word).casefold().split())
    names = {speak(UNITS[unit].label, language).casefold() for language in LANGUAGES}
    if not folded or folded in {unit, *names}:
        return Decimal(1)
    if folded not in known:
        message = _("'{text}': not a number of {unit}").format(text=shown(text), unit=_(UNITS[unit].label))
        raise Wrong(message, suggest(folded, known) or _hint(unit), code="P201")
    return known[folded]


def _checked(number: Decimal, unit: Unit, text: str) -> Decimal:
    if number < 0 or (unit == "percent" and number > 100):
        hint = _("from {least} to {most}").format(least=0, most=100) if unit == "percent" else ""
        raise Wrong(_("'{text}' is out of range").format(text=shown(text)), hint, code="P204")
    places = UNITS[unit].places
    if number.scaleb(places) % 1:
        message = (
            _("'{text}': a whole number is wanted").format(text=shown(text))
            if not places
            else _("'{text}': more than {places} decimals").format(text=shown(text), places=places)
        )
        raise Wrong(message, code="P204")
    return number


def _plain(number: Decimal, text: str) -> int | Decimal:
    if len(number.as_tuple().digits) > MOST_DIGITS or abs(number) >= 10**MOST_DIGITS:
        raise Wrong(_("'{text}' is out of range").format(text=shown(text)), code="P204")
    return int(number) if number == number.to_integral_value() else number.normalize()


def _text(text: str) -> str:
    if len(text) > MOST_TEXT:
        raise Wrong(_("longer than {limit} characters").format(limit=MOST_TEXT), code="P207")
    return text


def _hint(unit: Unit | None) -> str:
    return _("write a number of {unit}").format(unit=_(UNITS[unit].label)) if unit else _("write a number alone")
