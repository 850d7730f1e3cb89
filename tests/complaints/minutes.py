"""Clocks of complaints worked out the slow way: from raw rows and terms alone, minute by minute.

Nothing of the program is used. The calendar is the policy file's YAML and the library of Chinese holidays; days are
those of a zone without summer time. What a day's minutes are is noted once a day, and a day that nothing interrupts is
taken at one go; everything else is counted by the minute, and the last minute by the second.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache, cached_property
from typing import Any

import chinese_calendar

HERE = timezone(timedelta(hours=8))  # Asia/Shanghai, which has had no summer time since 1991
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
MINUTES_A_DAY = 1440
SECONDS = {"minute": 60, "hour": 3600, "day": 86400}
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# Events after which another plan is owed, which is an event besides.
UNSETTLED = (("revisited", False, None), ("reviewed", None, "failed"))
Pauses = Sequence[tuple[datetime, datetime | None]]


@dataclass
class Calendar:
    """A calendar as its policy file has it: `settings` are the file's."""

    settings: Mapping[str, Any]
    _days: dict[date, bytes] = field(default_factory=dict)

    @cached_property
    def _own(self) -> dict[str, bytes]:
        """Days the company has chosen itself."""
        found = {str(day["date"]): bytes(MINUTES_A_DAY) for day in self.settings.get("days_off", ())}
        for day in self.settings.get("days_worked", ()):
            found[str(day["date"])] = _minutes(day["shifts"]) if day.get("shifts") else self._usual()
        return found

    def sure(self, day: date) -> bool:
        """Whether nothing can change on a day any more."""
        return self.settings.get("holidays") != "CN" or _announced(day.year) or day.isoformat() in self._own

    def minutes(self, day: date) -> bytes:
        """Return a byte for each minute of a day: 1 where it is worked."""
        if day not in self._days:
            self._days[day] = self._looked_at(day)
        return self._days[day]

    def _looked_at(self, day: date) -> bytes:
        if day.isoformat() in self._own:
            return self._own[day.isoformat()]
        if self.settings.get("holidays") != "CN":
            fixed = day.strftime("%m-%d") in self.settings.get("fixed_holidays", ())
            return bytes(MINUTES_A_DAY) if fixed else self._of_weekday(day)
        if not _announced(day.year):
            fixed = day.strftime("%m-%d") in self.settings["fixed_holidays"]
            return bytes(MINUTES_A_DAY) if fixed else self._of_weekday(day)
        if day in chinese_calendar.constants.workdays:
            return self._usual()
        if day in chinese_calendar.constants.holidays:
            return bytes(MINUTES_A_DAY)
        return self._of_weekday(day)

    def _of_weekday(self, day: date) -> bytes:
        for hours in self.settings["hours"]:
            if WEEKDAYS[day.weekday()] in hours["days"]:
                return _minutes(hours["shifts"])
        return bytes(MINUTES_A_DAY)

    def _usual(self) -> bytes:
        """Return the minutes of a make-up day: a Monday's, else those of the first day of the week that has any."""
        week = (self._of_weekday(date(2026, 1, 5) + place * DAY) for place in range(7))
        return next(minutes for minutes in week if any(minutes))


def _minutes(shifts: Sequence[str]) -> bytes:
    found = bytearray(MINUTES_A_DAY)
    for shift in shifts:
        begin, end = (int(clock[:2]) * 60 + int(clock[3:]) for clock in shift.split("-"))
        found[begin:end] = b"\1" * (end - begin)
    return bytes(found)


@cache
def _announced(year: int) -> bool:
    return any(day.year == year for day in chinese_calendar.constants.holidays)


@dataclass(frozen=True)
class Counter:
    """Counts time from a moment on; pauses do not count, and without a calendar every minute does."""

    calendar: Calendar | None
    pauses: Pauses = ()

    def paused(self, second: datetime) -> bool:
        """Whether the clock stands still in the second that begins then."""
        return any(begin <= second and (end is None or second < end) for begin, end in self.pauses)

    def _touched(self, begin: datetime, end: datetime) -> bool:
        return any(start < end and (until is None or until > begin) for start, until in self.pauses)

    def _worked(self, minute: datetime) -> bool:
        if self.calendar is None:
            return True
        local = minute.astimezone(HERE)
        return bool(self.calendar.minutes(local.date())[local.hour * 60 + local.minute])

    def _whole_day(self, local: datetime) -> int:
        return MINUTES_A_DAY if self.calendar is None else sum(self.calendar.minutes(local.date()))

    def after(self, start: datetime, seconds: int) -> datetime | None:
        """Return when so many seconds have counted; None where an open pause comes first."""
        at = start
        while True:
            local = at.astimezone(HERE)
            if self.pauses and self.pauses[-1][1] is None and at >= self.pauses[-1][0]:
                return None
            if (local.hour, local.minute, local.second) == (0, 0, 0) and not self._touched(at, at + DAY):
                whole = 60 * self._whole_day(local)
                if whole < seconds:
                    seconds, at = seconds - whole, at + DAY
                    continue
            end = at - timedelta(seconds=local.second) + MINUTE
            if self._worked(at):
                found = self._within(at, end, seconds)
                if isinstance(found, datetime):
                    return found
                seconds = found
            at = end

    def _within(self, at: datetime, end: datetime, seconds: int) -> datetime | int:
        """Return when the seconds are over, within a worked minute; else how many are left after it."""
        length = int((end - at).total_seconds())
        if not self._touched(at, end):
            return at + timedelta(seconds=seconds) if seconds <= length else seconds - length
        for number in range(length):
            second = at + timedelta(seconds=number)
            if not self.paused(second):
                seconds -= 1
                if not seconds:
                    return second + timedelta(seconds=1)
        return seconds

    def first(self, start: datetime) -> datetime | None:
        """Return the first moment from then on at which the clock counts; None in an open pause."""
        found = self.after(start, 1)
        return None if found is None else found - timedelta(seconds=1)

    def close(self, start: datetime, days: int) -> datetime | None:
        """Return the close of the so many-th day after the start's on which it counted, where it counts."""
        midnight = start.astimezone(HERE).replace(hour=0, minute=0, second=0)
        while True:
            midnight += DAY
            if self.pauses and self.pauses[-1][1] is None and midnight >= self.pauses[-1][0]:
                return None
            day = self._day(midnight)
            worked = [number for number in range(MINUTES_A_DAY) if day[number]]
            if not worked:
                continue
            close = (midnight + (worked[-1] + 1) * MINUTE).astimezone(UTC)
            if self._touched(midnight, midnight + DAY):
                seconds = (
                    midnight + number * MINUTE + timedelta(seconds=each) for number in worked for each in range(60)
                )
                days -= any(not self.paused(second) for second in seconds)
            else:
                days -= 1
            if days <= 0 and not self.paused(close - timedelta(seconds=1)):
                return close

    def _day(self, midnight: datetime) -> bytes:
        return b"\1" * MINUTES_A_DAY if self.calendar is None else self.calendar.minutes(midnight.date())

    def same_time(self, start: datetime, days: int) -> datetime | None:
        """Return when it is the same time of day so many working days on, later by what the pauses took."""
        plain = Counter(self.calendar)
        begin = plain.first(start)
        assert begin is not None and self.calendar is not None
        aim = begin.astimezone(HERE)
        while days:
            aim += DAY
            days -= any(self.calendar.minutes(aim.date()))
        seconds = sum(_counts(plain, begin, aim))
        at = self.after(begin, seconds)
        if at is None or plain._worked(aim - timedelta(seconds=1)):
            return at
        return self.first(at)


def _counts(counter: Counter, begin: datetime, end: datetime) -> Iterator[int]:
    """Yield the seconds that count of each minute between two moments."""
    at = begin
    while at < end:
        until = min(end, at - timedelta(seconds=at.second) + MINUTE)
        if counter._worked(at):
            yield int((until - at).total_seconds())
        at = until


def due(
    start: datetime, within: str, ends: str, calendar: Calendar, pauses: Pauses = ()
) -> tuple[datetime | None, bool]:
    """Return when a limit ends as terms write it, and whether it rests on days that are not announced."""
    found = re.fullmatch(r"(\d+) (working )?(minute|hour|day)s?", within)
    assert found, within
    number, unit = int(found[1]), found[3]
    counter = Counter(calendar if found[2] else None, pauses)
    if unit == "day" and ends == "close":
        at = counter.close(start, number)
    elif unit == "day" and found[2]:
        at = counter.same_time(start, number)
    else:
        at = counter.after(start, number * SECONDS[unit])
    if not found[2]:
        return at, False
    day, last = (
        each.astimezone(HERE).date() for each in (start, at or max([start, *(begin for begin, _end in pauses)]))
    )
    unsure = False
    while day <= last:
        unsure, day = unsure or not calendar.sure(day), day + DAY
    return at, unsure


@dataclass
class Clock:
    """A clock as it must be."""

    stage: str
    started_at: datetime
    within: str
    told: bool
    due_at: datetime | None = None
    provisional: bool = False
    stopped_at: datetime | None = None
    extended: int = 0
    pauses: list[tuple[datetime, datetime | None]] = field(default_factory=list)

    @property
    def waits(self) -> bool:
        """Whether it stands still now."""
        return bool(self.pauses) and self.pauses[-1][1] is None

    def late(self) -> bool | None:
        """Whether it ended late; None where it has no limit or has not ended."""
        if self.stopped_at is None or self.due_at is None:
            return None
        return self.stopped_at > self.due_at


def clocks(
    events: Sequence[Mapping[str, Any]], terms: Mapping[str, Any], own: Calendar, named: Mapping[str, Calendar]
) -> list[Clock]:
    """Return the clocks a complaint must have after its events (raw rows, in order) by its terms (parsed JSON).

    `own` is the calendar of its org unit, `named` are those a stage may name.
    """
    replayed = _Replay(terms, own, named)
    for row in events:
        data, at = json.loads(row["data"]), row["at"]
        if row["kind"] == "accepted":
            replayed.happened("received", datetime.fromisoformat(data["received_at"]), data.get("feedback_by"))
        if row["kind"] == "asked" and "stage" in data:
            replayed.asked = data
        if row["kind"] == "extended":
            replayed.extended(data)
        replayed.happened(row["kind"], at, data.get("due_at") or data.get("feedback_by"))
        if (row["kind"], data.get("settled"), data.get("result")) in UNSETTLED:
            replayed.happened("unsettled", at, None)
    return replayed.found


class _Replay:
    def __init__(self, terms: Mapping[str, Any], own: Calendar, named: Mapping[str, Calendar]) -> None:
        self.stages = {stage["code"]: stage for stage in terms["stages"]}
        self.terms, self.own, self.named = terms, own, named
        self.found: list[Clock] = []
        self.asked: Mapping[str, Any] = {}

    def happened(self, kind: str, at: datetime, promised: str | None) -> None:
        for clock in self.found:
            if clock.stopped_at is None and kind in self.stages[clock.stage]["ends"]:
                clock.stopped_at = at
                if clock.waits:
                    clock.pauses[-1] = (clock.pauses[-1][0], at)
        runs = {clock.stage for clock in self.found if clock.stopped_at is None}
        for code, stage in self.stages.items():
            if kind in stage["begins"] and code not in runs:
                self.found.append(self._begun(stage, at, promised))
        if kind in self.terms["waits_from"]:
            self._wait(at)
        elif kind in self.terms["waits_until"]:
            self._go_on(at)

    def _begun(self, stage: Mapping[str, Any], at: datetime, promised: str | None) -> Clock:
        clock = Clock(stage["code"], at, stage["within"], stage["told"])
        if clock.within == "promised":
            clock.due_at = datetime.fromisoformat(promised) if promised else None
        elif clock.within:
            self._count(clock)
        return clock

    def _count(self, clock: Clock) -> None:
        stage = self.stages[clock.stage]
        calendar = self.named[stage["calendar"]] if stage["calendar"] else self.own
        clock.due_at, clock.provisional = due(
            clock.started_at, clock.within, stage["days_end"], calendar, tuple(clock.pauses)
        )

    def _wait(self, at: datetime) -> None:
        for clock in self.found:
            pauses = self.stages[clock.stage]["pauses"] and clock.within not in ("", "promised")
            over = clock.due_at is not None and at > clock.due_at
            if clock.stopped_at is None and pauses and not clock.waits and not over:
                clock.pauses.append((at, None))
                clock.due_at = None

    def _go_on(self, at: datetime) -> None:
        for clock in self.found:
            if clock.stopped_at is None and clock.waits:
                clock.pauses[-1] = (clock.pauses[-1][0], at)
                self._count(clock)

    def extended(self, data: Mapping[str, Any]) -> None:
        clock = next(each for each in self.found if each.stage == data["stage"] and each.stopped_at is None)
        clock.extended, clock.within = clock.extended + 1, data["within"]
        if clock.within == "promised":
            clock.due_at, clock.provisional = datetime.fromisoformat(self.asked["due_will"]), False
        else:
            self._count(clock)
