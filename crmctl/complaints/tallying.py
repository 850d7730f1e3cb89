"""What one complaint adds to the figures of a period, as `statistics` defines them: pure.

Times are stamps, so that later is greater.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

TURNS = {"closed": "closed", "duplicated": "duplicates", "reopened": "reopened"}


@dataclass(frozen=True)
class Period:
    """Days of the company from `first` to `last`; `start` and `end` as stamps, both within it."""

    first: date
    last: date
    start: str
    end: str

    def holds(self, at: str | None) -> bool:
        """Say whether something happened in it."""
        return at is not None and self.start <= at <= self.end


@dataclass(frozen=True, slots=True)
class Limit:
    """A clock as far as figures go: times as stamps, `due` None where it stands still; `timely`: its stage counts.

    `entered` is when what stopped it was entered, which is after it happened where that was told afterwards.
    """

    stage: str
    timely: bool
    due: str | None
    started: str
    stopped: str | None
    entered: str | None = None

    def ended(self, end: str) -> str | None:
        """Return when it stopped, as known at the end of a period."""
        return self.stopped if self.stopped is not None and self.stopped <= end else None

    def late(self, end: str) -> bool:
        """Say whether its limit was over when it stopped, or is at the end of a period."""
        return self.due is not None and (self.ended(end) or end) > self.due

    def entered_late(self, end: str) -> bool:
        """Say whether it was kept only by what was entered once its limit was over."""
        if self.due is None or self.entered is None or self.ended(end) is None:
            return False
        return not self.late(end) and self.entered > self.due


@dataclass(frozen=True, slots=True)
class Facts:
    """What figures need to know of one complaint. Times are stamps, `turns` closings and reopenings in their order."""

    keys: dict[str, Any]
    service: bool
    accepted: str
    limits: tuple[Limit, ...]
    turns: tuple[tuple[str, str], ...]
    reviewed: str | None
    answers: tuple[tuple[int, int | None, str], ...]


@dataclass
class Tally:
    """Counts of a period, or of those complaints of it that have one key."""

    counts: Counter[str] = field(default_factory=Counter)
    stages: dict[str, Counter[str]] = field(default_factory=dict)
    scores: Counter[int] = field(default_factory=Counter)  # sum of scores by scale
    answers: Counter[int] = field(default_factory=Counter)  # answers with a score by scale
    categories: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)


def add(tally: Tally, facts: Facts, period: Period) -> None:
    """Add one complaint to the counts of a period."""
    if facts.accepted > period.end:
        return
    counts = tally.counts
    if period.holds(facts.accepted):
        counts["opened"] += 1
        counts["service"] += facts.service
        tally.categories[facts.keys["category"]] += 1
        if facts.keys["cause"] is not None:
            tally.causes[facts.keys["cause"]] += 1
    counts["open_before"] += facts.accepted < period.start and _open(facts, lambda at: at < period.start)
    for kind, at in facts.turns:
        if period.holds(at):
            counts[TURNS[kind]] += 1
    open_ = _open(facts, lambda at: at <= period.end)
    counts["open"] += open_
    _add_handling(tally, facts, period, open_=open_)
    _add_stages(tally, facts, period)
    for scale, score, at in facts.answers:
        if period.holds(at):
            counts["unanswered"] += score is None
            if score is not None:
                tally.scores[scale] += score
                tally.answers[scale] += 1


def _open(facts: Facts, until: Callable[[str], bool]) -> bool:
    past = [kind for kind, at in facts.turns if until(at)]
    return not past or past[-1] == "reopened"


def _add_handling(tally: Tally, facts: Facts, period: Period, *, open_: bool) -> None:
    """Add to K05 and K29, as the module says."""
    judged = [limit for limit in facts.limits if limit.timely and limit.started <= period.end]
    late = any(limit.late(period.end) for limit in judged)
    past = [turn for turn in facts.turns if turn[1] <= period.end]
    handled = not open_ and past[-1][0] == "closed" and period.holds(past[-1][1])
    if handled:
        tally.counts["handled"] += 1
        tally.counts["reviewed"] += facts.reviewed is not None and facts.reviewed <= period.end
    if not (handled or (open_ and late)):
        return
    if not judged:
        tally.counts["unlimited"] += 1
        return
    tally.counts["judged"] += 1
    tally.counts["timely"] += not late
    tally.counts["entered_late"] += not late and any(limit.entered_late(period.end) for limit in judged)


def _add_stages(tally: Tally, facts: Facts, period: Period) -> None:
    for limit in facts.limits:
        if limit.started > period.end:
            continue
        stopped, late = limit.ended(period.end), limit.late(period.end)
        if period.holds(stopped) or (stopped is None and late):
            counts = tally.stages.setdefault(limit.stage, Counter())
            counts["judged"] += 1
            counts["kept"] += not late
            counts["entered_late"] += limit.entered_late(period.end)
