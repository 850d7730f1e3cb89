"""Public holidays and make-up working days (调休) as announced, from a kept library; nothing here knows a date.

The library raises for a year that has not been announced. It is imported when a calendar with `holidays: CN` is used,
not before.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple


class PublicDay(NamedTuple):
    """A day that was announced: whether people work, and for which holiday, in both languages."""

    worked: bool
    labels: Mapping[str, str]


def announced(year: int) -> Mapping[date, PublicDay] | None:
    """Return a year's announced days in China, holidays and make-up days; None while the year is not announced."""
    import chinese_calendar as library

    if year not in {day.year for day in library.holidays}:
        return None
    labels = {each.value: {"zh": each.chinese, "en": each.value} for each in library.Holiday}
    found = {day: PublicDay(False, labels[name]) for day, name in library.holidays.items() if day.year == year}
    found |= {day: PublicDay(True, labels[name]) for day, name in library.workdays.items() if day.year == year}
    return found
