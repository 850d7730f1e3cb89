"""Days and moments as people and spreadsheets write them: ISO, 2026/3/5, 2026年3月5日, 20260305, serial numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from crmctl.customers.formats.texts import Fault, plain

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
_MEMORY = 100_000


def day_reader(order: str, first: date | None, last: date | None) -> Callable[[str], str]:
    """Return a function from cell to ISO date.

    `order` (ask, month_first, day_first) says how 3/5/2026 is read. Raises Fault DATE_INVALID, DATE_AMBIGUOUS, or
    DATE_OUT_OF_RANGE outside `first`–`last`.
    """
    lowest, highest = first or date.min, last or date.max

    def read(cell: str) -> str:
        if len(cell) == 10 and cell[4] == "-" == cell[7]:
            try:
                day = date.fromisoformat(cell)
            except ValueError:
                day = _slowly(cell, order)[0]
        else:
            day = _slowly(cell, order)[0]
        if not lowest <= day <= highest:
            raise Fault("DATE_OUT_OF_RANGE")
        return day.isoformat()

    return read


def moment_reader(order: str, zone: str, first: date | None, last: date | None) -> Callable[[str], str]:
    """Return a function from cell to UTC stamp; a time without offset is the company's, a day without time its start.

    Raises as `day_reader` does.
    """
    here = ZoneInfo(zone)
    lowest, highest = first or date.min, last or date.max
    first_text, last_text = lowest.isoformat(), highest.isoformat()
    offsets: dict[str, timedelta | None] = {}

    def offset(day: str) -> timedelta | None:
        """Return what the zone is ahead of UTC all that day; None when it changes in it."""
        if len(offsets) > _MEMORY:
            offsets.clear()
        midnight = datetime.fromisoformat(day)
        ahead = midnight.replace(tzinfo=here).utcoffset()
        later = (midnight + timedelta(days=1)).replace(tzinfo=here).utcoffset()
        offsets[day] = ahead if ahead == later else None
        return offsets[day]

    def read(cell: str) -> str:
        if len(cell) == 19 and cell[4] == "-" == cell[7] and cell[10] in " T" and cell[13] == ":" == cell[16]:
            try:
                moment = datetime.fromisoformat(cell)
                key = cell[:10]
                ahead = offsets[key] if key in offsets else offset(key)
            except (ValueError, OverflowError):
                raise Fault("DATE_INVALID") from None
            if ahead is not None and first_text <= key <= last_text:
                return (moment - ahead).isoformat() + "Z"
        day, clock, zoned = _slowly(cell, order)
        if not lowest <= day <= highest:
            raise Fault("DATE_OUT_OF_RANGE")
        return _utc(datetime.combine(day, clock, zoned or here))

    return read


def _utc(moment: datetime) -> str:
    try:
        return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")
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
