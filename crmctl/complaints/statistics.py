"""`complaint statistics`: what a period's complaints come to (CMP-16 to CMP-18; K05, K15, K16, K28, K29, K30).

A period is days of the company, from the beginning of the first to the end of the last; its *end* is that, or the
moment it is asked as of where that comes first. All is said as at the end: what happened later is not looked at. Only
complaints the person may know of are counted. Times are those at which things happened, whenever they were entered.
Deadlines and classification are those of today, whatever the period: a limit that was extended since, or moved with the
calendar, is judged by the date it has now, and category, severity, cause, department and handler are the latest ones.

- opened: accepted in the period. closed, duplicates, reopened: so many closings, markings as a duplicate, reopenings in
  it. open_before, open: neither closed nor a duplicate just before it began, and at its end. So open = open_before +
  opened - closed - duplicates + reopened.
- A clock is *judged* when its stage has `timely: true` in the complaint's own terms and has a limit. It is *late* when
  it stopped after its deadline, or runs at the end and its deadline has passed: the second of the deadline is in time.
  A clock that stands still, or stopped while it did, is not late.
- Of the clocks that were kept, those are *entered late* that were so only because of what happened before the deadline
  and was entered after it. They count as kept; how many they are, and how many timely complaints have one, is told.
- **K05**, timely handling: judged are complaints that are closed at the end and were closed last in the period
  (duplicates are not: they are handled with the one they repeat), and those open at the end with a late clock. Timely
  is one of whose judged clocks, from its acceptance on, none is late. One without any judged clock says nothing; it is
  counted apart (`unlimited`). A complaint that stays open and late counts against every period it does so in.
- A stage's timeliness: its clocks with a limit that stopped in the period, or run late at the end; kept are those not
  late. Stages with `timely: false` (progress, analysis) are given too, and count in no other figure.
- **K28**, satisfaction: mean score of the revisits in the period, in per cent of the scale; those that gave none apart.
- **K29**, review: of the complaints closed as for K05, those with a review by the end, whatever it came to.
- **K15**, service complaints: opened, in a category with `service: true` of its policy. What they are to be divided by,
  the volume of service, is recorded nowhere yet: there is a count and no rate.
- **K16**, complaint rate: opened ÷ customers (neither cancelled nor unidentified) there are when it is asked.
- **K30**, prevention: of the pairs of category and cause that a root cause and an improvement were recorded for before
  the period began, the complaints opened in the period of equal length just before it, and how many fewer in this one.
  Complaints that are not verified yet have no cause and are in no pair: how many there are of either period is told
  (`cause_unknown`; duplicates, which nobody verifies, apart), and while there are any of this one there is no value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, exists, func, or_, select

from crmctl import clock as times
from crmctl.cases import terms as case_terms
from crmctl.cases.terms import StageTerms
from crmctl.complaints import scope, tables
from crmctl.complaints.filtering import day_bounds
from crmctl.complaints.tallying import TURNS, Facts, Limit, Period, Tally, add
from crmctl.customers import scope as customers
from crmctl.customers.model import NO_CUSTOMER
from crmctl.customers.tables import customer
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.satisfaction.tables import satisfaction
from crmctl.store import bulk, engine

BY = ("category", "cause", "department", "severity", "channel", "handler", "month")
CHUNK = 2000  # complaints whose rows are in memory at a time
_FACTS = (
    "customer_id", "complaint_id", "category", "cause", "department", "severity", "channel", "handler_id", "policy",
    "accepted_at", "terms",
)  # fmt: skip
_CLOCK = ("customer_id", "complaint_id", "stage", "within", "due_at", "started_at", "stopped_at")
_EVENT = ("customer_id", "complaint_id", "event_id", "kind", "at", "created_at")
_ANSWER = ("customer_id", "related_id", "source", "related", "scale", "score", "answered_at")
Place = tuple[int, int]


class Prevented(NamedTuple):
    """Kinds of complaint with an improvement; complaints before and now: of these kinds, without a cause yet."""

    kinds: int = 0
    before: int = 0
    now: int = 0
    unknown_before: int = 0
    unknown: int = 0


@dataclass(frozen=True)
class Statistics:
    """A period's figures: of all, by key or month in their order, what K16 and K30 need besides."""

    period: Period
    total: Tally
    groups: Sequence[tuple[Any, Tally]]
    customers: int
    prevented: Prevented


def statistics(run: Run, first: date, last: date, by: str = "") -> Statistics:
    """Return the figures of the days from first to last, in groups by one of `BY` where that is asked."""
    period = period_of(run, first, last)
    months = {f"{each.first:%Y-%m}": each for each in months_of(run, period)} if by == "month" else {}
    total, groups = Tally(), {name: Tally() for name in months}
    with engine.read(run.engine) as conn:
        service = _service(run)
        for facts in _facts(conn, run, period, service):
            add(total, facts, period)
            if months:
                for name, month in months.items():
                    add(groups[name], facts, month)
            elif by:
                add(groups.setdefault(facts.keys[by], Tally()), facts, period)
        people = _customers(conn, run)
        prevented = _prevented(conn, run, period)
    ordered = sorted(groups.items()) if months else sorted(groups.items(), key=_most_first)
    return Statistics(period, total, [each for each in ordered if months or +each[1].counts], people, prevented)


def period_of(run: Run, first: date, last: date) -> Period:
    """Return the period of these days, as far as it has gone by the moment the run decides for."""
    start, end = day_bounds(first, run.zone)[0], day_bounds(last, run.zone)[1] - timedelta(seconds=1)
    return Period(first, last, times.stamp(start), times.stamp(min(end, run.as_of)))


def months_of(run: Run, period: Period) -> Iterator[Period]:
    """Yield the months of a period that have begun, the first and the last as far as they lie in it."""
    first = period.first
    while first <= period.last:
        following = (first.replace(day=1) + timedelta(32)).replace(day=1)
        month = period_of(run, first, min(following - timedelta(1), period.last))
        if month.start <= period.end:
            yield month
        first = following


def _most_first(group: tuple[Any, Tally]) -> tuple[int, bool, Any]:
    key, tally = group
    return -tally.counts["opened"], key is None, key or 0


def _service(run: Run) -> frozenset[tuple[str, str]]:
    """Return the categories that count as service complaints, each with its policy."""
    return frozenset(
        (policy.name, category.code)
        for policy in run.policies.of_kind("complaints")
        for category in policy.settings.categories  # type: ignore[attr-defined]
        if category.service
    )


def _facts(conn: Connection, run: Run, period: Period, service: frozenset[tuple[str, str]]) -> Iterator[Facts]:
    """Yield the complaints that were open in a period, or a clock of whose ran: analysis goes on once one is closed.

    A chunk of them is in memory at a time.
    """
    columns, clock = tables.complaint.c, tables.complaint_clock.c
    began, ended = times.parse_stamp(period.start), times.parse_stamp(period.end)
    same = and_(clock.customer_id == columns.customer_id, clock.complaint_id == columns.complaint_id)
    ran = exists().where(same, or_(clock.stopped_at.is_(None), clock.stopped_at >= began))
    there = or_(columns.closed_at.is_(None), columns.closed_at >= began, ran)
    query = select(columns.customer_id, columns.complaint_id).where(
        columns.accepted_at <= ended, there, *scope.in_scope(run)
    )
    places = [(int(row[0]), int(row[1])) for row in conn.execute(query)]
    for at in range(0, len(places), CHUNK):
        yield from _chunk(conn, places[at : at + CHUNK], service)


def _chunk(conn: Connection, places: list[Place], service: frozenset[tuple[str, str]]) -> Iterator[Facts]:
    pair = ("customer_id", "complaint_id")
    clocks = _by_place(bulk.fetch_pairs(conn, tables.complaint_clock, pair, places, _CLOCK))
    events = _by_place(bulk.fetch_pairs(conn, tables.complaint_event, pair, places, _EVENT))
    whose = sorted({customer_id for customer_id, _own in places})
    answers = _by_place(bulk.fetch_by_keys(conn, satisfaction, "customer_id", whose, _ANSWER))
    for row in bulk.fetch_pairs(conn, tables.complaint, pair, places, _FACTS):
        place = (row[0], row[1])
        values = dict(zip(_FACTS[2:], row[2:], strict=True))
        stages = _stages(values.pop("terms"))
        happened = [each[2:] for each in sorted(events.get(place, ()))]
        yield Facts(
            {**values, "handler": values["handler_id"]},
            (values["policy"], values["category"]) in service,
            values["accepted_at"],
            tuple(
                _limit(stages.get(stage), happened, stage, (due, started, stopped))
                for _c, _o, stage, within, due, started, stopped in clocks.get(place, ())
                if within
            ),
            tuple((kind, at) for _event, kind, at, _entered in happened if kind in TURNS),
            next((at for _event, kind, at, _entered in happened if kind == "reviewed"), None),
            tuple(
                (scale, score, at)
                for _c, _o, source, related, scale, score, at in answers.get(place, ())
                if (source, related) == ("revisit", "complaint")
            ),
        )


def _by_place(rows: Iterable[tuple[Any, ...]]) -> dict[Place, list[tuple[Any, ...]]]:
    found: dict[Place, list[tuple[Any, ...]]] = {}
    for row in rows:
        found.setdefault((row[0], row[1]), []).append(row)
    return found


@lru_cache(maxsize=512)
def _stages(text: str) -> Mapping[str, StageTerms]:
    """Return the stages of a complaint's own terms by code."""
    return {stage.code: stage for stage in case_terms.loads(text).stages}


def _limit(
    own: StageTerms | None, happened: Iterable[tuple[Any, ...]], stage: str, clock: tuple[str | None, str, str | None]
) -> Limit:  # fmt: skip
    """Return a clock (due, started, stopped) with when that was entered which stopped it.

    `own` is its stage; None where the terms have it no more, as when the complaint was classified anew.
    """
    if own is None:
        return Limit(stage, False, *clock)
    ends = (entered for _event, kind, at, entered in happened if at == clock[2] and kind in own.ends)
    return Limit(stage, own.timely, *clock, next(ends, None))


def _customers(conn: Connection, run: Run) -> int:
    columns = customer.c
    query = select(func.count()).where(columns.status.not_in(NO_CUSTOMER), *customers.in_scope(run))
    return int(conn.execute(query.select_from(customer)).scalar_one())


def _prevented(conn: Connection, run: Run, period: Period) -> Prevented:
    """Return what K30 compares."""
    columns, event = tables.complaint.c, tables.complaint_event.c
    began, ended = times.parse_stamp(period.start), times.parse_stamp(period.end)
    kind = (columns.category, columns.cause)
    same = and_(event.customer_id == columns.customer_id, event.complaint_id == columns.complaint_id)
    analysed = exists().where(same, event.kind == "analysed", event.at < began)
    known, unknown = columns.cause.is_not(None), and_(columns.cause.is_(None), columns.status != "duplicate")
    improved_query = select(*kind).where(known, analysed, *scope.in_scope(run)).distinct()
    improved = {(row[0], row[1]) for row in conn.execute(improved_query)}

    def opened(start: datetime, end: datetime) -> tuple[int, int]:
        within = (columns.accepted_at >= start, columns.accepted_at <= end, *scope.in_scope(run))
        query = select(*kind, func.count()).where(or_(known, unknown), *within).group_by(*kind)
        found = [((row[0], row[1]), int(row[2])) for row in conn.execute(query)]
        return (
            sum(number for pair, number in found if pair in improved),
            sum(number for pair, number in found if pair[1] is None),
        )

    length = ended - began + timedelta(seconds=1)
    before, unknown_before = opened(began - length, began - timedelta(seconds=1))
    now, unknown_now = opened(began, ended)
    return Prevented(len(improved), before, now, unknown_before, unknown_now)


def default_period(run: Run) -> tuple[date, date]:
    """Return the days of this month so far."""
    today = runs.today(run.policies, run.as_of)
    return today.replace(day=1), today
