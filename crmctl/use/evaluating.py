"""Evaluation of use (USE-03, 003 §3.三 3.2): does it match the business need, does it intrude on privacy.

The figures are counted; the judgement is a person's, recorded with what it rests on. It is due `evaluated_every` months
after the last one, or after the first use there ever was.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, case, func, insert, select

from crmctl import clock
from crmctl.audit import entries
from crmctl.audit.listing import parse_moment
from crmctl.errors import InvalidInput
from crmctl.i18n import _
from crmctl.runs import run as runs
from crmctl.runs.run import Run, company_zone
from crmctl.store import counters, engine
from crmctl.use import purposes, sealed
from crmctl.use.tables import copy_register, use_evaluation, use_record, use_request

if TYPE_CHECKING:
    from crmctl.policy import PolicySet


@dataclass(frozen=True)
class Period:
    """From when until when (exclusive); None is open."""

    since: datetime | None
    until: datetime | None

    def holds(self, column: ColumnElement[Any]) -> list[ColumnElement[bool]]:
        """Return the conditions that a time lies in it."""
        found = [] if self.since is None else [column >= self.since]
        return found if self.until is None else [*found, column < self.until]


@dataclass(frozen=True)
class Evaluation:
    """One evaluation as it was recorded."""

    evaluation_id: int
    person: str
    since: datetime | None
    until: datetime
    need: str
    privacy: str
    evaluated_at: datetime


@dataclass(frozen=True)
class Figures:
    """What there is to judge: uses by purpose, person and act with how many lack a result; files and requests."""

    uses: Sequence[tuple[str, str, str, int, int, int]]
    requests_unused: int
    copies_overdue: int

    @property
    def without_result(self) -> int:
        """Uses of which nobody said what came."""
        return sum(row[-1] for row in self.uses)


@dataclass(frozen=True)
class Standing:
    """The last evaluation, the day the next one is due (None: never used, or undecided), whether that has passed."""

    last: Evaluation | None
    due_on: date | None
    overdue: bool


def period_of(run: Run, since: str, until: str, last: Evaluation | None) -> Period:
    """Return the period that options name; what the last evaluation covered is left out unless it is named.

    Raises InvalidInput for what is no time.
    """
    begin = parse_moment(since, run.zone) if since else last.until if last else None
    end = parse_moment(until, run.zone, end=True) if until else None
    if begin is not None and end is not None and end <= begin:
        raise InvalidInput(
            _("--to {until}: is before the period begins").format(until=until),
            hint=_("what was evaluated already is named with --from"),
            code="PERIOD_INVALID",
        )
    return Period(begin, end)


def figures(conn: Connection, period: Period, day: str) -> Figures:
    """Count the uses and requests of a period, and the copies overdue on a day."""
    columns, requests = use_record.c, use_request.c
    group = (columns.purpose, columns.person, columns.act)
    open_ = func.sum(case((columns.result.is_(None), 1), else_=0))
    query = (
        select(*group, func.count(), func.sum(columns.rows), open_)
        .where(*period.holds(columns.used_at))
        .group_by(*group)
        .order_by(*group)
    )
    uses = [(row[0], row[1], row[2], int(row[3]), int(row[4]), int(row[5])) for row in conn.execute(query)]
    unused = select(func.count()).where(requests.state == "open", *period.holds(requests.created_at))
    return Figures(uses, conn.execute(unused).scalar_one(), overdue_copies(conn, day))


def overdue_copies(conn: Connection, day: str) -> int:
    """Return how many files should have been destroyed by a day and are not said to be."""
    columns = copy_register.c
    query = select(func.count()).where(columns.disposed_at.is_(None), columns.due_on <= day)
    return int(conn.execute(query).scalar_one())


def standing(conn: Connection, policies: PolicySet, at: datetime) -> Standing:
    """Return whether use has to be evaluated by a moment."""
    last, months = newest(conn), purposes.evaluated_every(policies)
    begun = last.evaluated_at if last else conn.execute(select(func.min(use_record.c.used_at))).scalar_one()
    if months is None or begun is None:
        return Standing(last, None, False)
    zone = ZoneInfo(company_zone(policies))
    due = _months_after(begun.astimezone(zone).date(), months)
    return Standing(last, due, at.astimezone(zone).date() > due)


def _months_after(day: date, months: int) -> date:
    """Return the same day some months later, the last of that month where there is no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def newest(conn: Connection) -> Evaluation | None:
    """Return the last evaluation."""
    query = select(use_evaluation).order_by(use_evaluation.c.evaluation_id.desc()).limit(1)
    row = conn.execute(query).mappings().first()
    return Evaluation(**{name: row[name] for name in Evaluation.__dataclass_fields__}) if row else None


def record(run: Run, period: Period, judged: tuple[str, str], note: str) -> tuple[Run, int, Figures]:
    """Record that somebody evaluated the use of a period.

    `judged` is need (met, exceeded) and privacy (kept, intruded); `note` says it in words, and is kept sealed.
    Returns the run, the number of the evaluation, and the figures it rests on, which are in its entry.
    """
    run = runs.begin(run)
    assert run.run_id is not None
    with runs.recorded_failure(run):
        number = counters.take(run.engine, "use_evaluation", 1)
        envelope, digest = sealed.seal(run, sealed.key_of(run, run.run_id), sealed.EVALUATION, {"note": note}, number)
        with engine.write(run.engine) as conn:
            at = clock.now()
            until = min(period.until or at, at)
            found = figures(conn, Period(period.since, until), runs.today(run.policies, at).isoformat())
            values = {
                "evaluation_id": number, "person": run.actor.person, "since": period.since, "until": until,
                "need": judged[0], "privacy": judged[1], "run_id": run.run_id, "evaluated_at": at,
                "sealed": envelope, "sealed_hash": digest,
            }  # fmt: skip
            conn.execute(insert(use_evaluation).values(**values))
            counts = counts_of(found)
            runs.finish(conn, run, "done", 0, counts)
            codes = [f"NEED_{judged[0].upper()}", f"PRIVACY_{judged[1].upper()}"]
            body = run.entry("done", at=at, obj=f"evaluation:{number}", n=counts["uses"], codes=codes, counts=counts)
            entries.append(conn, body)
    return run, number, found


def counts_of(found: Figures) -> dict[str, int]:
    """Return the sums of figures."""
    return {
        "uses": sum(row[3] for row in found.uses),
        "without_result": found.without_result,
        "requests_unused": found.requests_unused,
        "copies_overdue": found.copies_overdue,
    }
