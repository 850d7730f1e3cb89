"""The clocks of a case: any order of events, any terms, against a second telling stage by stage (T2, REQ-09)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmctl.cases.clockwork import Clock, Happened, after, extended, recomputed, replay
from crmctl.cases.policy import PROMISED
from crmctl.cases.terms import StageTerms, Terms
from crmctl.locate import shipped
from crmctl.policy import load
from crmctl.worktime.calendars import Calendar, calendar_for
from crmctl.worktime.deadlines import due
from crmctl.worktime.limits import limit_of
from crmctl.worktime.pauses import Pause

OFFICE = calendar_for(load(shipped("policies")), date(2026, 1, 1))
START = datetime(2026, 9, 21, 1, tzinfo=UTC)  # ten days before National Day
EVENTS = ("opened", "asked", "answered", "done", "undone", "closed")
LIMITS = ("", PROMISED, "2 hours", "30 working minutes", "5 working hours", "1 working day", "3 working days", "2 days")
KINDS = st.lists(st.sampled_from(EVENTS), max_size=3, unique=True).map(tuple)


def calendars(name: str) -> Calendar:
    assert name == ""
    return OFFICE


@st.composite
def stages(draw: st.DrawFn, code: str) -> StageTerms:
    """Return a stage that begins and ends with any events, even with the same one."""
    some = st.lists(st.sampled_from(EVENTS), min_size=1, max_size=3, unique=True).map(tuple)
    return StageTerms(
        code,
        draw(some),
        draw(some),
        draw(st.sampled_from(LIMITS)),
        draw(st.sampled_from(["close", "elapsed"])),
        told=draw(st.booleans()),
        pauses=draw(st.booleans()),
    )


@st.composite
def terms(draw: st.DrawFn) -> Terms:
    """Return the terms of a case."""
    names = ["one", "two", "three"][: draw(st.integers(1, 3))]
    return Terms(tuple(draw(stages(name)) for name in names), draw(KINDS), draw(KINDS))


@st.composite
def happenings(draw: st.DrawFn) -> list[Happened]:
    """Return what happened over a few weeks, in the order of time, some of it at the same second."""
    at, found = START, []
    for kind in draw(st.lists(st.sampled_from(EVENTS), max_size=14)):
        at += timedelta(minutes=draw(st.integers(0, 60) | st.integers(0, 6000)))
        promised = at + timedelta(hours=draw(st.integers(1, 200)))
        found.append(Happened(kind, at, draw(st.none() | st.just(promised))))
    return found


def due_of(stage: StageTerms, clock: Clock) -> datetime | None:
    return due(clock.started_at, limit_of(stage.within, stage.days_end), OFFICE, clock.pauses).at


def told(stage: StageTerms, found: Terms, events: Sequence[Happened]) -> list[tuple[object, ...]]:
    """Return (begin, end, due, pauses) of each clock of one stage, looked at apart from all others."""
    rows: list[tuple[object, ...]] = []
    at = 0
    while at < len(events):
        first = next((place for place in range(at, len(events)) if events[place].kind in stage.begins), None)
        if first is None:
            break
        last = next((place for place in range(first + 1, len(events)) if events[place].kind in stage.ends), None)
        stop = None if last is None else events[last].at
        rows.append((events[first].at, stop, *_ends(stage, found, events[first:last], stop)))
        if last is None:
            break
        at = last  # the event that ends one may begin the next
    return rows


def _ends(
    stage: StageTerms, found: Terms, events: Sequence[Happened], stop: datetime | None
) -> tuple[datetime | None, list[tuple[datetime, datetime | None]]]:
    """Return when the limit of a clock that began with the first of these ends, and when it stood still."""
    if stage.within == "":
        return None, []
    if stage.within == PROMISED:
        return events[0].promised, []
    start, pauses, waits = events[0].at, list[Pause](), False
    ends = due(start, limit_of(stage.within, stage.days_end), OFFICE).at
    for event in events:
        if event.kind in found.waits_from:
            if stage.pauses and not waits and ends is not None and event.at <= ends:
                pauses.append(Pause(event.at))
                waits, ends = True, None
        elif event.kind in found.waits_until and waits:
            pauses[-1] = Pause(pauses[-1].from_, event.at)
            waits = False
            ends = due(start, limit_of(stage.within, stage.days_end), OFFICE, pauses).at
    if waits and stop is not None:
        pauses[-1] = Pause(pauses[-1].from_, stop)
    return ends, [(pause.from_, pause.until) for pause in pauses]


@given(terms(), happenings())
def test_every_clock_is_what_its_stage_alone_would_say(found: Terms, events: list[Happened]) -> None:
    clocks = replay(events, found, calendars)
    for stage in found.stages:
        mine = [
            (each.started_at, each.stopped_at, each.due_at, [(pause.from_, pause.until) for pause in each.pauses])
            for each in clocks
            if each.stage == stage.code
        ]
        assert mine == told(stage, found, events)


@given(terms(), happenings())
def test_step_by_step_is_replay_and_nothing_over_changes(found: Terms, events: list[Happened]) -> None:
    clocks: tuple[Clock, ...] = ()
    for place, event in enumerate(events):
        before, clocks = clocks, after(clocks, event, found, calendars)
        assert clocks == replay(events[: place + 1], found, calendars)
        assert len(before) <= len(clocks)
        for was, now in zip(before, clocks, strict=False):
            assert was == now or was.running, "what stopped does not move any more"
            assert (was.stage, was.started_at, was.within) == (now.stage, now.started_at, now.within)
        running = [each.stage for each in clocks if each.running]
        assert len(running) == len(set(running)), "a stage that runs is not begun again"


@given(terms(), happenings(), st.integers(0, 100_000))
def test_who_stands_still_is_not_late(found: Terms, events: list[Happened], minutes: int) -> None:
    """A-04: while it is the customer's turn no time goes by."""
    at = START + timedelta(minutes=minutes)
    for clock in replay(events, found, calendars):
        if clock.paused:
            assert clock.running
            assert (clock.due_at, clock.late(at)) == (None, False)
        if clock.due_at is not None:
            assert clock.late(clock.due_at) == (clock.stopped_at is not None and clock.stopped_at > clock.due_at)
            assert replace(clock, stopped_at=None).late(clock.due_at + timedelta(seconds=1))


@given(terms(), happenings())
def test_worked_out_again_it_is_the_same(found: Terms, events: list[Happened]) -> None:
    for clock in replay(events, found, calendars):
        again = recomputed(clock, found, calendars)
        assert recomputed(again, found, calendars) == again
        if clock.due_at is not None or clock.paused:
            assert again == clock
        else:  # without a limit, or it ended while it stood still: then it was in time
            assert not again.late(clock.stopped_at or START)


@given(stages("one"), st.integers(0, 5000), st.sampled_from(["3 days", "40 days"]), st.integers(1, 4))
def test_extended_from_the_beginning_of_the_stage(stage: StageTerms, minutes: int, within: str, times: int) -> None:
    found = Terms((stage,))
    begun = after((), Happened(stage.begins[0], START + timedelta(minutes=minutes)), found, calendars)[0]
    longer = begun
    for _time in range(times):
        longer = extended(replace(longer, level=2), within, found, calendars)
    assert (longer.extended, longer.level, longer.started_at) == (times, 0, begun.started_at)
    assert longer.due_at == due(begun.started_at, limit_of(within, stage.days_end), OFFICE).at
    promised = START + timedelta(days=90)
    dated = extended(longer, PROMISED, found, calendars, promised)
    assert (dated.due_at, dated.extended) == (promised, times + 1)
    assert recomputed(dated, found, calendars) == dated, "what was promised does not move"


@pytest.mark.parametrize("within", [limit for limit in LIMITS if limit not in ("", PROMISED)])
@given(percent=st.integers(0, 100), waited=st.integers(1, 12_000))
def test_a_pause_only_gives_time(within: str, percent: int, waited: int) -> None:
    stage = StageTerms("one", ("opened",), ("closed",), within, pauses=True)
    found = Terms((stage,), ("asked",), ("answered",))
    without = after((), Happened("opened", START), found, calendars)[0].due_at
    assert without is not None
    asked = START + timedelta(seconds=(without - START).total_seconds() * percent // 100)
    events = [
        Happened("opened", START), Happened("asked", asked), Happened("answered", asked + timedelta(minutes=waited)),
    ]  # fmt: skip
    (clock,) = replay(events, found, calendars)
    assert clock.due_at is not None
    assert clock.due_at >= without
    assert clock.due_at == due_of(stage, clock)


def test_an_unknown_stage_is_left_alone() -> None:
    """Terms that lost a stage do not touch its clocks."""
    clock = Clock("gone", START, "1 hour", due_at=START + timedelta(hours=1))
    found = Terms((), ("asked",), ("answered",))
    assert after((clock,), Happened("asked", START), found, calendars) == (clock,)
    assert recomputed(clock, found, calendars) == clock
