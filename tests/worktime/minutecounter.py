"""The slow way to count, to hold the fast one against: every minute of some weeks, looked at one by one.

A minute is worked when the clock on the wall, which is never put back here, stands inside a shift of its day.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import chinese_calendar

MINUTE = timedelta(minutes=1)
Shifts = Sequence[tuple[int, int]]
Paused = Sequence[tuple[int, int]]  # from minute, until minute


class MinuteCounter:
    """The minutes from the first day's midnight on, each with its local day and whether it is worked."""

    def __init__(self, shifts_on: Callable[[date], Shifts], zone: str, first: date, days: int) -> None:
        self.first = datetime(first.year, first.month, first.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
        self.count = days * 24 * 60
        self.worked = bytearray(self.count)
        self.days: list[date] = []
        highest = datetime.min
        shifts: Shifts = ()
        for number in range(self.count):
            shown = (self.first + number * MINUTE).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
            highest = max(highest, shown)
            day = highest.date()
            if not self.days or self.days[-1] != day:
                shifts = shifts_on(day)
            self.days.append(day)
            at = highest.hour * 60 + highest.minute
            self.worked[number] = any(begin <= at < end for begin, end in shifts)

    def moment(self, number: int) -> datetime:
        """Return the moment at which a minute begins."""
        return self.first + number * MINUTE

    def elapsed(self, start: int, end: int, paused: Paused = ()) -> int:
        """Return the worked minutes from start to end that no pause takes."""
        return sum(self.worked[number] and not stands(number, paused) for number in range(start, end))

    def due(self, start: int, minutes: int, paused: Paused = (), *, wall: bool = False) -> int | None:
        """Return the minute at whose beginning so many have been counted; None where these weeks do not reach."""
        for number in range(start, self.count):
            if (wall or self.worked[number]) and not stands(number, paused):
                minutes -= 1
                if not minutes:
                    return number + 1
        return None

    def close(self, start: int, days: int, paused: Paused = (), *, wall: bool = False) -> int | None:
        """Return the close of the so many-th day after that of `start` that counts and at which the clock runs."""
        today, counted, number = self.days[start], 0, start
        while number < self.count:
            day = self.days[number]
            end = number
            while end < self.count and self.days[end] == day:
                end += 1
            minutes = [each for each in range(number, end) if wall or self.worked[each]]
            if day > today and any(not stands(each, paused) for each in minutes):
                counted += 1
                if counted >= days and not stands(minutes[-1], paused):
                    return minutes[-1] + 1 if end < self.count else None
            number = end
        return None


def stands(number: int, paused: Paused) -> bool:
    """Whether the clock stands still in a minute."""
    return any(begin <= number < end for begin, end in paused)


OFFICE: Shifts = ((9 * 60, 12 * 60), (13 * 60, 18 * 60))


FIRST = date(2024, 1, 1)
DAYS = (date(2027, 1, 1) - FIRST).days


@cache
def china() -> MinuteCounter:
    """Return the minutes of 2024 to 2026 in China: what the library calls a working day is worked in two shifts."""
    return MinuteCounter(lambda day: OFFICE if chinese_calendar.is_workday(day) else (), "Asia/Shanghai", FIRST, DAYS)
