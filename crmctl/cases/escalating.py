"""How far a running clock is to be escalated at a moment. Pure, and the same however often it is asked (REQ-05)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from crmctl.cases.clockwork import Clock
from crmctl.cases.terms import LevelTerms
from crmctl.worktime.calendars import Calendar
from crmctl.worktime.deadlines import due, remaining
from crmctl.worktime.limits import Limit, limit_of


def reached(clock: Clock, levels: Sequence[LevelTerms], at: datetime, calendar: Calendar) -> int:
    """Return how many of the levels, in their order, a clock has reached by `at`: never fewer than before.

    A level that is for other stages counts as reached with the one after it.
    """
    found = clock.level
    for place, level in enumerate(levels[clock.level :], start=clock.level + 1):
        if concerns(level, clock) and is_reached(clock, level, at, calendar):
            found = place
    return found


def concerns(level: LevelTerms, clock: Clock) -> bool:
    """Say whether a level is for a clock's stage."""
    return not level.stages or clock.stage in level.stages


def is_reached(clock: Clock, level: LevelTerms, at: datetime, calendar: Calendar) -> bool:
    """Say whether the moment of a level has come for a clock that runs and has a limit."""
    if clock.due_at is None or not clock.running:
        return False
    if level.moment == "before":
        return at >= clock.due_at or _left(at, clock.due_at, limit_of(level.by), calendar)
    if level.moment == "at_end":
        return at > clock.due_at
    ends = due(clock.due_at, limit_of(level.by), calendar).at
    return ends is not None and at > ends


def _left(at: datetime, until: datetime, limit: Limit, calendar: Calendar) -> bool:
    amount = timedelta(hours=limit.number) if limit.unit.endswith("hour") else timedelta(minutes=limit.number)
    left = remaining(at, until, calendar) if limit.working else until - at
    return left <= amount
