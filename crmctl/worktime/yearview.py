"""A calendar's year as people look at it: months, and the days that are not what their day of the week says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from crmctl.worktime.calendars import NONE, Calendar, DayKind

MONTHS = range(1, 13)


@dataclass(frozen=True, slots=True)
class Month:
    """A month's working days and working time; `provisional` while public holidays in it are not announced."""

    first: date
    days: int
    time: timedelta
    provisional: bool


def months(calendar: Calendar, number: int) -> tuple[Month, ...]:
    """Return the twelve months of a year. Raises InvalidInput where it is not announced and the calendar says stop."""
    year = calendar.year(number)
    found = []
    for month in MONTHS:
        first = date(number, month, 1)
        after = date(number + month // 12, month % 12 + 1, 1)
        places = range((first - year.first).days, (after - year.first).days)
        shifts = [shift for place in places for shift in year.shifts[place]]
        time = sum((end - begin for begin, end in shifts), NONE)
        unsure = any(year.days[place].provisional for place in places)
        found.append(Month(first, sum(bool(year.shifts[place]) for place in places), time, unsure))
    return tuple(found)


def unusual(calendar: Calendar, number: int) -> Iterator[tuple[date, DayKind]]:
    """Yield the days of a year whose shifts are not those of their day of the week."""
    year = calendar.year(number)
    for place, kind in enumerate(year.days):
        day = year.first + timedelta(days=place)
        if kind.shifts != calendar.settings.shifts(day.weekday()):
            yield day, kind
