"""`complaint list`: the morning lists. What is due next, whose turn it is, how much time is left (CMP-09, CMP-10).

The first deadline stands first. A complaint's line tells of the limit that ends first of those the list is about; time
left is working time of the case's own calendar.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Subquery, and_, case, func, or_, select

from crmctl.cases.clockwork import Clock
from crmctl.cases.terms import loads
from crmctl.cli.render import Column
from crmctl.complaints import columns, ruling, tables, telling
from crmctl.complaints.filtering import Filters, Ground, conditions, first_ends, ground_of, joined, running
from crmctl.complaints.model import clock_of
from crmctl.customers import scope as customers
from crmctl.customers import showing
from crmctl.i18n import N_, _, pick
from crmctl.policy.policyset import PolicySet
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.staff import Directory
from crmctl.store import bulk, engine
from crmctl.worktime.deadlines import remaining, remaining_wall

Cursor = tuple[datetime | None, str]  # deadline and number of the complaint that a page goes on after
_COLUMNS = (
    "customer_id", "complaint_id", "number", "status", "category", "severity", "channel", "department", "org_unit",
    "first_receiver_id", "handler_id", "feedback_due_at", "reopened", "linked_customer_id", "policy", "terms",
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One complaint of a list. `left` is working time, below none once it is over; `wall` the same in real time."""

    row: Mapping[str, Any]
    clock: Clock | None
    left: timedelta | None
    wall: timedelta | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """A page, what it is counted as at, the counts of all that fit, where it goes on (None: nowhere)."""

    lines: Sequence[Line]
    people: Directory
    at: datetime
    counts: Mapping[str, int]
    next: Cursor | None
    not_configured: int


@dataclass(frozen=True)
class Group:
    """Open complaints of one owner, department or handler: their key, and how many there are."""

    key: Any
    counts: dict[str, int] = field(default_factory=lambda: {"open": 0, "due_today": 0, "overdue": 0})


def find(run: Run, filters: Filters, limit: int, after: Cursor | None = None) -> Found:
    """Return up to `limit` complaints that fit, the first deadline first, and the counts of all that fit."""
    with engine.read(run.engine) as conn:
        ground = ground_of(conn, run, filters)
        first = first_ends(ground)
        query = joined(ground, first, [*(tables.complaint.c[name] for name in _COLUMNS), first.c.ends])
        number = tables.complaint.c.number
        page = query.order_by(first.c.ends.is_(None), first.c.ends, number).limit(limit + 1)
        if after is not None:
            page = page.where(_beyond(first, after))
        rows = conn.execute(page).mappings().all()
        counts = _counts(conn, ground, first)
        unset = _without_limit(conn, ground) if filters.no_progress else 0
        shown = rows[:limit]
        clocks = _clocks(conn, [(row["customer_id"], row["complaint_id"]) for row in shown])
    lines = [_line(ground, row, clocks.get((row["customer_id"], row["complaint_id"]), ())) for row in shown]
    last = (shown[-1]["ends"], shown[-1]["number"]) if len(rows) > limit else None
    return Found(lines, ground.people, ground.at, counts, last, unset)


def grouped(run: Run, filters: Filters, by: str) -> tuple[list[Group], Directory]:
    """Return how many complaints fit by `owner` of the customer, `department` or `handler`, most first, and people."""
    with engine.read(run.engine) as conn:
        ground = ground_of(conn, run, filters)
        first = first_ends(ground)
        names = ("customer_id", "linked_customer_id", "department", "handler_id")
        rows = conn.execute(joined(ground, first, [*(tables.complaint.c[name] for name in names), first.c.ends]))
        found = rows.mappings().all()
        of = customers.owners(conn, {whose(row) for row in found}) if by == "owner" else {}
    groups: dict[Any, Group] = {}
    for row in found:
        key = of.get(whose(row)) if by == "owner" else row["handler_id" if by == "handler" else by]
        counts = groups.setdefault(key, Group(key)).counts
        counts["open"] += 1
        if row["ends"] is not None and row["ends"] < ground.tomorrow:
            counts["overdue" if row["ends"] < ground.at else "due_today"] += 1
    ordered = sorted(groups.values(), key=lambda each: (-each.counts["open"], each.key is None, each.key or 0))
    return ordered, ground.people


def _beyond(first: Subquery, after: Cursor) -> ColumnElement[bool]:
    ends, number = after
    further = tables.complaint.c.number > number
    if ends is None:
        return and_(first.c.ends.is_(None), further)
    return or_(first.c.ends > ends, and_(first.c.ends == ends, further), first.c.ends.is_(None))


def _counts(conn: Connection, ground: Ground, first: Subquery) -> dict[str, int]:
    """Return how many fit, and of them: first limit over, ending today, handled by nobody, the customer's turn."""
    columns_, ends = tables.complaint.c, first.c.ends
    asked = {
        "count": or_(ends.is_(None), ends.is_not(None)),
        "overdue": ends < ground.at,
        "due_today": and_(ends >= ground.at, ends < ground.tomorrow),
        "unhandled": or_(columns_.handler_id.is_(None), columns_.handler_id.not_in(ground.in_post)),
        "waiting": columns_.status == "proposed",
    }
    sums = [func.coalesce(func.sum(case((each, 1), else_=0)), 0).label(name) for name, each in asked.items()]
    row = conn.execute(joined(ground, first, sums)).mappings().one()
    return {name: int(row[name]) for name in asked}


def _without_limit(conn: Connection, ground: Ground) -> int:
    """Return how many open complaints wait for a word to the customer without the policy saying how long."""
    columns_, table = tables.complaint_clock.c, tables.complaint
    same = and_(table.c.customer_id == columns_.customer_id, table.c.complaint_id == columns_.complaint_id)
    query = select(func.count()).select_from(table.join(tables.complaint_clock, same))
    asked = (running(ground), columns_.stage.in_(ground.progress), columns_.within == "")
    return int(conn.execute(query.where(*asked, *conditions(ground))).scalar_one())


def _clocks(conn: Connection, places: Sequence[tuple[int, int]]) -> dict[tuple[int, int], list[Clock]]:
    found: dict[tuple[int, int], list[Clock]] = {}
    rows = bulk.fetch_pairs(conn, tables.complaint_clock, ("customer_id", "complaint_id"), places, columns.CLOCK)
    for row in sorted(rows):
        values = dict(zip(columns.CLOCK, row, strict=True))
        found.setdefault((values["customer_id"], values["complaint_id"]), []).append(clock_of(values))
    return found


def _line(ground: Ground, row: Mapping[Any, Any], clocks: Sequence[Clock]) -> Line:
    at, filters = ground.at, ground.filters
    active = [each for each in clocks if each.started_at <= at and (each.stopped_at is None or each.stopped_at > at)]
    wanted = [
        each
        for each in active
        if each.due_at == row["ends"]
        and (not filters.stage or each.stage == filters.stage)
        and (not filters.no_progress or each.stage in ground.progress)
    ]
    # Of limits that have no end yet, one that stands still says more than one that nobody configured.
    chosen = min(wanted, key=lambda each: (not each.paused, each.clock_id), default=None)
    left, wall = _left(ground, row, chosen)
    return Line(row, chosen, left, wall, tuple(_notes(ground, row, active, chosen)))


def _left(ground: Ground, row: Mapping[Any, Any], found: Clock | None) -> tuple[timedelta | None, timedelta | None]:
    if found is None or found.due_at is None:
        return None, None
    stage = loads(row["terms"]).stage(found.stage)
    day = runs.today(ground.run.policies, ground.at)
    calendar = ruling.calendars(ground.run.policies, day, row["org_unit"])(stage.calendar if stage else "")
    return remaining(ground.at, found.due_at, calendar), remaining_wall(ground.at, found.due_at)


def _notes(ground: Ground, row: Mapping[Any, Any], active: Sequence[Clock], chosen: Clock | None) -> list[str]:
    late = [each for each in active if each.due_at is not None and each.due_at < ground.at]
    found = ["OVERDUE"] if chosen in late else []
    if row["status"] == "proposed":
        found.append("CUSTOMERS_TURN")
    if any(each.stage in ground.progress for each in late):
        found.append("NO_PROGRESS_NOTE")
    if chosen is not None and chosen.provisional:
        found.append("PROVISIONAL")
    if row["handler_id"] is None:
        found.append("NOBODY_HANDLES")
    elif row["handler_id"] not in ground.in_post:
        found.append("HANDLER_LEFT")
    return found


def whose(row: Mapping[Any, Any]) -> int:
    return int(row["linked_customer_id"] or row["customer_id"])


def list_columns(run: Run, people: Directory) -> tuple[Column, ...]:
    """Return the columns of `complaint list`."""
    label = labels(run.policies)

    return (
        Column("number", N_("Acceptance number")),
        Column("customer", N_("Customer"), show=showing.number_text),
        Column("status", N_("Status"), show=telling.status_text),
        Column("category", N_("Category"), show=lambda code: label("categories", code)),
        Column("severity", N_("Severity"), show=lambda code: label("severities", code)),
        Column("handler", N_("Handler"), show=lambda staff_id: _name(people, staff_id)),
        Column("stage", N_("Next"), show=lambda code: label("stages", code)),
        Column("due_at", N_("Due"), show=lambda text: text[:16].replace("T", " ")),
        Column("left_minutes", N_("Left"), show=_minutes_text, right=True),
        Column("notes", N_("Note"), show=lambda codes: _("; ").join(_(NOTES[code]) for code in codes)),
        Column("left_wall_minutes", detail=True),
        Column("overdue", detail=True),
        Column("provisional", detail=True),
        Column("first_receiver", detail=True),
        Column("department", detail=True),
        Column("channel", detail=True),
        Column("feedback_due_at", detail=True),
        Column("reopened", detail=True),
        Column("policy", detail=True),
    )


def list_row(run: Run, line: Line) -> tuple[Any, ...]:
    """Return one complaint as a row of these columns; `left_minutes` is working time, below 0 once it is over."""
    row, clock = line.row, line.clock
    return (
        row["number"], whose(row), row["status"], row["category"], row["severity"], row["handler_id"],
        clock and clock.stage, telling.local(run, clock.due_at) if clock else None, _minutes(line.left),
        list(line.notes), _minutes(line.wall), "OVERDUE" in line.notes, bool(clock and clock.provisional),
        row["first_receiver_id"], row["department"], row["channel"], telling.local(run, row["feedback_due_at"]),
        row["reopened"], row["policy"],
    )  # fmt: skip


def group_columns(by: str) -> tuple[Column, ...]:
    """Return the columns of `complaint list --by`, for people."""
    heading = {"owner": N_("Owner"), "handler": N_("Handler"), "department": N_("Department")}[by]
    return (
        Column(by, heading),
        Column("open", N_("Complaints"), right=True),
        Column("due_today", N_("Due today"), right=True),
        Column("overdue", N_("Overdue"), right=True),
    )


def group_row(by: str, group: Group, people: Directory) -> tuple[Any, ...]:
    """Return the counts of one owner, handler or department as a row of these columns."""
    if group.key is None:
        told = _("not verified yet") if by == "department" else _("nobody")
    else:
        told = group.key if by == "department" else _name(people, group.key)
    return (told, *group.counts.values())


def group_document(by: str, group: Group, people: Directory) -> dict[str, Any]:
    """Return the same for programs: the department, or staff id and number, null for none."""
    if by == "department":
        return {"department": group.key, **group.counts}
    person = people.by_id.get(group.key or 0)
    return {by: group.key, "number": person and person.number, **group.counts}


def labels(policies: PolicySet) -> Callable[[str, Any], str]:
    """Return the function from a list of the complaints policies and a code to what people call it."""
    known: dict[tuple[str, str], str] = {}
    for policy in policies.of_kind("complaints"):
        for name in ("categories", "severities", "stages", "causes"):
            for item in getattr(policy.settings, name):
                known.setdefault((name, item.code), pick(item.labels, item.code))
    return lambda name, code: known.get((name, code), code or "")


def _name(people: Directory, staff_id: int | None) -> str:
    person = people.by_id.get(staff_id or 0)
    return str(staff_id or "") if person is None else f"{person.name} ({person.number})"


def _minutes(amount: timedelta | None) -> int | None:
    return None if amount is None else int(amount.total_seconds() / 60)


def _minutes_text(minutes: int) -> str:
    told = telling.span_text(timedelta(minutes=abs(minutes)))
    return f"-{told}" if minutes < 0 else told


NOTES = {
    "OVERDUE": N_("overdue"),
    "CUSTOMERS_TURN": N_("the customer's turn"),
    "NO_PROGRESS_NOTE": N_("no progress told"),
    "PROVISIONAL": N_("provisional"),
    "NOBODY_HANDLES": N_("nobody handles it"),
    "HANDLER_LEFT": N_("its handler has left"),
}
