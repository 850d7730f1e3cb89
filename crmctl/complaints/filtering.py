"""Which complaints a list is about, as conditions on their tables: openness, deadlines, people, classification.

With `--as-of` limits and openness are those of that moment, all else is as it is on record now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, Select, Subquery, and_, case, false, func, or_, select

from crmctl import clock as times
from crmctl import staff
from crmctl.cases.policy import CaseSettings
from crmctl.complaints import scope, tables
from crmctl.complaints.decide import CLOSED
from crmctl.customers.tables import customer
from crmctl.policy.policyset import PolicySet
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.staff import Directory


@dataclass(frozen=True)
class Filters:
    """Which complaints; what is empty is not asked. `mine` are staff ids of the person; `state` open, closed or all."""

    state: str = "open"
    mine: tuple[int, ...] | None = None
    due: date | None = None
    overdue: bool = False
    waiting: bool = False
    no_progress: bool = False
    unhandled: bool = False
    handler: int | None = None
    owner: int | None = None
    department: str = ""
    stage: str = ""
    status: str = ""
    category: str = ""
    severity: str = ""
    customer: int | None = None


@dataclass(frozen=True)
class Ground:
    """What every question of one command is asked on: the moment, the people, and what narrows the tables."""

    run: Run
    at: datetime
    people: Directory
    filters: Filters
    progress: tuple[str, ...]

    @property
    def past(self) -> bool:
        """Whether it looks back."""
        return self.run.as_of != self.run.at

    @cached_property
    def in_post(self) -> tuple[int, ...]:
        """Staff ids of who is in post on that day."""
        return tuple(person.staff_id for person in self.people.of(runs.today(self.run.policies, self.at)))

    @property
    def tomorrow(self) -> datetime:
        """The end of the company's day, exclusive."""
        return day_bounds(runs.today(self.run.policies, self.at), self.run.zone)[1]


def ground_of(conn: Connection, run: Run, filters: Filters) -> Ground:
    """Return what to ask on; the moment to the second, as deadlines are."""
    at = times.parse_stamp(times.stamp(run.as_of))
    return Ground(run, at, staff.directory(conn), filters, progress_stages(run.policies))


def first_ends(ground: Ground) -> Subquery:
    """Return for each complaint the first end of those running limits that the list is about."""
    columns_ = tables.complaint_clock.c
    query = select(columns_.customer_id, columns_.complaint_id, func.min(columns_.due_at).label("ends"))
    return (
        query.where(running(ground), *_about(ground)).group_by(columns_.customer_id, columns_.complaint_id).subquery()
    )


def joined(ground: Ground, first: Subquery, wanted: Sequence[ColumnElement[Any]]) -> Select[tuple[Any, ...]]:
    """Return the query for `wanted` columns of the complaints that fit, each with its first end."""
    table = tables.complaint
    same = and_(table.c.customer_id == first.c.customer_id, table.c.complaint_id == first.c.complaint_id)
    found = table.join(first, same, isouter=not _about(ground))
    return select(*wanted).select_from(found).where(*conditions(ground))


def running(ground: Ground) -> ColumnElement[bool]:
    """Return the condition that a clock ran at the moment."""
    columns_ = tables.complaint_clock.c
    if not ground.past:
        return columns_.stopped_at.is_(None)
    return and_(columns_.started_at <= ground.at, or_(columns_.stopped_at.is_(None), columns_.stopped_at > ground.at))


def _about(ground: Ground) -> list[ColumnElement[bool]]:
    """Return what narrows the clocks; none of it, and complaints without a running limit are listed too."""
    filters, columns_ = ground.filters, tables.complaint_clock.c
    found: list[ColumnElement[bool]] = []
    if filters.stage:
        found.append(columns_.stage == filters.stage)
    if filters.due is not None:
        begin, end = day_bounds(filters.due, ground.run.zone)
        found += [columns_.due_at >= begin, columns_.due_at < end]
    if filters.overdue:
        found.append(columns_.due_at < ground.at)
    if filters.no_progress:
        found += [columns_.stage.in_(ground.progress), columns_.due_at < ground.at]
    return found


def conditions(ground: Ground) -> list[ColumnElement[bool]]:
    """Return what narrows the complaints, the person's scope first."""
    filters, columns_ = ground.filters, tables.complaint.c
    found = [*scope.in_scope(ground.run), *_state(ground)]
    for name in ("department", "status", "category", "severity"):
        if getattr(filters, name):
            found.append(columns_[name] == getattr(filters, name))
    if filters.mine is not None:
        mine = filters.mine
        found.append(or_(columns_.handler_id.in_(mine), columns_.first_receiver_id.in_(mine)) if mine else false())
    if filters.waiting:
        found.append(columns_.status == "proposed")
    if filters.unhandled:
        found.append(or_(columns_.handler_id.is_(None), columns_.handler_id.not_in(ground.in_post)))
    if filters.handler is not None:
        found.append(columns_.handler_id == filters.handler)
    if filters.customer is not None:
        whose = (columns_.customer_id == filters.customer, columns_.linked_customer_id == filters.customer)
        found.append(or_(*whose))
    if filters.owner is not None:
        found.append(_owned(filters.owner))
    return found


def _state(ground: Ground) -> list[ColumnElement[bool]]:
    """Return what narrows complaints to the open or closed ones of the moment; those not accepted by then are out."""
    columns_, state = tables.complaint.c, ground.filters.state
    if not ground.past:
        closed = columns_.status.in_(CLOSED)
        now: dict[str, list[ColumnElement[bool]]] = {"open": [~closed], "closed": [closed]}
        return now.get(state, [])
    event = tables.complaint_event.c
    turn = case((event.kind == "reopened", -1), else_=1)
    mine = (event.customer_id == columns_.customer_id, event.complaint_id == columns_.complaint_id)
    kinds = event.kind.in_(("closed", "duplicated", "reopened"))
    turns = select(func.coalesce(func.sum(turn), 0)).where(*mine, kinds, event.at <= ground.at).scalar_subquery()
    then: list[ColumnElement[bool]] = [columns_.accepted_at <= ground.at]
    return then + {"open": [turns == 0], "closed": [turns > 0]}.get(state, [])


def _owned(owner: int) -> ColumnElement[bool]:
    """Return the condition that a complaint's customer is somebody's: whoever it was found out to be, where it was."""
    columns_ = tables.complaint.c
    theirs = select(customer.c.customer_id).where(customer.c.owner_id == owner)
    return func.coalesce(columns_.linked_customer_id, columns_.customer_id).in_(theirs)


def progress_stages(policies: PolicySet) -> tuple[str, ...]:
    """Return the stages whose clock begins again with each word to the customer (CMP-10)."""
    return tuple(
        dict.fromkeys(
            stage.code
            for policy in policies.of_kind("complaints")
            for stage in _cases(policy.settings).stages
            if "progressed" in stage.begins and "progressed" in stage.ends
        )
    )


def _cases(settings: Any) -> CaseSettings:  # noqa: ANN401 - settings of whatever kind
    assert isinstance(settings, CaseSettings)
    return settings


def day_bounds(day: date, zone: str) -> tuple[datetime, datetime]:
    """Return when a day of the company begins and when the next one does."""
    begin = datetime.combine(day, datetime.min.time(), ZoneInfo(zone))
    return begin, datetime.combine(day + timedelta(1), datetime.min.time(), ZoneInfo(zone))
