"""Policy kind `calendar`: when the company works (requirements 0.5, T4 `calendar.*`)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, WithJsonSchema

from crmctl.i18n import N_, _
from crmctl.policy.model import Day, Finding, Labels, Lookup, Many, Settings, Sources, Wrong
from crmctl.policy.nodes import Path

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[str, ...] = get_args(Weekday)

MINUTES_A_DAY = 24 * 60
LEAP_YEAR = 2000  # has every month-day there is
SHIFT_PATTERN = r"^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-4]):[0-5][0-9]$"


def minutes(shift: str) -> tuple[int, int]:
    """Return begin and end of a shift such as `09:00-12:00` in minutes since midnight."""
    begin, end = shift.split("-")
    return _minute(begin), _minute(end)


def _minute(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


def _shift(text: str) -> str:
    if not re.match(SHIFT_PATTERN, text):
        raise Wrong(_("'{text}' is no shift").format(text=text[:20]), _('as in "09:00-12:00"'))
    begin, end = minutes(text)
    if begin >= end or end > MINUTES_A_DAY:
        raise Wrong(_("a shift begins before it ends, within one day"), _("write a shift over midnight as two shifts"))
    return text


MONTH_DAY_PATTERN = r"^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"


def _month_day(text: str) -> str:
    try:
        if re.match(MONTH_DAY_PATTERN, text):
            date(LEAP_YEAR, int(text[:2]), int(text[3:]))
            return text
    except ValueError:
        pass
    raise Wrong(_("'{text}' is no day of the year").format(text=text[:20]), _('month and day, as in "10-01"'))


Shift = Annotated[str, AfterValidator(_shift), WithJsonSchema({"type": "string", "pattern": SHIFT_PATTERN})]

MonthDay = Annotated[str, AfterValidator(_month_day), WithJsonSchema({"type": "string", "pattern": MONTH_DAY_PATTERN})]


class Hours(Settings):
    """The shifts of some days of the week."""

    days: Annotated[Many[Weekday], Field(min_length=1)] = Field(description=N_("days of the week"))
    shifts: Annotated[Many[Shift], Field(min_length=1)] = Field(description=N_("in order, as 09:00-12:00"))


class OffDay(Settings):
    """A day the company does not work although the calendar says so."""

    date: Day = Field(description=N_("the day"))
    labels: Labels = Field(description=N_("why"))


class WorkDay(Settings):
    """A day the company works although the calendar says it does not."""

    date: Day = Field(description=N_("the day"))
    shifts: Many[Shift] = Field((), description=N_("its shifts; those of a Monday unless given"))
    labels: Labels = Field(description=N_("why"))


class CalendarSettings(Settings):
    """When the company works."""

    hours: Annotated[Many[Hours], Field(min_length=1)] = Field(description=N_("shifts by day of the week"))
    holidays: Literal["CN", "none"] = Field(
        "none", description=N_("public holidays and make-up working days: CN, kept by a library, or none")
    )
    unannounced: Literal["provisional", "stop"] = Field(
        "provisional",
        description=N_(
            "a year whose public holidays are not announced: provisional counts weekends and fixed_holidays and says "
            "so, stop refuses"
        ),
    )
    fixed_holidays: Many[MonthDay] = Field(
        (),
        description=N_("month and day of holidays that are the same every year; with CN only for years not announced"),
    )
    days_off: Many[OffDay] = Field((), description=N_("the company's own days off"))
    days_worked: Many[WorkDay] = Field((), description=N_("the company's own extra working days"))
    source: Sources = Field((), description=N_("clauses it comes from"))

    def shifts(self, weekday: int) -> tuple[str, ...]:
        """Return the shifts of a day of the week, Monday 0."""
        name = WEEKDAYS[weekday]
        return next((hours.shifts for hours in self.hours if name in hours.days), ())

    def usual_shifts(self) -> tuple[str, ...]:
        """Return the shifts of a make-up day: those of a Monday, or of the first day of the week that has any."""
        return next(shifts for weekday in range(len(WEEKDAYS)) if (shifts := self.shifts(weekday)))

    def lint(self, look: Lookup) -> Iterator[Finding]:
        """Yield shifts that overlap, days of the week named twice, and dates that are both off and worked."""
        seen: set[str] = set()
        for position, hours in enumerate(self.hours):
            for place, day in enumerate(hours.days):
                if day in seen:
                    yield Finding(("hours", position, "days", place), _("{day} has its shifts already").format(day=day))
                seen.add(day)
            yield from _overlaps(hours.shifts, ("hours", position, "shifts"))
        for place, holiday in enumerate(self.fixed_holidays):
            if holiday in self.fixed_holidays[:place]:
                yield Finding(("fixed_holidays", place), _("{day} is listed twice").format(day=holiday))
        dates = set()
        listed: list[tuple[Path, date]] = [
            (("days_off", number, "date"), day.date) for number, day in enumerate(self.days_off)
        ]
        listed += [(("days_worked", number, "date"), extra.date) for number, extra in enumerate(self.days_worked)]
        for at, day_listed in listed:
            if day_listed in dates:
                yield Finding(at, _("{day} is listed twice").format(day=day_listed))
            dates.add(day_listed)
        for position, extra in enumerate(self.days_worked):
            yield from _overlaps(extra.shifts, ("days_worked", position, "shifts"))


def _overlaps(shifts: Sequence[str], at: Path) -> Iterator[Finding]:
    for position, (before, after) in enumerate(zip(shifts, shifts[1:], strict=False), start=1):
        if minutes(after)[0] < minutes(before)[1]:
            message = _("{later} begins before {earlier} ends").format(later=after, earlier=before)
            yield Finding((*at, position), message)
