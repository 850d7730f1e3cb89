"""Deadlines and spent time against a counter that looks at every minute (requirements 0.5, T2, A-04)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from minutecounter import DAYS, MINUTE, MinuteCounter, Paused, Shifts, china

from crmctl.locate import shipped
from crmctl.policy import load
from crmctl.worktime.calendars import Calendar, calendar_for, calendar_of
from crmctl.worktime.deadlines import Due, due, elapsed, elapsed_wall, remaining, remaining_wall
from crmctl.worktime.explain import explain
from crmctl.worktime.limits import Limit, limit_of
from crmctl.worktime.pauses import Pause
from crmctl.worktime.policy import WEEKDAYS, CalendarSettings

SHANGHAI = ZoneInfo("Asia/Shanghai")
OFFICE: Calendar = calendar_for(load(shipped("policies")), date(2026, 1, 1))
DAY = 24 * 60
CLOCK_CHANGES = {
    "America/New_York": (date(2026, 3, 8), date(2026, 11, 1)),
    "Europe/Berlin": (date(2026, 3, 29), date(2026, 10, 25)),
    "Australia/Lord_Howe": (date(2026, 4, 5), date(2026, 10, 4)),  # half an hour
    "America/Havana": (date(2026, 3, 8), date(2026, 11, 1)),  # at midnight
    "Asia/Shanghai": (date(2026, 5, 1), date(2026, 10, 1)),  # none
}


def at(text: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def told(start: str, within: str, calendar: Calendar = OFFICE, **more: Pause) -> str:
    found = due(at(start, calendar.zone), limit_of(within), calendar, tuple(more.values())).at
    assert found is not None
    return found.astimezone(calendar.zone).strftime("%Y-%m-%d %H:%M")


# By hand ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "within", "expected"),
    [
        ("2026-11-20 17:00", "2 working hours", "2026-11-23 10:00"),  # Friday 17:00
        ("2026-11-20 17:00", "1 working hour", "2026-11-20 18:00"),  # ends with the shift, not with the next one
        ("2026-11-20 17:00", "1 working day", "2026-11-23 18:00"),
        ("2026-11-20 17:00", "24 hours", "2026-11-21 17:00"),
        ("2026-09-19 20:00", "1 working hour", "2026-09-20 10:00"),  # the evening before a make-up Sunday
        ("2026-09-19 20:00", "1 working day", "2026-09-20 18:00"),
        ("2026-09-18 18:00", "1 working day", "2026-09-20 18:00"),
        ("2026-09-30 17:00", "7 working days", "2026-10-15 18:00"),  # National Day, make-up Saturday 10 October
        ("2026-09-30 17:00", "1 working hour", "2026-09-30 18:00"),
        ("2026-09-30 17:59", "1 working hour", "2026-10-08 09:59"),  # A-04: goes on next working morning
        ("2026-11-23 12:00", "1 working minute", "2026-11-23 13:01"),
        ("2026-11-23 11:59", "1 working minute", "2026-11-23 12:00"),
        ("2026-11-23 23:30", "1 working hour", "2026-11-24 10:00"),  # A-04: one hour from the start of work
        ("2026-11-23 23:59", "1 day", "2026-11-25 00:00"),  # a limit at midnight
        ("2026-11-24 00:00", "1 day", "2026-11-26 00:00"),
        ("2026-11-23 23:00", "1 hour", "2026-11-24 00:00"),
        ("2026-11-23 09:00", "15 days", "2026-12-09 00:00"),
    ],
)
def test_deadlines_by_hand(start: str, within: str, expected: str) -> None:
    """T2: limits of requests and complaints; A-04: off-hours in 001."""
    assert told(start, within) == expected


@pytest.mark.parametrize(
    ("start", "within", "expected"),
    [
        ("2026-11-20 17:00", "1 working day", "2026-11-23 17:00"),
        ("2026-11-20 20:00", "1 working day", "2026-11-24 09:00"),  # as if it had begun on Monday at 9
        ("2026-11-21 10:00", "1 working day", "2026-11-24 09:00"),
        ("2026-11-20 12:30", "2 working days", "2026-11-24 13:00"),
        ("2026-11-20 17:00", "2 days", "2026-11-22 17:00"),
    ],
)
def test_days_that_end_elapsed(start: str, within: str, expected: str) -> None:
    found = due(at(start), limit_of(within, "elapsed"), OFFICE).at
    assert found == at(expected)


def test_elapsed_ends_outside_the_shifts_of_a_short_day_at_the_next_shift() -> None:
    """A half day: the time of day is past its close, so the next shift's beginning; at its very close it stays."""
    short = calendar_of(
        CalendarSettings.model_validate(
            {
                "hours": [{"days": ["mon"], "shifts": ["09:00-18:00"]}, {"days": ["tue"], "shifts": ["09:00-12:00"]}],
            }
        ),
        "Asia/Shanghai",
    )
    day = Limit(1, "working_day", "elapsed")
    assert due(at("2026-11-23 17:00"), day, short).at == at("2026-11-30 09:00")
    assert due(at("2026-11-23 12:00"), day, short).at == at("2026-11-24 12:00")


def test_a_shift_over_a_change_of_the_clock_has_its_real_length() -> None:
    """New York, 8 March 2026: 02:00 to 03:00 does not exist. 1 November: 01:00 to 02:00 comes twice."""
    zone = ZoneInfo("America/New_York")
    night = CalendarSettings.model_validate({"hours": [{"days": list(WEEKDAYS), "shifts": ["00:00-06:00"]}]})
    calendar = calendar_of(night, "America/New_York")
    spring, autumn = at("2026-03-08 00:00", zone), at("2026-11-01 00:00", zone)
    assert elapsed(spring, spring + timedelta(hours=20), calendar) == timedelta(hours=5)
    assert elapsed(autumn, autumn + timedelta(hours=20), calendar) == timedelta(hours=7)
    assert told("2026-03-08 00:00", "3 working hours", calendar) == "2026-03-08 04:00"
    assert told("2026-11-01 00:00", "3 working hours", calendar) == "2026-11-01 02:00"
    assert told("2026-03-08 00:00", "24 hours", calendar) == "2026-03-09 01:00"
    assert told("2026-03-07 12:00", "1 day", calendar) == "2026-03-09 00:00"


def test_shifts_at_times_that_do_not_exist_or_come_twice() -> None:
    """A skipped time is the moment of the change, one that comes twice its first coming; no gap, no overlap."""
    edges = CalendarSettings.model_validate(
        {"hours": [{"days": ["sun"], "shifts": ["01:00-01:30", "01:30-02:15", "02:15-02:45", "02:45-04:00"]}]}
    )
    calendar = calendar_of(edges, "America/New_York")
    spring, autumn = calendar.shifts_on(date(2026, 3, 8)), calendar.shifts_on(date(2026, 11, 1))
    assert [(end - begin) // MINUTE for begin, end in spring] == [30, 30, 60]  # 02:15-02:45 is swallowed
    assert [(end - begin) // MINUTE for begin, end in autumn] == [30, 105, 30, 75]
    for shifts in (spring, autumn):
        assert all(end == begin for (_, end), (begin, _) in zip(shifts, shifts[1:], strict=False))


def test_pauses_take_hours_out() -> None:
    """A pause from Monday 10:00 to Tuesday 10:00 takes eight working hours out, and a real day."""
    pause = Pause(at("2026-11-23 10:00"), at("2026-11-24 10:00"))
    assert told("2026-11-23 09:00", "4 working hours", pause=pause) == "2026-11-24 14:00"
    assert told("2026-11-23 09:00", "4 hours", pause=pause) == "2026-11-24 13:00"
    both = (pause, Pause(at("2026-11-24 09:00"), at("2026-11-24 11:00")))  # overlap counts once
    assert elapsed(at("2026-11-23 09:00"), at("2026-11-24 18:00"), OFFICE, both) == timedelta(hours=7)
    assert elapsed_wall(at("2026-11-23 09:00"), at("2026-11-24 18:00"), both) == timedelta(hours=8)


@pytest.mark.parametrize(
    ("begin", "end", "expected"),
    [
        ("2026-11-24 09:00", "2026-11-24 18:00", "2026-11-26 18:00"),  # the whole of Tuesday does not count
        ("2026-11-23 18:00", "2026-11-25 09:00", "2026-11-26 18:00"),
        ("2026-11-24 09:00", "2026-11-24 17:59", "2026-11-25 18:00"),  # one minute was left: it counts
        ("2026-11-24 09:01", "2026-11-24 18:00", "2026-11-25 18:00"),
        ("2026-11-25 10:00", "2026-11-25 17:00", "2026-11-25 18:00"),
        ("2026-11-25 10:00", "2026-11-25 18:00", "2026-11-26 18:00"),  # the close itself stood still
        ("2026-11-25 10:00", "2026-12-02 12:00", "2026-12-02 18:00"),
        ("2026-11-25 18:00", "2026-12-02 12:00", "2026-11-25 18:00"),  # begins as the limit ends
    ],
)
def test_pauses_and_working_days(begin: str, end: str, expected: str) -> None:
    """Two working days from Monday 23 November: Wednesday 18:00 unless the clock stood."""
    assert told("2026-11-23 10:00", "2 working days", pause=Pause(at(begin), at(end))) == expected


@pytest.mark.parametrize(("noon", "expected"), [("12:00", "2026-11-26 18:00"), ("11:59", "2026-11-25 18:00")])
def test_two_pauses_take_a_day_whole_when_only_the_break_lies_between(noon: str, expected: str) -> None:
    """Morning and afternoon of Tuesday; one minute of the morning left, and it counts."""
    morning = Pause(at("2026-11-24 08:00"), at(f"2026-11-24 {noon}"))
    afternoon = Pause(at("2026-11-24 13:00"), at("2026-11-24 18:00"))
    assert told("2026-11-23 10:00", "2 working days", one=morning, two=afternoon) == expected


@pytest.mark.parametrize("within", ["2 working days", "9 working hours", "30 hours", "3 days"])
def test_an_open_pause_leaves_the_end_open_unless_it_came_before(within: str) -> None:
    limit, start = limit_of(within), at("2026-11-23 10:00")
    plain = due(start, limit, OFFICE)
    assert plain.at is not None
    assert due(start, limit, OFFICE, [Pause(plain.at - MINUTE)]) == Due(None)
    assert due(start, limit, OFFICE, [Pause(plain.at)]) == plain
    closed = Pause(start + MINUTE, start + 2 * MINUTE)
    assert due(start, limit, OFFICE, [closed, Pause(start + 3 * MINUTE)]).at is None


def test_pauses_are_whole() -> None:
    with pytest.raises(ValueError, match="before it begins"):
        Pause(at("2026-11-23 10:00"), at("2026-11-23 09:00"))
    with pytest.raises(ValueError, match="aware"):
        Pause(datetime(2026, 11, 23, 10))


def test_what_is_left_and_what_has_gone_by() -> None:
    until, before, after = at("2026-11-23 18:00"), at("2026-11-20 17:00"), at("2026-11-24 10:00")
    assert remaining(before, until, OFFICE) == timedelta(hours=9)
    assert remaining(after, until, OFFICE) == -timedelta(hours=1)
    assert remaining_wall(after, until) == -timedelta(hours=16)
    assert remaining_wall(before, until) == timedelta(days=3, hours=1)
    assert remaining(until, until, OFFICE) == timedelta()


# Against the counter of minutes ----------------------------------------------------------------------------------

starts = st.integers(0, (DAYS - 60) * DAY)
lengths = st.one_of(st.integers(1, 600), st.integers(1, 6 * DAY))
pauses = st.lists(st.tuples(st.integers(-DAY, 12 * DAY), lengths), max_size=3)


def placed(start: int, drawn: list[tuple[int, int]]) -> Paused:
    return [(start + begin, start + begin + length) for begin, length in drawn]


def as_pauses(first: datetime, paused: Paused) -> list[Pause]:
    return [Pause(first + begin * MINUTE, first + end * MINUTE) for begin, end in paused]


def same(counter: MinuteCounter, expected: int | None, found: Due) -> bool:
    assume(expected is not None)
    assert expected is not None
    return found.at == counter.moment(expected)


@settings(max_examples=200)
@given(start=starts, minutes=st.integers(1, 4000), drawn=pauses)
def test_working_time_in_china(start: int, minutes: int, drawn: list[tuple[int, int]]) -> None:
    """Real calendar 2024 to 2026: due and elapsed of working minutes, with pauses, equal the count of minutes."""
    counter, paused = china(), placed(start, drawn)
    stands, begin = as_pauses(counter.first, paused), counter.moment(start)
    found = due(begin, Limit(minutes, "working_minute"), OFFICE, stands)
    assert same(counter, counter.due(start, minutes, paused), found)
    assert found.at is not None
    assert elapsed(begin, found.at, OFFICE, stands) == minutes * MINUTE
    later = start + 3 * minutes
    expected = counter.elapsed(start, later, paused)
    assert elapsed(begin, counter.moment(later), OFFICE, stands) == expected * MINUTE


@settings(max_examples=200)
@given(start=starts, days=st.integers(1, 25), drawn=pauses, wall=st.booleans())
def test_days_in_china(start: int, days: int, drawn: list[tuple[int, int]], wall: bool) -> None:
    """Real calendar 2024 to 2026: the close of the Nth working or natural day, with pauses."""
    counter, paused = china(), placed(start, drawn)
    limit = Limit(days, "day" if wall else "working_day")
    found = due(counter.moment(start), limit, OFFICE, as_pauses(counter.first, paused))
    assert same(counter, counter.close(start, days, paused, wall=wall), found)
    assert not found.provisional


@settings(max_examples=100)
@given(start=starts, minutes=st.integers(1, 20_000), drawn=pauses)
def test_real_time(start: int, minutes: int, drawn: list[tuple[int, int]]) -> None:
    counter, paused = china(), placed(start, drawn)
    stands, begin = as_pauses(counter.first, paused), counter.moment(start)
    found = due(begin, Limit(minutes, "minute"), OFFICE, stands)
    assert same(counter, counter.due(start, minutes, paused, wall=True), found)
    assert found.at is not None
    assert elapsed_wall(begin, found.at, stands) == minutes * MINUTE


def test_every_day_of_three_years() -> None:
    """Working time of each local day, midnight to midnight: holidays, make-up Sundays, the ends of years."""
    counter = china()
    for number in range(0, counter.count, DAY):
        begin = counter.moment(number)
        expected = sum(counter.worked[number : number + DAY])
        assert elapsed(begin, begin + timedelta(days=1), OFFICE) == expected * MINUTE, begin


def test_three_years_at_once() -> None:
    counter = china()
    expected = sum(counter.worked)
    assert elapsed(counter.moment(0), counter.moment(counter.count), OFFICE) == expected * MINUTE
    last = max(number for number, worked in enumerate(counter.worked) if worked)
    found = due(counter.moment(0), Limit(expected // 60, "working_hour"), OFFICE)
    assert expected % 60 == 0
    assert found.at == counter.moment(last + 1)


# Calendars of any kind -------------------------------------------------------------------------------------------


@st.composite
def shift_lists(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Up to four shifts a day, some edge to edge, night shifts from and to midnight among them."""
    edges = sorted(draw(st.sets(st.one_of(st.integers(0, 24), st.integers(0, 96)), min_size=2, max_size=6)))
    quarters = [(15 * begin, 15 * end) for begin, end in zip(edges, edges[1:], strict=False)]
    kept = [shift for shift in quarters if draw(st.integers(0, 3))]
    return (kept or quarters)[:4]


def written(shifts: list[tuple[int, int]]) -> list[str]:
    return ["-".join(f"{minute // 60:02d}:{minute % 60:02d}" for minute in shift) for shift in shifts]


class World(NamedTuple):
    """A calendar, what it says of each day, and a day around which the clock changes."""

    calendar: Calendar
    shifts_on: Callable[[date], Shifts]
    first: date

    def counter(self) -> MinuteCounter:
        """Return the minutes of some weeks from the first day on."""
        return MinuteCounter(self.shifts_on, self.calendar.zone.key, self.first, 17)

    @property
    def begin(self) -> datetime:
        """The first day's midnight."""
        first = self.first
        return datetime(first.year, first.month, first.day, tzinfo=self.calendar.zone).astimezone(UTC)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Draw a calendar with a week of its own, with days off and days worked near a change of the clock."""
    zone = draw(st.sampled_from(sorted(CLOCK_CHANGES)))
    middle = draw(st.sampled_from(CLOCK_CHANGES[zone]))
    week: Mapping[int, list[tuple[int, int]]] = draw(
        st.dictionaries(st.integers(0, 6), shift_lists(), min_size=2, max_size=7)
    )
    nearby = st.integers(-3, 9).map(lambda days: middle + timedelta(days=days))
    off = draw(st.sets(nearby, max_size=3))
    extra = draw(st.dictionaries(nearby.filter(lambda day: day not in off), shift_lists(), max_size=2))
    model = {
        "hours": [{"days": [WEEKDAYS[day]], "shifts": written(shifts)} for day, shifts in week.items()],
        "days_off": [{"date": day, "labels": {"en": "off"}} for day in off],
        "days_worked": [
            {"date": day, "shifts": written(shifts), "labels": {"en": "on"}} for day, shifts in extra.items()
        ],
    }

    def shifts_on(day: date) -> Shifts:
        return () if day in off else extra.get(day, week.get(day.weekday(), ()))

    return World(calendar_of(CalendarSettings.model_validate(model), zone), shifts_on, middle - timedelta(days=3))


@settings(max_examples=100)
@given(world=worlds(), data=st.data())
def test_any_calendar_in_any_zone(world: World, data: st.DataObject) -> None:
    """Up to four shifts a day, edge to edge or over midnight, over changes of the clock, with pauses."""
    calendar, counter = world.calendar, world.counter()
    start = data.draw(st.integers(0, 6 * DAY))
    paused = placed(start, data.draw(st.lists(st.tuples(st.integers(-DAY, 5 * DAY), lengths), max_size=3)))
    stands, begin = as_pauses(counter.first, paused), counter.moment(start)
    end = data.draw(st.integers(start, counter.count - 2 * DAY))
    expected = counter.elapsed(start, end, paused)
    assert elapsed(begin, counter.moment(end), calendar, stands) == expected * MINUTE
    minutes, days = data.draw(st.integers(1, 1500)), data.draw(st.integers(1, 4))
    for wanted, limit in (
        (counter.due(start, minutes, paused), Limit(minutes, "working_minute")),
        (counter.due(start, minutes, paused, wall=True), Limit(minutes, "minute")),
        (counter.close(start, days, paused), Limit(days, "working_day")),
        (counter.close(start, days, paused, wall=True), Limit(days, "day")),
    ):
        if wanted is not None:
            assert due(begin, limit, calendar, stands).at == counter.moment(wanted), limit


LIMITS = st.builds(
    Limit,
    st.integers(1, 12),
    st.sampled_from(["minute", "hour", "day", "working_minute", "working_hour", "working_day"]),
    st.sampled_from(["close", "elapsed"]),
)


@settings(max_examples=150)
@given(world=worlds(), limit=LIMITS, data=st.data())
def test_later_starts_are_never_due_earlier(world: World, limit: Limit, data: st.DataObject) -> None:
    times = data.draw(st.tuples(st.integers(0, 8 * DAY), st.integers(0, 8 * DAY)))
    first, second = (world.begin + minute * MINUTE for minute in sorted(times))
    early, late = (due(start, limit, world.calendar).at for start in (first, second))
    assert early is not None
    assert late is not None
    assert first < early <= late
    longer = due(first, Limit(limit.number + 1, limit.unit, limit.ends), world.calendar).at
    assert longer is not None
    assert longer >= early if limit.ends == "elapsed" else longer > early


@settings(max_examples=150)
@given(world=worlds(), limit=LIMITS, data=st.data())
def test_the_working_adds_up(world: World, limit: Limit, data: st.DataObject) -> None:
    """What counted makes up the limit, lies one after the other, holds no pause, and ends at the deadline."""
    calendar, start = world.calendar, data.draw(st.integers(0, 5 * DAY))
    paused = placed(start, data.draw(st.lists(st.tuples(st.integers(-DAY, 4 * DAY), lengths), max_size=2)))
    stands, begin = as_pauses(world.begin, paused), world.begin + start * MINUTE
    found = explain(begin, limit, calendar, stands)
    assert found.due == due(begin, limit, calendar, stands).at
    assert found.due is not None
    if limit.unit == "working_day" and limit.ends == "elapsed":  # may end where a shift begins
        assert not elapsed(found.intervals[-1].until, found.due, calendar)
    else:
        assert found.intervals[-1].until == found.due
    spans = [(each.from_, each.until) for each in found.intervals]
    assert all(end <= begin for (_, end), (begin, _) in zip(spans, spans[1:], strict=False))
    counted = sum((each.counted for each in found.intervals), timedelta())
    if limit.days and limit.ends == "close":
        assert [each.number for each in found.intervals] == list(range(1, len(spans) + 1))
        assert len(spans) >= limit.number
    elif limit.working:
        assert counted == elapsed(begin, found.intervals[-1].until, calendar, stands)
        if not limit.days:
            assert counted == limit.number * timedelta(**{limit.unit.removeprefix("working_") + "s": 1})
    else:
        assert counted == limit.number * timedelta(**{f"{limit.unit}s": 1})
    if not limit.days:
        assert all(each.until - each.from_ == each.counted for each in found.intervals)


def test_times_of_any_zone_are_understood() -> None:
    start = at("2026-11-23 10:00")
    assert due(start.astimezone(UTC), limit_of("1 working hour"), OFFICE) == due(
        start, limit_of("1 working hour"), OFFICE
    )
