"""What owners policies in mode report find: written down like a plan, read by people, never applied (RULE-07).

An assignment of everybody replaces all that assignments reported, one of some customers what was reported of these; a
reclaim replaces all that reclaims reported.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from crmctl.customers import scope
from crmctl.customers.tables import customer
from crmctl.owners.applying import Move
from crmctl.owners.weighing import Given, Weighed
from crmctl.runs import plans
from crmctl.runs.plans import Item
from crmctl.runs.run import Run

KINDS = ASSIGN, RECLAIM = ("owner.assign", "owner.reclaim")
GIVE, NOBODY, BACK = "assign", "nobody", "reclaim"


@dataclass(frozen=True)
class Finding:
    """What a policy in mode report would do to a customer: give it to `after`, to nobody (`code` says why), take it.

    `before`, `after` and `runner_up` are staff ids.
    """

    customer_id: int
    action: str
    before: int | None
    after: int | None
    policy: str
    version: int
    rule: str
    runner_up: int | None
    code: str | None
    inputs: Mapping[str, Any]
    plan_id: int
    found_at: datetime


def save(conn: Connection, run: Run, weighed: Weighed) -> int | None:
    """Write down in the caller's transaction whom policies in mode report would have given to whom.

    Returns the number that the findings have, as a plan; None while no policy in force only reports, or nothing was
    found of the customers that were asked for.
    """
    numbers = weighed.basis.numbers
    plans.replace_reported(conn, ASSIGN, numbers)
    reporting = [each for each in weighed.given if each.ruling.report]
    if not any(len(each.queue.numbers) for each in reporting) and (numbers or not reporting):
        return None
    nobody = sum(len(each.codes) for each in reporting)
    counts = {GIVE: sum(len(each.queue.numbers) for each in reporting) - nobody, NOBODY: nobody}
    found = heapq.merge(*(part(each) for each in reporting for part in (_given, _nobody)))
    return plans.put(conn, run, ASSIGN, found, counts, expires_at=run.at, state=plans.REPORTED)


def _given(each: Given) -> Iterator[Item]:
    for move in each.moves():
        yield _item(GIVE, move, None)


def _nobody(each: Given) -> Iterator[Item]:
    policy = each.found.policy
    before = dict(zip(each.queue.numbers, each.queue.befores, strict=True)) if each.codes else {}
    for number, rule, code in each.nobody():
        move = Move(number, before[number] or None, None, GIVE, rule, None, {}, policy.name, policy.version)
        yield _item(NOBODY, move, code)


def save_reclaimed(conn: Connection, run: Run, moves: Iterator[Move], *, reporting: bool) -> int | None:
    """Write down in the caller's transaction which customers policies in mode report would have let go back."""
    plans.replace_reported(conn, RECLAIM)
    if not reporting:
        return None
    counts: Counter[str] = Counter()

    def items() -> Iterator[Item]:
        for move in moves:
            counts[BACK] += 1
            yield _item(BACK, move, None)

    return plans.put(conn, run, RECLAIM, items(), counts, expires_at=run.at, state=plans.REPORTED)


def _item(action: str, move: Move, code: str | None) -> Item:
    detail = (move.policy, move.version, move.rule, move.runner_up, code, dict(move.inputs))
    before, after = (None if each is None else str(each) for each in (move.before, move.after))
    return Item(move.customer_id, action, before, after, detail)


def listed(conn: Connection, run: Run, limit: int, after: int = 0) -> list[Finding]:
    """Return what is reported of customers the person may know of, by customer number, from after one on.

    `limit` counts findings; all of the last customer are told, so that the next page begins after it.
    """
    within = scope.in_scope(run)
    known = select(customer.c.customer_id).where(*within) if within else None
    pages = (plans.reported(conn, kind, limit + 1, after, known) for kind in KINDS)
    rows = sorted((row for page in pages for row in page), key=lambda row: (row[2].customer_id, row[2].action))
    end = min(limit, len(rows))
    while 0 < end < len(rows) and rows[end][2].customer_id == rows[end - 1][2].customer_id:
        end += 1
    return [_finding(*row) for row in rows[:end]]


def _finding(plan_id: int, at: datetime, item: Item) -> Finding:
    policy, version, rule, runner_up, code, inputs = item.detail
    before, after = (None if each is None else int(each) for each in (item.before, item.after))
    number, action = item.customer_id, item.action
    return Finding(number, action, before, after, policy, version, rule, runner_up, code, inputs, plan_id, at)
