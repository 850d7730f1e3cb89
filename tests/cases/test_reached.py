"""Levels of escalation: never fewer, the same however often it is asked, counted minute by minute (REQ-05, CMP-16)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmctl.cases.clockwork import Clock
from crmctl.cases.escalating import reached
from crmctl.cases.terms import LevelTerms
from crmctl.locate import shipped
from crmctl.policy import load
from crmctl.worktime.calendars import Calendar, calendar_for, calendar_of
from crmctl.worktime.deadlines import due
from crmctl.worktime.limits import limit_of
from crmctl.worktime.policy import CalendarSettings, Hours

OFFICE = calendar_for(load(shipped("policies")), date(2026, 1, 1))
NIGHT = CalendarSettings(
    hours=(Hours(days=("mon", "tue", "wed", "thu", "fri", "sat", "sun"), shifts=("00:00-04:00", "22:00-24:00")),),
    holidays="none",
)
NEW_YORK = calendar_of(NIGHT, "America/New_York", name="night")
LEVELS = (
    LevelTerms("warn", "before", "2 working hours", ("handler",)),
    LevelTerms("soon", "before", "30 minutes", ("handler",), stages=("verify",)),
    LevelTerms("over", "at_end", "", ("handler",)),
    LevelTerms("late", "after", "1 working hour", ("superior",)),
    LevelTerms("manager", "after", "1 working day", ("post:manager",)),
)
START = datetime(2026, 9, 28, tzinfo=UTC)  # two days before National Day
SPRING = datetime(2026, 3, 6, tzinfo=UTC)  # the clock goes forward in New York on the 8th
MINUTE = timedelta(minutes=1)


def at(local: str, zone: str = "Asia/Shanghai") -> datetime:
    return datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def clock(due_at: datetime, stage: str = "verify", **more: object) -> Clock:
    return replace(Clock(stage, due_at - timedelta(days=5), "1 working day", due_at=due_at), **more)  # type: ignore[arg-type]


def worked(begin: datetime, end: datetime, calendar: Calendar) -> int:
    """Count the worked minutes from begin to end, one by one."""
    found, place = 0, begin
    while place < end:
        day = place.astimezone(calendar.zone).date()
        found += any(first <= place < last for first, last in calendar.shifts_on(day))
        place += MINUTE
    return found


def told(due_at: datetime, moment: datetime, stage: str, calendar: Calendar) -> int:
    """Say the same another way: level by level, from none, by counting minutes."""
    closes = due(due_at, limit_of("1 working day"), calendar).at
    assert closes is not None
    come = (
        moment >= due_at or worked(moment, due_at, calendar) <= 120,
        stage == "verify" and due_at - moment <= timedelta(minutes=30),
        moment > due_at,
        worked(due_at, moment - MINUTE, calendar) >= 60,  # the hour was full a minute ago
        moment > closes,
    )
    return max((number for number, has in enumerate(come, start=1) if has), default=0)


MOMENTS = st.lists(st.integers(0, 16 * 24 * 60), min_size=1, max_size=6).map(sorted)


@pytest.mark.parametrize(("calendar", "first"), [(OFFICE, START), (NEW_YORK, SPRING)], ids=["office", "new york"])
@given(st.integers(2 * 24 * 60, 12 * 24 * 60), MOMENTS, st.sampled_from(["verify", "propose"]))
def test_never_fewer_and_once(calendar: Calendar, first: datetime, end: int, moments: list[int], stage: str) -> None:
    """However often one looks, the level is that of the last look alone; looked at again it is the same."""
    running = clock(first + end * MINUTE, stage)
    for number in moments:
        moment = first + number * MINUTE
        level = reached(running, LEVELS, moment, calendar)
        assert level >= running.level
        assert level == reached(replace(running, level=0), LEVELS, moment, calendar)
        running = replace(running, level=level)
        assert reached(running, LEVELS, moment, calendar) == level


@pytest.mark.parametrize(("calendar", "first"), [(OFFICE, START), (NEW_YORK, SPRING)], ids=["office", "new york"])
@given(st.integers(0, 9 * 24 * 60), st.integers(-3 * 24 * 60, 3 * 24 * 60), st.sampled_from(["verify", "propose"]))
def test_minute_by_minute(calendar: Calendar, first: datetime, end: int, away: int, stage: str) -> None:
    """Over National Day week and its make-up days, and where the clock goes forward in the night."""
    due_at = first + end * MINUTE
    moment = due_at + away * MINUTE
    assert reached(clock(due_at, stage), LEVELS, moment, calendar) == told(due_at, moment, stage, calendar)


def test_a_warning_over_a_weekend() -> None:
    """Due Monday at 10:00, two working hours before is Friday at 17:00, whatever lies between."""
    running = clock(at("2026-11-23T10:00"))
    assert reached(running, LEVELS[:1], at("2026-11-20T16:59"), OFFICE) == 0
    assert reached(running, LEVELS[:1], at("2026-11-20T17:00"), OFFICE) == 1
    assert reached(running, LEVELS[:1], at("2026-11-21T12:00"), OFFICE) == 1


def test_a_warning_over_national_day() -> None:
    """Due on Thursday 8 October at 10:00: warned on Wednesday 30 September at 17:00, eight days ahead."""
    running = clock(at("2026-10-08T10:00"))
    assert reached(running, LEVELS[:1], at("2026-09-30T16:59"), OFFICE) == 0
    assert reached(running, LEVELS[:1], at("2026-09-30T17:00"), OFFICE) == 1
    assert reached(running, LEVELS, at("2026-10-07T23:59"), OFFICE) == 1
    # One working day after it is the close of the 9th; Saturday the 10th is worked and would be the next.
    assert reached(running, LEVELS, at("2026-10-09T18:00"), OFFICE) == 4
    assert reached(running, LEVELS, at("2026-10-09T18:00") + timedelta(seconds=1), OFFICE) == 5


def test_a_warning_in_the_night_the_clock_goes_forward() -> None:
    """In New York 02:00 to 03:00 is not there on 8 March 2026: two working hours before 04:00 is 01:00."""
    running = clock(at("2026-03-08T04:00", "America/New_York"))
    before = at("2026-03-08T01:00", "America/New_York")
    assert reached(running, LEVELS[:1], before - MINUTE, NEW_YORK) == 0
    assert reached(running, LEVELS[:1], before, NEW_YORK) == 1


def test_what_stopped_or_stands_still_reaches_nothing() -> None:
    """A clock in an open pause has no end to come near to."""
    end = at("2026-11-20T10:00")
    assert reached(clock(end, stopped_at=end), LEVELS, end + timedelta(days=9), OFFICE) == 0
    assert reached(replace(clock(end), due_at=None), LEVELS, end + timedelta(days=9), OFFICE) == 0
