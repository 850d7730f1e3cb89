"""Days and moments as people and spreadsheets write them: ISO, 2026/3/5, 2026年3月5日, 20260305, serial numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from crmctl.sheets.formats.texts import Fault, plain

_YEAR_FIRST = re.compile(r"(\d{4})\s*([-/.年])\s*(\d{1,2})\s*(?:[-/.]|月)\s*(\d{1,2})\s*日?", re.ASCII)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_YEAR_LAST = re.compile(r"(\d{1,2})\s*[-/.]\s*(\d{1,2})\s*[-/.]\s*(\d{4})", re.ASCII)
_NAMED = re.compile(
    r"(?:(\d{1,2})[\s\-/.]*([A-Za-z]{3,9})|([A-Za-z]{3,9})\.?\s*(\d{1,2}))\.?,?[\s\-/]*(\d{4})", re.ASCII
)
_CLOCK = re.compile(
    r"(?:(上午|下午|AM|PM)\s*)?(\d{1,2})[:时点](\d{1,2})(?:[:分](\d{1,2})(?:[.,](\d{1,9}))?)?\s*秒?分?\s*(AM|PM)?"
    r"\s*(Z|UTC|[+-]\d{2}:?\d{2})?",
    re.ASCII | re.IGNORECASE,
)
_COMPACT_CLOCK = re.compile(r"(\d{2})(\d{2})(\d{2})?", re.ASCII)
_SERIAL = re.compile(r"(\d{5})(?:\.(\d+))?", re.ASCII)
_EPOCH = re.compile(r"(1\d{9})(?:\d{3})?", re.ASCII)
_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, start=1)}
_DAY_ZERO = date(1899, 12, 30)  # serial 1 is 1900-01-01, and 1900-02-29, which never was, counts
_SERIALS = range(10_000, 80_000)  # 1927 to 2119
_MEMORY = 20_000  # days
_from_iso = date.fromisoformat


def day_reader(order: str, first: date | None, last: date | None) -> Callable[[str], str]:
    """Return a function from cell to ISO date.

    `order` (ask, month_first, day_first) says how 3/5/2026 is read. Raises Fault DATE_INVALID, DATE_AMBIGUOUS, or
    DATE_OUT_OF_RANGE outside `first`–`last`.
    """
    lowest, highest = _bounds(first, last)

    def read(cell: str) -> str:
        if len(cell) == 10 and cell[4] == "-" == cell[7]:
            try:
                _from_iso(cell)
            except ValueError:
                cell = _slowly(cell, order)[0].isoformat()
        else:
            cell = _slowly(cell, order)[0].isoformat()
        if not lowest <= cell <= highest:
            raise Fault("DATE_OUT_OF_RANGE")
        return cell

    return read


def _bounds(first: date | None, last: date | None) -> tuple[str, str]:
    return (first or date.min).isoformat(), (last or date.max).isoformat()


def moment_reader(order: str, zone: str, first: date | None, last: date | None) -> Callable[[str], str]:
    """Return a function from cell to UTC stamp; a time without offset is the company's, a day without time its start.

    Raises as `day_reader` does. Days and hours are remembered: most moments are put together from memory.
    """
    here = ZoneInfo(zone)
    lowest, highest = _bounds(first, last)
    days: dict[str, _Day | None] = {}

    def read(cell: str) -> str:
        if cell[13:] in _REST and cell[10] in " T":
            text = cell[:10]
            day = days[text] if text in days else _remember(text, days, here)
            if day is not None and lowest <= text <= highest:
                hour = day[1].get(cell[11:13])
                if hour is not None:
                    return day[0][hour[0]] + hour[1] + cell[13:] + "Z"
        found, clock, zoned = _slowly(cell, order)
        if not lowest <= found.isoformat() <= highest:
            raise Fault("DATE_OUT_OF_RANGE")
        return _utc(datetime.combine(found, clock, zoned or here))

    return read


# The day before, the day, the day after, each with its T; and for each hour which of them UTC has, and its hour there.
_Day = tuple[tuple[str, str, str], dict[str, tuple[int, str]]]
_REST = frozenset(f":{minute:02}:{second:02}" for minute in range(60) for second in range(60))


@cache
def _hours(ahead: int) -> dict[str, tuple[int, str]]:
    """Return the hours of a day in a zone `ahead` hours before UTC: the UTC day (0 the one before) and hour."""
    return {f"{hour:02}": ((hour - ahead) // 24 + 1, f"{(hour - ahead) % 24:02}") for hour in range(24)}


def _remember(text: str, days: dict[str, _Day | None], here: ZoneInfo) -> _Day | None:
    """Note how hours of a day become UTC; None when the zone changes on it or is no whole hours ahead."""
    if len(days) > _MEMORY:
        days.clear()
    days[text] = None
    if len(text) == 10 and text[4] == "-" == text[7]:
        try:
            day = _from_iso(text)
            around = tuple(f"{(day + timedelta(days=step)).isoformat()}T" for step in (-1, 0, 1))
            midnight = datetime.combine(day, time(), here)
            offsets = {(midnight + timedelta(hours=hour)).utcoffset() for hour in range(25)}
        except (ValueError, OverflowError):
            return None
        ahead = offsets.pop()
        if not offsets and ahead is not None and not ahead % timedelta(hours=1):
            days[text] = (around[0], around[1], around[2]), _hours(ahead // timedelta(hours=1))
    return days[text]


def _utc(moment: datetime) -> str:
    try:
        return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
    except OverflowError:
        raise Fault("DATE_INVALID") from None


def _slowly(cell: str, order: str) -> tuple[date, time, ZoneInfo | None]:
    """Return day, time of day, and the zone when the cell itself says it."""
    text = plain(cell).rstrip(".")
    try:
        for number in (_serial(text), _epoch(text)):
            if number:
                return number
        day, rest = _day(text, order)
        clock, ahead = _clock(rest.lstrip(" T,"))
    except (ValueError, OverflowError) as error:
        raise error if isinstance(error, Fault) else Fault("DATE_INVALID") from None
    if ahead is None:
        return day, clock, None
    moment = datetime.combine(day, clock) - ahead
    return moment.date(), moment.time(), ZoneInfo("UTC")


def _serial(text: str) -> tuple[date, time, ZoneInfo | None] | None:
    match = _SERIAL.fullmatch(text)
    if not match or int(match.group(1)) not in _SERIALS:
        return None
    seconds = round(float("0." + (match.group(2) or "0")) * 86_400)
    moment = datetime.combine(_DAY_ZERO, time()) + timedelta(days=int(match.group(1)), seconds=seconds)
    return moment.date(), moment.time(), None


def _epoch(text: str) -> tuple[date, time, ZoneInfo | None] | None:
    match = _EPOCH.fullmatch(text)
    if not match:
        return None
    moment = datetime.fromtimestamp(int(match.group(1)), UTC)
    return moment.date(), moment.time(), ZoneInfo("UTC")


def _day(text: str, order: str) -> tuple[date, str]:
    """Return the day a text begins with, and the rest."""
    for pattern in (_YEAR_FIRST, _COMPACT, _YEAR_LAST, _NAMED):
        match = pattern.match(text)
        if match:
            break
    else:
        raise Fault("DATE_INVALID")
    rest = text[match.end() :]
    if pattern is _NAMED:
        before, name, name_first, after, year = match.groups()
        return date(int(year), _MONTHS[(name or name_first)[:3].lower()], int(before or after)), rest
    if pattern is _YEAR_LAST:
        return _year_last(*(int(part) for part in match.groups()), order=order), rest
    numbers = [int(part) for part in match.groups() if part.isdigit()]
    return date(*numbers), rest


def _year_last(one: int, two: int, year: int, *, order: str) -> date:
    if one > 12 or order == "day_first" and two <= 12:
        return date(year, two, one)
    if two > 12 or order == "month_first" or one == two:
        return date(year, one, two)
    raise Fault("DATE_AMBIGUOUS")


def _clock(text: str) -> tuple[time, timedelta | None]:
    """Return the time of day, and how far ahead of UTC it is when it says so."""
    if not text:
        return time(), None
    compact = _COMPACT_CLOCK.fullmatch(text)
    if compact:
        return time(int(compact[1]), int(compact[2]), int(compact[3] or 0)), None
    match = _CLOCK.fullmatch(text)
    if not match:
        raise Fault("DATE_INVALID")
    before, hour, minute, second, _fraction, after, zone = match.groups()
    half = (before or after or "").upper()
    hours = int(hour)
    if half:
        hours = hours % 12 + (12 if half in ("下午", "PM") else 0) if hours <= 12 else hours
    ahead = None
    if zone:
        digits = zone.replace(":", "")
        ahead = timedelta() if zone in ("Z", "z") or zone.upper() == "UTC" else timedelta(
            hours=int(digits[:3]), minutes=int(digits[0] + digits[3:])
        )  # fmt: skip
    return time(hours, int(minute), int(second or 0)), ahead
