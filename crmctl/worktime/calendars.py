"""A company calendar ready to count with: which days are worked and why, when shifts begin and end in real time.

All that depends on days is worked out once a year of the calendar and kept; counting then is a matter of bisection.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import accumulate
from typing import Literal, cast
from zoneinfo import ZoneInfo

from crmctl.errors import InvalidInput
from crmctl.i18n import _, pick
from crmctl.policy.policyset import Policy, PolicySet
from crmctl.policy.scopes import ruling_for
from crmctl.worktime.instants import at_minute, local_day, midnight
from crmctl.worktime.policy import CalendarSettings, OffDay, WorkDay, minutes
from crmctl.worktime.publicdays import PublicDay, announced

Why = Literal["workday", "restday", "holiday", "make_up", "fixed_holiday", "day_off", "day_worked"]
Shift = tuple[datetime, datetime]  # begin and end, UTC
NONE = timedelta(0)
_YEARS_KEPT = 256
EXPECTED_BY_MONTH = 12


@dataclass(frozen=True, slots=True)
class DayKind:
    """What a day is: its shifts as written (none: not worked), why, and whether that may still change.

    `provisional`: the public holidays of its year are not announced, and the company has not said what the day is.
    """

    shifts: tuple[str, ...]
    why: Why
    provisional: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def worked(self) -> bool:
        """Whether the company works."""
        return bool(self.shifts)

    @property
    def label(self) -> str:
        """What a holiday or a day of the company's own is called, in the reader's language; "" for a usual day."""
        return pick(self.labels)


@dataclass(frozen=True, slots=True, eq=False)
class Year:
    """A calendar's year as tables to bisect, in the order of time."""

    first: date
    days: tuple[DayKind, ...]
    shifts: tuple[tuple[Shift, ...], ...]  # of each day
    worked: tuple[int, ...]  # places of days with working time
    begins: tuple[datetime, ...]  # of every shift of the year
    ends: tuple[datetime, ...]
    before: tuple[timedelta, ...]  # working time of the year before each shift, and in all
    unsure: tuple[int, ...]  # provisional days before each day, and in all

    @property
    def total(self) -> timedelta:
        """The year's working time."""
        return self.before[-1]

    def spent(self, at: datetime) -> timedelta:
        """Return the year's working time up to a moment of it."""
        place = bisect_right(self.begins, at) - 1
        if place < 0:
            return NONE
        return self.before[place] + (min(at, self.ends[place]) - self.begins[place])

    def reach(self, spent: timedelta) -> datetime:
        """Return the first moment by which so much of the year's working time is spent; more than none of it."""
        place = bisect_left(self.before, spent) - 1
        return self.begins[place] + (spent - self.before[place])


@dataclass(frozen=True, eq=False)
class Calendar:
    """A calendar policy in the company's zone. Two are equal when they were made from the same text and zone."""

    name: str
    key: str  # stable text to store beside a deadline: policy name and version
    settings: CalendarSettings
    zone: ZoneInfo
    identity: str

    def __hash__(self) -> int:
        return hash(self.identity)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Calendar) and self.identity == other.identity

    def day(self, day: date) -> DayKind:
        """Return what a day is. Raises InvalidInput for a year not announced where the policy says stop."""
        return self.year(day.year).days[_place(day)]

    def shifts_on(self, day: date) -> tuple[Shift, ...]:
        """Return a day's shifts as moments in UTC, those left out that a change of the clock swallows."""
        return self.year(day.year).shifts[_place(day)]

    def year(self, year: int) -> Year:
        """Return a year's tables. Raises InvalidInput for a year not announced where the policy says stop."""
        return _year(self, year)

    def year_at(self, at: datetime) -> Year:
        """Return the tables of the year that a moment lies in, by the calendar on the wall."""
        return _year(self, local_day(at, self.zone).year)

    def midnight(self, day: date) -> datetime:
        """Return the moment at which a day begins."""
        return midnight(day, self.zone)

    def announced(self, year: int) -> bool:
        """Whether what the public does in a year is known; always so for a calendar without public holidays."""
        return self.settings.holidays == "none" or _announced(year) is not None

    def provisional(self, first: date, last: date) -> bool:
        """Whether any day from first to last may still change."""
        for number in range(first.year, last.year + 1):
            year = self.year(number)
            begin = _place(first) if number == first.year else 0
            end = _place(last) + 1 if number == last.year else len(year.days)
            if year.unsure[end] > year.unsure[begin]:
                return True
        return False


def calendar_of(settings: CalendarSettings, zone: str, *, name: str = "calendar", key: str = "") -> Calendar:
    """Return the calendar of settings that are no policy file's."""
    digest = hashlib.sha256(settings.model_dump_json().encode("utf-8")).hexdigest()
    return Calendar(name, key or name, settings, ZoneInfo(zone), f"{digest} {zone} {name}")


def calendar_for(policies: PolicySet, day: date, *, org_unit: str | None = None, name: str = "") -> Calendar:
    """Return the calendar in force on `day`: that of this name, else the most specific one for an org unit.

    Who belongs to no unit belongs to the company's default one. Raises InvalidInput that names the calendars there are.
    """
    if name:
        found = [policy for policy in in_force(policies, day) if policy.name == name]
        policy = found[0] if found else None
    else:
        policy = ruling_for(policies, "calendar", day, org_unit=org_unit or str(policies.company.default_org_unit))
    if policy is None:
        known = ", ".join(dict.fromkeys(each.name for each in in_force(policies, day)))
        message = _("no calendar {name} in force on {day}").format(name=name, day=day)
        raise InvalidInput(
            message if name else _("no calendar for {unit} in force on {day}").format(unit=org_unit or "-", day=day),
            hint=_("there are: {names}").format(names=known or "-"),
            code="CALENDAR_MISSING",
        )
    return compiled(policies, policy)


def in_force(policies: PolicySet, day: date) -> tuple[Policy, ...]:
    """Return the calendar policies in force on a day, in the order of their files."""
    return tuple(
        policy for policy in policies.of_kind("calendar") if policy.mode != "off" and policy.effective.holds(day)
    )


def compiled(policies: PolicySet, policy: Policy) -> Calendar:
    """Return a calendar policy in the company's zone."""
    zone = policies.company.timezone
    settings = cast("CalendarSettings", policy.settings)
    return Calendar(
        policy.name, f"{policy.name}@{policy.version}", settings, ZoneInfo(zone), f"{policy.hash} {zone} {policy.name}"
    )


def unannounced(policies: PolicySet, today: date) -> tuple[tuple[str, int], ...]:
    """Return calendars in use and the year whose public holidays they lack: this one, or the next from December on.

    The days of a year are usually announced in the November before.
    """
    years = [today.year, *([today.year + 1] if today.month >= EXPECTED_BY_MONTH else [])]
    calendars = [compiled(policies, policy) for policy in in_force(policies, today)]
    return tuple((each.name, year) for each in calendars for year in years if not each.announced(year))


def _place(day: date) -> int:
    return day.timetuple().tm_yday - 1


_announced = lru_cache(maxsize=64)(announced)


@lru_cache(maxsize=_YEARS_KEPT)
def _year(calendar: Calendar, number: int) -> Year:
    first = _first_day(calendar, number)
    days = tuple(_kinds(calendar, first))
    shifts = tuple(_moments(kind.shifts, first + timedelta(place), calendar.zone) for place, kind in enumerate(days))
    flat = [shift for of_day in shifts for shift in of_day]
    return Year(
        first,
        days,
        shifts,
        tuple(place for place, of_day in enumerate(shifts) if of_day),
        tuple(begin for begin, _end in flat),
        tuple(end for _begin, end in flat),
        tuple(accumulate((end - begin for begin, end in flat), initial=NONE)),
        tuple(accumulate((kind.provisional for kind in days), initial=0)),
    )


def _first_day(calendar: Calendar, number: int) -> date:
    """Return a year's first day. Raises InvalidInput for a year that may not be counted in."""
    if not date.min.year < number < date.max.year:
        raise InvalidInput(_("the year {year} is beyond any calendar").format(year=number), code="CALENDAR_ENDS")
    if calendar.settings.unannounced == "stop" and not calendar.announced(number):
        raise InvalidInput(
            _("calendar {name}: the public holidays of {year} are not announced").format(
                name=calendar.name, year=number
            ),
            hint=_(
                "when they are, update the package chinesecalendar; until then unannounced: provisional in the "
                "calendar's file counts weekends and fixed_holidays"
            ),
            code="CALENDAR_UNANNOUNCED",
            details={"calendar": calendar.name, "year": number},
        )
    return date(number, 1, 1)


def _kinds(calendar: Calendar, first: date) -> list[DayKind]:
    settings = calendar.settings
    public = _announced(first.year) if settings.holidays == "CN" else None
    own: dict[date, OffDay | WorkDay] = {day.date: day for day in settings.days_off}
    own |= {day.date: day for day in settings.days_worked}
    week = [settings.shifts(weekday) for weekday in range(7)]
    fixed = frozenset(settings.fixed_holidays) if public is None else frozenset()
    unsure = settings.holidays == "CN" and public is None
    found = []
    for place in range((date(first.year + 1, 1, 1) - first).days):
        day = first + timedelta(place)
        chosen = own.get(day)
        if chosen is not None:
            found.append(_own_day(chosen, settings))
        elif public is not None and day in public:
            found.append(_public_day(public[day], settings))
        elif f"{day:%m-%d}" in fixed:
            found.append(DayKind((), "fixed_holiday", unsure))
        else:
            shifts = week[day.weekday()]
            found.append(DayKind(shifts, "workday" if shifts else "restday", unsure))
    return found


def _own_day(day: OffDay | WorkDay, settings: CalendarSettings) -> DayKind:
    if isinstance(day, OffDay):
        return DayKind((), "day_off", labels=dict(day.labels.items()))
    return DayKind(day.shifts or settings.usual_shifts(), "day_worked", labels=dict(day.labels.items()))


def _public_day(day: PublicDay, settings: CalendarSettings) -> DayKind:
    if day.worked:
        return DayKind(settings.usual_shifts(), "make_up", labels=day.labels)
    return DayKind((), "holiday", labels=day.labels)


def _moments(shifts: tuple[str, ...], day: date, zone: ZoneInfo) -> tuple[Shift, ...]:
    found = []
    for shift in shifts:
        begin, end = (at_minute(day, minute, zone) for minute in minutes(shift))
        if begin < end:
            found.append((begin, end))
    return tuple(found)
