"""Windows of days that end today: `over: 12 months`. Exact to the day, by the calendar.

The window of N months that ends on D holds the days after D minus N months, up to and including D. A day that the
earlier month does not have becomes its last one: a month that ends on 31 March began on 1 March, for February's last
day is the day before it. A year is twelve months, a week seven days.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass, field
from datetime import date, timedelta

from crmctl.i18n import N_, _

UNITS = ("days", "weeks", "months", "years")
LONGEST_DAYS = 36_600  # a hundred years
LONGEST_MONTHS = 1_200

_WRITTEN = re.compile(r"([1-9][0-9]{0,4}) (day|week|month|year)s?\Z", re.ASCII)
_WORDS = {
    "days": N_("last {count} days"),
    "weeks": N_("last {count} weeks"),
    "months": N_("last {count} months"),
    "years": N_("last {count} years"),
}


@dataclass(frozen=True, slots=True)
class Window:
    """So many months, or so many days; equal windows are equal however they were written (1 year is 12 months)."""

    months: int
    days: int
    text: str = field(compare=False)  # as files write it: "12 months"

    def start(self, day: date) -> date:
        """Return the first day inside the window that ends on `day`; the calendar's first where it would be earlier."""
        try:
            if self.months:
                return months_before(day, self.months) + timedelta(days=1)
            return day - timedelta(days=self.days - 1)
        except (OverflowError, ValueError):
            return date.min

    @property
    def words(self) -> str:
        """The window in the reader's language."""
        count, _space, unit = self.text.partition(" ")
        return _(_WORDS[unit if unit in UNITS else f"{unit}s"]).format(count=count)


def months_before(day: date, months: int) -> date:
    """Return the same day so many months earlier, or that month's last. Raises ValueError before the year 1."""
    years, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    if years < 1:
        raise ValueError(years)
    return date(years, month + 1, min(day.day, monthrange(years, month + 1)[1]))


def window(text: str) -> Window | None:
    """Return the window a file writes as `12 months` or `1 year`; None when it is none, or over a hundred years."""
    found = _WRITTEN.match(text)
    if found is None:
        return None
    count, unit = int(found[1]), f"{found[2]}s"
    months = count * {"months": 1, "years": 12}.get(unit, 0)
    days = count * {"days": 1, "weeks": 7}.get(unit, 0)
    if months > LONGEST_MONTHS or days > LONGEST_DAYS:
        return None
    return Window(months, days, f"{count} {unit}" if count > 1 else f"1 {found[2]}")
