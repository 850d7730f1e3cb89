"""When a limit ends and how much of it is spent; docs/clocks.md says the same for people (requirements 0.5, T2, A-04).

Minutes and hours are real time. Working minutes and hours are real time inside shifts, so one that begins outside
working hours begins to count with the next shift. N working days end at the close, the end of the last shift, of the
Nth working day after the local day of the start; N days at the end (24:00) of the Nth local day after it. With
`ends: elapsed` N days are N times 24 hours, and N working days end at the time of day at which they began, N working
days later; a start outside working time first moves to the next shift, and so does an end.

While a pause lasts the clock stands still. Hours lose the time of it. Of days that end at their close one counts when
the clock ran at any moment of its working time (a natural day: at any moment of it), and a close that falls into a
pause moves to the next close at which the clock runs. Working days that end `elapsed` end later by the working time
that the pauses took.

What is done at the second of the deadline is in time; what is done later is late.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from crmctl.worktime.calendars import NONE, Calendar
from crmctl.worktime.counting import Days, EveryDay, WorkingDays, after_work, next_working, worked_between
from crmctl.worktime.instants import local_day, moment
from crmctl.worktime.limits import Limit
from crmctl.worktime.pauses import END_OF_TIME, Pause, merged, paused, running

REAL = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}
WORKED = {"working_minute": timedelta(minutes=1), "working_hour": timedelta(hours=1)}


@dataclass(frozen=True, slots=True)
class Due:
    """The last moment in time, in UTC; None while the clock stands in an open pause and nobody can say.

    `provisional`: a day that was counted or passed over belongs to a year whose holidays are not announced yet.
    """

    at: datetime | None
    provisional: bool = False


def due(start: datetime, limit: Limit, calendar: Calendar, pauses: Sequence[Pause] = ()) -> Due:
    """Return when a limit ends that began at `start`, an aware time.

    Raises InvalidInput where a year is not announced and the calendar says stop.
    """
    start = start.astimezone(UTC)
    at = _due(start, limit, calendar, pauses)
    if not limit.working:
        return Due(at)
    until = at or max([start, *(pause.from_ for pause in pauses)])  # as far as has been counted
    return Due(at, calendar.provisional(local_day(start, calendar.zone), local_day(until, calendar.zone)))


def elapsed(start: datetime, end: datetime, calendar: Calendar, pauses: Sequence[Pause] = ()) -> timedelta:
    """Return the working time from start to end without that of the pauses; none where the end is not later."""
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    stood = (worked_between(begin, until, calendar) for begin, until in paused(start, end, pauses))
    return worked_between(start, end, calendar) - sum(stood, NONE)


def elapsed_wall(start: datetime, end: datetime, pauses: Sequence[Pause] = ()) -> timedelta:
    """Return the real time from start to end without the pauses; none where the end is not later."""
    stood = (until - begin for begin, until in paused(start, end, pauses))
    return max(end - start, NONE) - sum(stood, NONE)


def remaining(at: datetime, until: datetime, calendar: Calendar, pauses: Sequence[Pause] = ()) -> timedelta:
    """Return the working time left at `at` before a deadline; below none what has gone by since, once it is past."""
    if at <= until:
        return elapsed(at, until, calendar, pauses)
    return -elapsed(until, at, calendar, pauses)


def remaining_wall(at: datetime, until: datetime, pauses: Sequence[Pause] = ()) -> timedelta:
    """Return the real time left at `at` before a deadline; below none what has gone by since, once it is past."""
    return elapsed_wall(at, until, pauses) if at <= until else -elapsed_wall(until, at, pauses)


def counted_days(limit: Limit, calendar: Calendar) -> Days | None:
    """Return the days whose closes a limit counts; None for one that counts time."""
    if not limit.days or limit.ends == "elapsed":
        return None
    return WorkingDays(calendar) if limit.working else EveryDay(calendar.zone)


def _due(start: datetime, limit: Limit, calendar: Calendar, pauses: Sequence[Pause]) -> datetime | None:
    days = counted_days(limit, calendar)
    if days is not None:
        return _close(local_day(start, calendar.zone), limit.number, days, standstills(days, pauses))
    if limit.unit in REAL:
        return _after(start, limit.number * REAL[limit.unit], None, pauses)
    if limit.unit in WORKED:
        return _after(start, limit.number * WORKED[limit.unit], calendar, pauses)
    return _same_time(start, limit.number, calendar, pauses)


def _same_time(start: datetime, number: int, calendar: Calendar, pauses: Sequence[Pause]) -> datetime | None:
    """Return when so many working days have gone by, later by the working time that pauses take."""
    begin = next_working(start, calendar)
    local = begin.astimezone(calendar.zone)
    last = WorkingDays(calendar).after(local.date(), number)
    aim = moment(datetime.combine(last, local.time().replace(fold=0)), calendar.zone)
    if any(first < aim <= end for first, end in calendar.shifts_on(last)):
        return _after(begin, worked_between(begin, aim, calendar), calendar, pauses)
    at = _after(begin, worked_between(begin, aim, calendar), calendar, pauses)  # the close before; the shift after it
    return None if at is None else _next_shift(at, calendar, pauses)


def _next_shift(at: datetime, calendar: Calendar, pauses: Sequence[Pause]) -> datetime | None:
    """Return the next moment in working time at which the clock runs; None in an open pause."""
    at = next_working(at, calendar)
    for pause in merged(pauses):
        if pause.from_ < at < pause.end:
            if pause.until is None:
                return None
            at = next_working(pause.until, calendar)
    return at


def _after(start: datetime, amount: timedelta, calendar: Calendar | None, pauses: Sequence[Pause]) -> datetime | None:
    """Return when so much time has been spent, of the calendar's or real; None where an open pause comes first."""
    for begin, end in running(start, pauses):
        if calendar is None:
            spent = end - begin
        elif end == END_OF_TIME:
            return after_work(begin, amount, calendar)
        else:
            spent = worked_between(begin, end, calendar)
        if spent >= amount:
            return begin + amount if calendar is None else after_work(begin, amount, calendar)
        amount -= spent
    return None


@dataclass(frozen=True, slots=True)
class Standstill:
    """A pause, and the first and last day whose time it takes whole: `first` None for none, `last` for all to come."""

    pause: Pause
    first: date | None
    last: date | None


def standstills(days: Days, pauses: Sequence[Pause]) -> tuple[Standstill, ...]:
    """Return pauses with the days that they take whole; those with no counted time between them are one."""
    found = []
    for pause in merged(pauses, days.idle):
        first = local_day(pause.from_, days.zone)
        if not days.holds(first) or days.span(first)[0] < pause.from_:
            first = days.after(first, 1)
        if pause.until is None:
            found.append(Standstill(pause, first, None))
            continue
        last = local_day(pause.until, days.zone)
        if not days.holds(last) or days.span(last)[1] > pause.until:
            last = days.before(last)
        found.append(Standstill(pause, first if first <= last else None, last))
    return tuple(found)


def _close(day: date, number: int, days: Days, still: Sequence[Standstill]) -> datetime | None:
    """Return the close of the so many-th day after `day` on which the clock ran, at a moment when it runs."""
    for each in still:
        if each.first is None or (each.last is not None and each.last <= day):
            continue
        ahead = days.between(day, each.first)
        if number <= ahead:
            break
        if each.last is None:
            return None
        number, day = number - ahead, each.last
    day = days.after(day, number)
    close = days.span(day)[1]
    for each in still:
        if each.pause.from_ < close <= each.pause.end:
            if each.last is None:
                return None
            day = days.after(max(day, each.last), 1)
            close = days.span(day)[1]
    return close
