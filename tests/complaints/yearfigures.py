"""The figures of a period in plain Python, from raw events and the clocks that the minute counter makes of them.

What each means is said in crmctl.complaints.statistics; nothing of the program is used.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from minutes import DAY, HERE, Clock

Row = Mapping[str, Any]
TURNS = {"closed": "closed", "duplicated": "duplicates", "reopened": "reopened"}


@dataclass(frozen=True)
class Told:
    """A complaint as far as figures go: its row, raw events, clocks."""

    row: Row
    events: list[Row]
    clocks: list[Clock]
    timely: frozenset[str]  # stages that count, by its terms

    def standing(self, until: datetime, *, before: bool = False) -> str:
        """Return "", "closed" or "duplicated" after what happened until a moment, or before it."""
        found = ""
        for event in self.events:
            past = event["at"] < until if before else event["at"] <= until
            if past and event["kind"] in TURNS:
                found = "" if event["kind"] == "reopened" else event["kind"]
        return found

    def happened(self, kind: str, start: datetime, end: datetime) -> list[Row]:
        """Return what of a kind happened from start to end."""
        return [event for event in self.events if event["kind"] == kind and start <= event["at"] <= end]


def late(clock: Clock, end: datetime) -> bool:
    """Whether a clock was late by a moment."""
    if clock.due_at is None:
        return False
    until = end if clock.stopped_at is None or clock.stopped_at > end else clock.stopped_at
    return until > clock.due_at


def bounds(first: date, last: date, as_of: datetime) -> tuple[datetime, datetime]:
    """Return begin and end of a period of whole days, as far as it has gone."""
    start = datetime(first.year, first.month, first.day, tzinfo=HERE)
    end = datetime(last.year, last.month, last.day, tzinfo=HERE) + DAY - timedelta(seconds=1)
    return start, min(end, as_of)


def figures(told: Iterable[Told], first: date, last: date, as_of: datetime, service: Iterable[tuple[str, str]]) -> Row:
    """Return counts, stages (kept, judged), and numerator and denominator of each figure."""
    start, end = bounds(first, last, as_of)
    counts: Counter[str] = Counter()
    stages: dict[str, list[int]] = {}
    scores: list[float] = []
    known = [each for each in told if each.row["accepted_at"] <= end]
    of_service = set(service)
    for each in known:
        opened = each.row["accepted_at"] >= start
        counts["opened"] += opened
        counts["service"] += opened and (each.row["policy"], each.row["category"]) in of_service
        counts["open_before"] += not opened and not each.standing(start, before=True)
        counts["open"] += not each.standing(end)
        for kind, name in TURNS.items():
            counts[name] += len(each.happened(kind, start, end))
        counts.update(_handled(each, start, end))
        for stage, kept in _stages(each, start, end):
            found = stages.setdefault(stage, [0, 0])
            found[0] += kept
            found[1] += 1
        for event in each.happened("revisited", start, end):
            data = json.loads(event["data"])
            counts["unanswered"] += data["score"] is None
            if data["score"] is not None:
                scores.append(100 * data["score"] / data["scale"])
    before, now = _prevented(known, start, end, (last - first + DAY))
    return {
        "counts": {
            name: counts[name] for name in ("open_before", "opened", "closed", "duplicates", "reopened", "open")
        },
        "stages": {stage: tuple(of_stage) for stage, of_stage in stages.items()},
        "K05": (counts["timely"], counts["judged"]),
        "unlimited": counts["unlimited"],
        "K28": (round(sum(scores), 4), len(scores)),
        "unanswered": counts["unanswered"],
        "K29": (counts["reviewed"], counts["handled"]),
        "K30": (before - now, before),
        "K15": (counts["service"], None),
    }


def _handled(each: Told, start: datetime, end: datetime) -> Iterator[str]:
    """Yield what a complaint counts as in K05 and K29."""
    state = each.standing(end)
    judged = [clock for clock in each.clocks if clock.stage in each.timely and clock.within and clock.started_at <= end]
    any_late = any(late(clock, end) for clock in judged)
    if state == "closed":
        last = max(event["at"] for event in each.events if event["kind"] == "closed" and event["at"] <= end)
        if last < start:
            return
        yield "handled"
        if any(event["kind"] == "reviewed" and event["at"] <= end for event in each.events):
            yield "reviewed"
    elif state == "duplicated" or not any_late:
        return
    yield "judged" if judged else "unlimited"
    if judged and not any_late:
        yield "timely"


def _stages(each: Told, start: datetime, end: datetime) -> Iterator[tuple[str, bool]]:
    """Yield a stage for each of its clocks that counts, and whether the limit was kept."""
    for clock in each.clocks:
        if not clock.within or clock.started_at > end:
            continue
        stopped = clock.stopped_at is not None and clock.stopped_at <= end
        if stopped and clock.stopped_at is not None and clock.stopped_at >= start:
            yield clock.stage, not late(clock, end)
        elif not stopped and late(clock, end):
            yield clock.stage, False


def _prevented(known: Iterable[Told], start: datetime, end: datetime, length: timedelta) -> tuple[int, int]:
    """Return how many like complaints there were in the period before, and in this one."""
    told = list(known)
    improved = {
        (each.row["category"], each.row["cause"])
        for each in told
        if each.row["cause"] and any(event["kind"] == "analysed" and event["at"] < start for event in each.events)
    }
    like = [each.row["accepted_at"] for each in told if (each.row["category"], each.row["cause"]) in improved]
    return sum(start - length <= at < start for at in like), sum(start <= at <= end for at in like)
