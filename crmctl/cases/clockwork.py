"""The clocks of a case: which stop, start, stand still and go on when something happens. Pure.

What happened is told in the order of time. Replaying a case's events through `after` yields its clocks again, to the
second, wherever the same calendar is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from crmctl.cases.policy import PROMISED
from crmctl.cases.terms import StageTerms, Terms
from crmctl.worktime.calendars import Calendar
from crmctl.worktime.deadlines import due
from crmctl.worktime.limits import Limit, limit_of
from crmctl.worktime.pauses import Pause

CalendarOf = Callable[[str], Calendar]  # by name; "" is that of the case's org unit


@dataclass(frozen=True, slots=True)
class Happened:
    """Something that happened to a case: its kind, when, and the date that was promised with it."""

    kind: str
    at: datetime
    promised: datetime | None = None


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock of one stage. `due_at` is None without a limit and while it stands still; `clock_id` 0 is a new one's."""

    stage: str
    started_at: datetime
    within: str = ""
    calendar: str = ""
    due_at: datetime | None = None
    provisional: bool = False
    told: bool = False
    pauses: tuple[Pause, ...] = ()
    extended: int = 0
    level: int = 0
    stopped_at: datetime | None = None
    clock_id: int = 0

    @property
    def running(self) -> bool:
        """Whether it has not stopped."""
        return self.stopped_at is None

    @property
    def paused(self) -> bool:
        """Whether it stands still."""
        return bool(self.pauses) and self.pauses[-1].until is None

    def late(self, at: datetime) -> bool:
        """Say whether the limit was over when the stage ended, or is by `at`. The due second itself is in time."""
        return self.due_at is not None and (self.stopped_at or at) > self.due_at


def after(clocks: Iterable[Clock], happened: Happened, terms: Terms, calendars: CalendarOf) -> tuple[Clock, ...]:
    """Return the clocks of a case once something happened.

    First those stop that end with it, then those begin that it begins: a stage that is still running is not begun
    again. Waiting for the customer begins and ends last.
    """
    found = [_stopped(clock, happened, terms) for clock in clocks]
    running = {clock.stage for clock in found if clock.running}
    found += [
        _begun(stage, happened, calendars)
        for stage in terms.stages
        if happened.kind in stage.begins and stage.code not in running
    ]
    if happened.kind in terms.waits_from:
        found = [_paused(clock, happened.at, terms) for clock in found]
    elif happened.kind in terms.waits_until:
        found = [_resumed(clock, happened.at, terms, calendars) for clock in found]
    return tuple(found)


def replay(events: Iterable[Happened], terms: Terms, calendars: CalendarOf) -> tuple[Clock, ...]:
    """Return the clocks that a case's events make, from none."""
    clocks: tuple[Clock, ...] = ()
    for event in events:
        clocks = after(clocks, event, terms, calendars)
    return clocks


def extended(clock: Clock, within: str, terms: Terms, calendars: CalendarOf, promised: datetime | None = None) -> Clock:
    """Return a running clock with a new limit, from the stage's own beginning; `promised` where that is a date."""
    longer = replace(clock, within=within, extended=clock.extended + 1, level=0)
    if within == PROMISED:
        return replace(longer, due_at=promised, provisional=False)
    return recomputed(longer, terms, calendars)


def recomputed(clock: Clock, terms: Terms, calendars: CalendarOf) -> Clock:
    """Return a clock as the calendars of today have it; a date that was promised stays as it is."""
    stage = terms.stage(clock.stage)
    if stage is None or clock.within in ("", PROMISED):
        return clock
    calendar = calendars(stage.calendar)
    found = due(clock.started_at, limit_text(clock.within, stage), calendar, clock.pauses)
    return replace(clock, due_at=found.at, provisional=found.provisional, calendar=key_of(calendar, clock.within))


def limit_text(within: str, stage: StageTerms) -> Limit:
    """Return the limit that a clock's text means in its stage."""
    return limit_of(within, stage.days_end)


def key_of(calendar: Calendar, within: str) -> str:
    """Return what is noted of the calendar a limit runs by; empty for one that asks the clock on the wall alone."""
    limit = limit_of(within)
    return calendar.key if limit.working else ""


def _stopped(clock: Clock, happened: Happened, terms: Terms) -> Clock:
    stage = terms.stage(clock.stage)
    if not clock.running or stage is None or happened.kind not in stage.ends:
        return clock
    if clock.paused:  # it ends while it stands still: not late
        pauses = (*clock.pauses[:-1], replace(clock.pauses[-1], until=happened.at))
        return replace(clock, pauses=pauses, stopped_at=happened.at)
    return replace(clock, stopped_at=happened.at)


def _begun(stage: StageTerms, happened: Happened, calendars: CalendarOf) -> Clock:
    clock = Clock(stage.code, happened.at, stage.within, told=stage.told)
    if stage.within == "":
        return clock
    if stage.within == PROMISED:
        return replace(clock, due_at=happened.promised)
    calendar = calendars(stage.calendar)
    found = due(happened.at, limit_text(stage.within, stage), calendar)
    return replace(clock, due_at=found.at, provisional=found.provisional, calendar=key_of(calendar, stage.within))


def _paused(clock: Clock, at: datetime, terms: Terms) -> Clock:
    stage = terms.stage(clock.stage)
    if not clock.running or clock.paused or stage is None or not stage.pauses or clock.within in ("", PROMISED):
        return clock
    if clock.late(at):  # what is late already is not made to wait
        return clock
    return replace(clock, pauses=(*clock.pauses, Pause(at, None)), due_at=None)


def _resumed(clock: Clock, at: datetime, terms: Terms, calendars: CalendarOf) -> Clock:
    if not clock.running or not clock.paused:
        return clock
    pauses: Sequence[Pause] = (*clock.pauses[:-1], replace(clock.pauses[-1], until=at))
    return recomputed(replace(clock, pauses=tuple(pauses)), terms, calendars)
