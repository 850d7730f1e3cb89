"""Saved plans: the exact set a run will change, looked at first and applied later, or never (design §4, §5).

A plan carries the hash of its items and of the policies it was made under. It is applied once, before it expires, and
only while every item is still what it was. What a killed run had applied is behind the plan's cursor; applying it
again goes on from there.

What policies in mode report find is kept in the same form, in state `reported`: to be read, never to be applied. Of
each kind the findings of the last run stand, so that there is one a customer at most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import islice
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, Select, delete, insert, select, update

from crmctl.errors import PlanStale, Refused
from crmctl.i18n import _
from crmctl.process import uncollected
from crmctl.runs.run import Run
from crmctl.runs.tables import plan, plan_item
from crmctl.store import bulk, counters, engine

PURGE = "purge.run"  # the kind of plans that destroy
PURGING = "purging"  # the action of whom there is no way back for: their destruction has begun
OPEN, APPLYING, APPLIED = "open", "applying", "applied"
REPORTED, REPLACED = "reported", "replaced"  # findings; findings of an earlier run, whose items are gone
_BATCH = 10_000
_BEFORE = -10  # before all items: what is of no customer has 0, and what is of another such kind -1
_COLUMNS = ("customer_id", "plan_id", "action", "before", "after", "detail")


class Item(NamedTuple):
    """What a plan does to one customer; `detail` is whatever the verb needs to do it."""

    customer_id: int
    action: str
    before: str | None
    after: str | None
    detail: Sequence[Any]


@dataclass(frozen=True)
class Plan:
    """A saved plan as it stands."""

    plan_id: int
    kind: str
    run_id: int
    person: str
    state: str
    hash: str
    policy_hash: str
    as_of: datetime
    created_at: datetime
    expires_at: datetime
    items: int
    summary: Mapping[str, Any]
    cursor: int


def save(run: Run, kind: str, items: Iterable[Item], summary: Mapping[str, Any], valid: timedelta) -> int:
    """Save a plan of a begun run in one transaction; `items` come by customer number, and may be a generator.

    Returns its number.
    """
    with engine.write(run.engine) as conn:
        return put(conn, run, kind, items, summary, expires_at=run.at + valid)


def put(
    conn: Connection,
    run: Run,
    kind: str,
    items: Iterable[Item],
    summary: Mapping[str, Any],
    *,
    expires_at: datetime,
    state: str = OPEN,
) -> int:
    """Save a plan in the caller's transaction, whose connection `items` may read; return its number."""
    draft = begin(conn, run, kind, summary, expires_at=expires_at, state=state)
    draft.add(conn, items)
    draft.close(conn)
    return draft.plan_id


@dataclass
class Draft:
    """A plan that is being saved, in one transaction or in several; until it is closed nothing can be done with it."""

    plan_id: int
    digest: Any = field(default_factory=sha256)
    items: int = 0

    def add(self, conn: Connection, items: Iterable[Item]) -> None:
        """Save items, which come by customer number, behind those there are."""
        found = self._rows(items)
        while batch := list(islice(found, _BATCH)):  # while a COPY is open, PostgreSQL reads nothing
            bulk.insert_rows(conn, plan_item, _COLUMNS, batch)

    def _rows(self, items: Iterable[Item]) -> Iterator[tuple[Any, ...]]:
        for item in items:
            detail = orjson.dumps(list(item.detail)).decode()
            _hash(self.digest, item, detail)
            self.items += 1
            yield (item.customer_id, self.plan_id, item.action, item.before, item.after, detail)

    def close(self, conn: Connection, summary: Mapping[str, Any] | None = None, state: str = "") -> None:
        """Save the hash of all items; `summary` where it is known only now, `state` where it becomes another."""
        values: dict[str, Any] = {"hash": self.digest.hexdigest(), "items": self.items}
        if summary is not None:
            values["summary"] = _summary(summary)
        if state:
            values["state"] = state
        conn.execute(update(plan).where(plan.c.plan_id == self.plan_id).values(**values))


def begin(
    conn: Connection, run: Run, kind: str, summary: Mapping[str, Any], *, expires_at: datetime, state: str = OPEN
) -> Draft:
    """Begin to save a plan in the caller's transaction."""
    number = counters.take(conn, "plan", 1)
    conn.execute(
        insert(plan).values(
            plan_id=number,
            kind=kind,
            run_id=run.run_id,
            person=run.actor.person,
            state=state,
            hash="",
            policy_hash=run.policies.hash,
            as_of=run.as_of,
            created_at=run.at,
            expires_at=expires_at,
            items=0,
            summary=_summary(summary),
            cursor=0,
        )
    )
    return Draft(number)


def _summary(told: Mapping[str, Any]) -> str:
    return orjson.dumps(dict(told), option=orjson.OPT_SORT_KEYS).decode()


def _hash(digest: Any, item: Item, detail: str) -> None:  # noqa: ANN401 - hashlib has no public type
    told = [item.customer_id, item.action, item.before, item.after, detail]
    digest.update(orjson.dumps(told) + b"\n")


def find(conn: Connection, number: int, kind: str) -> Plan:
    """Return a plan. Raises Refused when there is none of that number and kind."""
    row = conn.execute(select(plan).where(plan.c.plan_id == number, plan.c.kind == kind)).mappings().first()
    if row is None:
        hint = _("see: crmctl purge list") if kind == PURGE else _("make a new plan")
        raise Refused(_("there is no plan {plan}").format(plan=number), hint=hint, code="PLAN_UNKNOWN")
    kept = {name: row[name] for name in Plan.__dataclass_fields__}
    return Plan(**{**kept, "summary": orjson.loads(row["summary"])})


def usable(
    conn: Connection,
    found: Plan,
    policy_hash: str,
    at: datetime,
    as_saved: Callable[[Item], Item | None] = lambda item: item,
) -> None:
    """Raise PlanStale for a plan that is applied, expired, of other policies, or not what was saved.

    `as_saved` undoes what was noted in items since, and says None for those added since. Raises Refused for findings of
    policies in mode report.
    """
    number = found.plan_id
    hint = _("make a new plan")
    if found.state in (REPORTED, REPLACED):
        raise Refused(
            _("plan {plan}: holds what policies in mode report found; it is to be read, not applied").format(
                plan=number
            ),
            hint=_("say mode: enforce in the policy, then make a new plan"),
            code="PLAN_REPORTED",
        )
    if found.state == APPLIED:
        raise PlanStale(_("plan {plan}: is applied already").format(plan=number), hint=hint, code="PLAN_APPLIED")
    if at > found.expires_at:
        raise PlanStale(_("plan {plan}: has expired").format(plan=number), hint=hint, code="PLAN_EXPIRED")
    if found.policy_hash != policy_hash:
        message = _("plan {plan}: the policies are others than it was made under").format(plan=number)
        raise PlanStale(message, hint=hint, code="PLAN_OTHER_POLICY")
    if not as_it_was(conn, found, as_saved):
        raise PlanStale(_("plan {plan}: its items were changed").format(plan=number), hint=hint, code="PLAN_CHANGED")


def as_it_was(conn: Connection, found: Plan, as_saved: Callable[[Item], Item | None]) -> bool:
    """Say whether the items of a plan are those that were saved; `as_saved` as `usable` takes it."""
    digest, count = sha256(), 0
    with uncollected():
        for item in filter(None, map(as_saved, items(conn, found.plan_id))):
            _hash(digest, item, orjson.dumps(list(item.detail)).decode())
            count += 1
    return (digest.hexdigest(), count) == (found.hash, found.items)


def items(conn: Connection, number: int, after: int = _BEFORE, size: int = 10_000) -> Iterator[Item]:
    """Yield the items of a plan by customer number, from after one on, in flat memory; what is of nobody first."""
    columns = plan_item.c
    while True:
        query = (
            select(columns.customer_id, columns.action, columns.before, columns.after, columns.detail)
            .where(columns.plan_id == number, columns.customer_id > after)
            .order_by(columns.customer_id)
            .limit(size)
        )
        rows = conn.execute(query).all()
        yield from map(read_item, rows)
        if len(rows) < size:
            return
        after = rows[-1][0]


def read_item(row: Sequence[Any]) -> Item:
    """Return a stored item: customer, action, before, after, detail."""
    return Item(row[0], row[1], row[2], row[3], orjson.loads(row[4]))


def unfinished(conn: Connection, kind: str) -> int | None:
    """Return the oldest plan of a kind that was begun and is not done; None where there is none."""
    query = select(plan.c.plan_id).where(plan.c.kind == kind, plan.c.state == APPLYING)
    return conn.execute(query.order_by(plan.c.plan_id).limit(1)).scalar_one_or_none()


def pages(run: Run, found: Plan, size: int) -> Iterator[list[Item]]:
    """Yield what is left of a plan in chunks of `size`, in the order of customer numbers."""
    after = found.cursor
    while True:
        with engine.read(run.engine) as conn:  # not open while a chunk is written
            page = list(islice(items(conn, found.plan_id, after, size), size))
        if page:
            yield page
        if len(page) < size:
            return
        after = page[-1].customer_id


def advance(conn: Connection, number: int, cursor: int) -> None:
    """Note in the caller's transaction how far a plan is applied."""
    conn.execute(update(plan).where(plan.c.plan_id == number).values(state=APPLYING, cursor=cursor))


def close(conn: Connection, number: int, run_id: int | None) -> None:
    """Note in the caller's transaction that a plan is applied; its items, which the log has now, are dropped."""
    conn.execute(update(plan).where(plan.c.plan_id == number).values(state=APPLIED, applied_run_id=run_id))
    conn.execute(delete(plan_item).where(plan_item.c.plan_id == number))


def drop_stranded(conn: Connection, kind: str) -> None:
    """Drop in the caller's transaction what was being reported when somebody was killed: nobody ever reads it."""
    columns = plan.c
    stranded = select(columns.plan_id).where(columns.kind == kind, columns.state == REPLACED, columns.hash == "")
    numbers = list(conn.execute(stranded).scalars())
    if numbers:
        conn.execute(delete(plan_item).where(plan_item.c.plan_id.in_(numbers)))


def replace_reported(conn: Connection, kind: str, customers: Sequence[int] = ()) -> None:
    """Drop in the caller's transaction what was reported of these customers; with none named, of everybody."""
    columns = plan.c
    held = select(columns.plan_id).where(columns.kind == kind, columns.state == REPORTED)
    numbers = list(conn.execute(held).scalars())
    if not numbers:
        return
    former = plan_item.c.plan_id.in_(numbers)
    if customers:
        conn.execute(delete(plan_item).where(former, plan_item.c.customer_id.in_(customers)))
        return
    conn.execute(delete(plan_item).where(former))
    conn.execute(update(plan).where(columns.plan_id.in_(numbers)).values(state=REPLACED))


def reported(
    conn: Connection, kind: str, limit: int, after: int = 0, of: Select[Any] | None = None
) -> list[tuple[int, datetime, Item]]:
    """Return what is reported: number of the plan, when it was found, and the finding; by customer, from after one.

    `of` selects the customers to tell of; without it all.
    """
    columns = plan_item.c
    query = (
        select(
            plan.c.plan_id, plan.c.created_at, columns.customer_id, columns.action, columns.before, columns.after,
            columns.detail,
        )
        .join_from(plan_item, plan, plan.c.plan_id == columns.plan_id)
        .where(plan.c.kind == kind, plan.c.state == REPORTED, columns.customer_id > after)
        .order_by(columns.customer_id)
        .limit(limit)
    )  # fmt: skip
    if of is not None:
        query = query.where(columns.customer_id.in_(of))
    return [(row[0], row[1], Item(*row[2:6], orjson.loads(row[6]))) for row in conn.execute(query)]
