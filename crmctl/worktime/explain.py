"""A deadline with its working: what counted, from when until when, and what was passed over and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from crmctl.worktime.calendars import NONE, Calendar, DayKind
from crmctl.worktime.counting import DAY, Days
from crmctl.worktime.deadlines import counted_days, due
from crmctl.worktime.instants import local_day
from crmctl.worktime.limits import Limit
from crmctl.worktime.pauses import Pause, merged, paused, running

WhyNot = Literal["start", "restday", "holiday", "fixed_holiday", "day_off", "pause"]


@dataclass(frozen=True, slots=True)
class Interval:
    """A time that counted: one piece of a shift, or the working time of a day; `number` which day it was, else 0."""

    from_: datetime
    until: datetime
    counted: timedelta
    number: int = 0
    day: DayKind | None = None  # of limits by the calendar


@dataclass(frozen=True, slots=True)
class Skipped:
    """Days in a row, or a time, that did not count, and why: the day of the start, a day not worked, a pause.

    Only a pause that is still open has no end.
    """

    from_: datetime
    until: datetime | None
    why: WhyNot
    first: date | None = None  # of days
    last: date | None = None
    label: str = ""
    provisional: bool = False


@dataclass(frozen=True, slots=True)
class Working:
    """A deadline as a person can check it by hand: `intervals` that counted, and what was `skipped` between them."""

    due: datetime | None
    provisional: bool
    intervals: tuple[Interval, ...]
    skipped: tuple[Skipped, ...]


def explain(start: datetime, limit: Limit, calendar: Calendar, pauses: Sequence[Pause] = ()) -> Working:
    """Return when a limit ends that began at `start`, with every interval that counted and all that did not.

    Where an open pause leaves the end open, what counted until then is told. Raises what `due` raises.
    """
    start = start.astimezone(UTC)
    found = due(start, limit, calendar, pauses)
    end = found.at or _standing_since(start, pauses)
    days = counted_days(limit, calendar)
    if days is not None:
        counted = tuple(_days(start, end, days, calendar if limit.working else None, pauses))
    elif limit.working:
        counted = tuple(_shifts(start, end, calendar, pauses))
    else:
        counted = tuple(Interval(begin, until, until - begin) for begin, until in _running(start, end, pauses))
    skipped = [Skipped(begin, until, "pause") for begin, until in paused(start, end, pauses)]
    if days is not None and days.holds(local_day(start, calendar.zone)):
        skipped.append(_day_of_start(start, end, calendar))
    if limit.working:
        skipped += _unworked(start, end, calendar)
    if found.at is None:
        skipped.append(Skipped(end, None, "pause"))
    skipped.sort(key=lambda each: each.from_)
    return Working(found.at, found.provisional, counted, tuple(skipped))


def _standing_since(start: datetime, pauses: Sequence[Pause]) -> datetime:
    """Return since when the clock stands still, at the earliest its start, where a pause is open."""
    return max([start, *(pause.from_ for pause in merged(pauses) if pause.until is None)])


def _running(start: datetime, end: datetime, pauses: Sequence[Pause]) -> Iterator[tuple[datetime, datetime]]:
    for begin, until in running(start, pauses):
        if begin >= end:
            return
        yield begin, min(until, end)


def _local_days(start: datetime, end: datetime, calendar: Calendar) -> Iterator[date]:
    day, last = local_day(start, calendar.zone), local_day(end, calendar.zone)
    while day <= last:
        yield day
        day += DAY


def _shifts(start: datetime, end: datetime, calendar: Calendar, pauses: Sequence[Pause]) -> Iterator[Interval]:
    pieces = list(_running(start, end, pauses))
    for day in _local_days(start, end, calendar):
        kind = calendar.day(day)
        for begin, until in calendar.shifts_on(day):
            for piece in pieces:
                first, last = max(begin, piece[0]), min(until, piece[1])
                if first < last:
                    yield Interval(first, last, last - first, 0, kind)


def _days(
    start: datetime, end: datetime, days: Days, calendar: Calendar | None, pauses: Sequence[Pause]
) -> Iterator[Interval]:
    """Yield each day that counted. `end` is the close of the last one."""
    day, number = local_day(start, days.zone), 0
    while True:
        day = days.after(day, 1)
        begin, until = days.span(day)
        if begin >= end:
            return
        ran = _ran(day, days, pauses)
        if ran:
            number += 1
            yield Interval(begin, until, ran, number, calendar.day(day) if calendar else None)


def _ran(day: date, days: Days, pauses: Sequence[Pause]) -> timedelta:
    """Return for how long of a day's own time the clock ran."""
    pieces = days.pieces(day)
    stood = (last - first for piece in pieces for first, last in paused(*piece, pauses))
    return sum((last - first for first, last in pieces), NONE) - sum(stood, NONE)


def _day_of_start(start: datetime, end: datetime, calendar: Calendar) -> Skipped:
    day = local_day(start, calendar.zone)
    return Skipped(start, min(end, calendar.midnight(day + DAY)), "start", day, day)


def _unworked(start: datetime, end: datetime, calendar: Calendar) -> Iterator[Skipped]:
    """Yield days without working time, those in a row for one reason together."""
    last: Skipped | None = None
    for day in _local_days(start, end, calendar):
        kind = calendar.day(day)
        if kind.worked:
            continue
        begin, until = calendar.midnight(day), calendar.midnight(day + DAY)
        why: WhyNot = kind.why  # type: ignore[assignment]
        same = last is not None and (last.why, last.label, last.until) == (why, kind.label, begin)
        if last is not None and same:
            last = Skipped(last.from_, until, why, last.first, day, kind.label, kind.provisional)
            continue
        if last is not None:
            yield last
        last = Skipped(begin, until, why, day, day, kind.label, kind.provisional)
    if last is not None:
        yield last
