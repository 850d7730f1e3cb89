"""Working time between moments and working days between days: by the tables of a year, never day by day."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from crmctl.worktime.calendars import NONE, Calendar, Shift
from crmctl.worktime.instants import local_day, midnight

DAY = timedelta(days=1)


def worked_between(start: datetime, end: datetime, calendar: Calendar) -> timedelta:
    """Return the working time from start to end; none where the end is not later."""
    if end <= start:
        return NONE
    first, last = local_day(start, calendar.zone).year, local_day(end, calendar.zone).year
    spent = calendar.year(last).spent(end) - calendar.year(first).spent(start)
    return spent + sum((calendar.year(number).total for number in range(first, last)), NONE)


def after_work(start: datetime, amount: timedelta, calendar: Calendar) -> datetime:
    """Return the first moment by which so much working time, more than none, has gone by since `start`."""
    number = local_day(start, calendar.zone).year
    target = calendar.year(number).spent(start) + amount
    while target > (total := calendar.year(number).total):
        target, number = target - total, number + 1
    return calendar.year(number).reach(target)


def next_working(at: datetime, calendar: Calendar) -> datetime:
    """Return `at` where it lies in working time, else the beginning of the next shift."""
    number = local_day(at, calendar.zone).year
    year = calendar.year(number)
    place = bisect_right(year.begins, at)
    if place and at < year.ends[place - 1]:
        return at
    while place >= len(year.begins):
        number, place = number + 1, 0
        year = calendar.year(number)
    return year.begins[place]


class Days(Protocol):
    """Days that a limit may count: working days of a calendar, or all."""

    zone: ZoneInfo

    def after(self, day: date, number: int) -> date:
        """Return the so many-th of them after a day."""

    def before(self, day: date) -> date:
        """Return the last of them before a day."""

    def holds(self, day: date) -> bool:
        """Whether a day is one of them."""

    def between(self, first: date, last: date) -> int:
        """Return how many of them are after first and before last."""

    def span(self, day: date) -> Shift:
        """Return when the time that counts begins and ends on one of them."""

    def pieces(self, day: date) -> tuple[Shift, ...]:
        """Return the times that count on one of them."""

    def idle(self, start: datetime, end: datetime) -> bool:
        """Whether no time that counts lies between two moments."""


class EveryDay:
    """All days, from midnight to midnight in a zone."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone

    def after(self, day: date, number: int) -> date:
        """Return the day so many days later."""
        return day + number * DAY

    def before(self, day: date) -> date:
        """Return the day before."""
        return day - DAY

    def holds(self, day: date) -> bool:
        """Every day is one."""
        return True

    def between(self, first: date, last: date) -> int:
        """Return how many days are after first and before last."""
        return max(0, (last - first).days - 1)

    def span(self, day: date) -> Shift:
        """Return the two midnights of a day."""
        return midnight(day, self.zone), midnight(day + DAY, self.zone)

    def pieces(self, day: date) -> tuple[Shift, ...]:
        """Return the day as one piece."""
        return (self.span(day),)

    def idle(self, start: datetime, end: datetime) -> bool:
        """All time counts."""
        return end <= start


class WorkingDays:
    """The days of a calendar on which there is working time, from the first shift's beginning to the last one's end."""

    def __init__(self, calendar: Calendar) -> None:
        self.calendar, self.zone = calendar, calendar.zone

    def after(self, day: date, number: int) -> date:
        """Return the so many-th working day after a day."""
        year = self.calendar.year(day.year)
        place = bisect_right(year.worked, (day - year.first).days) + number - 1
        while place >= len(year.worked):
            place -= len(year.worked)
            year = self.calendar.year(year.first.year + 1)
        return year.first + year.worked[place] * DAY

    def before(self, day: date) -> date:
        """Return the last working day before a day."""
        year = self.calendar.year(day.year)
        place = bisect_left(year.worked, (day - year.first).days) - 1
        while place < 0:
            year = self.calendar.year(year.first.year - 1)
            place = len(year.worked) - 1
        return year.first + year.worked[place] * DAY

    def holds(self, day: date) -> bool:
        """Whether there is working time on a day."""
        return bool(self.calendar.shifts_on(day))

    def between(self, first: date, last: date) -> int:
        """Return how many working days are after first and before last."""
        if last <= first:
            return 0
        found = 0
        for number in range(first.year, last.year + 1):
            year = self.calendar.year(number)
            low = bisect_right(year.worked, (first - year.first).days) if number == first.year else 0
            high = bisect_left(year.worked, (last - year.first).days) if number == last.year else len(year.worked)
            found += high - low
        return found

    def span(self, day: date) -> Shift:
        """Return when the first shift of a working day begins and its last one ends."""
        shifts = self.calendar.shifts_on(day)
        return shifts[0][0], shifts[-1][1]

    def pieces(self, day: date) -> tuple[Shift, ...]:
        """Return the shifts of a working day."""
        return self.calendar.shifts_on(day)

    def idle(self, start: datetime, end: datetime) -> bool:
        """Whether there is no working time between two moments."""
        return worked_between(start, end, self.calendar) == NONE
