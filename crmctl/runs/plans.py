"""Saved plans: the exact set a run will change, looked at first and applied later, or never (design §4, §5).

A plan carries the hash of its items and of the policies it was made under. It is applied once, before it expires, and
only while every item is still what it was. What a killed run had applied is behind the plan's cursor; applying it
again goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, delete, insert, select, update

from crmctl.errors import PlanStale, Refused
from crmctl.i18n import _
from crmctl.runs.run import Run
from crmctl.runs.tables import plan, plan_item
from crmctl.store import bulk, counters, engine

OPEN, APPLYING, APPLIED = "open", "applying", "applied"
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
    digest, count = sha256(), 0

    def rows(number: int) -> Iterator[tuple[Any, ...]]:
        nonlocal count
        for item in items:
            detail = orjson.dumps(list(item.detail)).decode()
            _hash(digest, item, detail)
            count += 1
            yield (item.customer_id, number, item.action, item.before, item.after, detail)

    with engine.write(run.engine) as conn:
        number = counters.take(conn, "plan", 1)
        bulk.insert_rows(conn, plan_item, _COLUMNS, rows(number))
        conn.execute(
            insert(plan).values(
                plan_id=number,
                kind=kind,
                run_id=run.run_id,
                person=run.actor.person,
                state=OPEN,
                hash=digest.hexdigest(),
                policy_hash=run.policies.hash,
                as_of=run.as_of,
                created_at=run.at,
                expires_at=run.at + valid,
                items=count,
                summary=orjson.dumps(dict(summary), option=orjson.OPT_SORT_KEYS).decode(),
                cursor=0,
            )
        )
    return number


def _hash(digest: Any, item: Item, detail: str) -> None:  # noqa: ANN401 - hashlib has no public type
    told = [item.customer_id, item.action, item.before, item.after, detail]
    digest.update(orjson.dumps(told) + b"\n")


def find(conn: Connection, number: int, kind: str) -> Plan:
    """Return a plan. Raises Refused when there is none of that number and kind."""
    row = conn.execute(select(plan).where(plan.c.plan_id == number, plan.c.kind == kind)).mappings().first()
    if row is None:
        raise Refused(_("there is no plan {plan}").format(plan=number), hint=_("make a new plan"), code="PLAN_UNKNOWN")
    kept = {name: row[name] for name in Plan.__dataclass_fields__}
    return Plan(**{**kept, "summary": orjson.loads(row["summary"])})


def usable(conn: Connection, found: Plan, policy_hash: str, at: datetime) -> None:
    """Raise PlanStale for a plan that is applied, expired, of other policies, or not what was saved."""
    number = found.plan_id
    hint = _("make a new plan")
    if found.state == APPLIED:
        raise PlanStale(_("plan {plan}: is applied already").format(plan=number), hint=hint, code="PLAN_APPLIED")
    if at > found.expires_at:
        raise PlanStale(_("plan {plan}: has expired").format(plan=number), hint=hint, code="PLAN_EXPIRED")
    if found.policy_hash != policy_hash:
        message = _("plan {plan}: the policies are others than it was made under").format(plan=number)
        raise PlanStale(message, hint=hint, code="PLAN_OTHER_POLICY")
    digest, count = sha256(), 0
    for item in items(conn, number):
        _hash(digest, item, orjson.dumps(list(item.detail)).decode())
        count += 1
    if (digest.hexdigest(), count) != (found.hash, found.items):
        raise PlanStale(_("plan {plan}: its items were changed").format(plan=number), hint=hint, code="PLAN_CHANGED")


def items(conn: Connection, number: int, after: int = 0, size: int = 10_000) -> Iterator[Item]:
    """Yield the items of a plan by customer number, from after one on, in flat memory."""
    columns = plan_item.c
    while True:
        query = (
            select(columns.customer_id, columns.action, columns.before, columns.after, columns.detail)
            .where(columns.plan_id == number, columns.customer_id > after)
            .order_by(columns.customer_id)
            .limit(size)
        )
        rows = conn.execute(query).all()
        for row in rows:
            yield Item(row[0], row[1], row[2], row[3], orjson.loads(row[4]))
        if len(rows) < size:
            return
        after = rows[-1][0]


def advance(conn: Connection, number: int, cursor: int) -> None:
    """Note in the caller's transaction how far a plan is applied."""
    conn.execute(update(plan).where(plan.c.plan_id == number).values(state=APPLYING, cursor=cursor))


def close(conn: Connection, number: int, run_id: int | None) -> None:
    """Note in the caller's transaction that a plan is applied; its items, which the log has now, are dropped."""
    conn.execute(update(plan).where(plan.c.plan_id == number).values(state=APPLIED, applied_run_id=run_id))
    conn.execute(delete(plan_item).where(plan_item.c.plan_id == number))
