"""What tiers policies in mode report find: written down like a plan, read by people, never applied (RULE-07).

A re-grade of everybody replaces all that was reported; one of some customers, what was reported of these.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from crmctl.customers import scope
from crmctl.customers.tables import customer
from crmctl.runs import plans
from crmctl.runs.plans import Item
from crmctl.runs.run import Run
from crmctl.tiers.moves import CLEAR
from crmctl.tiers.survey import Basis, Move, Tally

KIND = "tier.regrade"


@dataclass(frozen=True)
class Finding:
    """What a policy in mode report would do to a customer; `inputs` in the smallest units, by left side."""

    customer_id: int
    action: str
    before: str | None
    after: str | None
    policy: str
    version: int
    rule: str
    override: str | None
    inputs: Mapping[str, Any]
    plan_id: int
    found_at: datetime


def save(conn: Connection, run: Run, base: Basis, tallies: Sequence[Tally]) -> int | None:
    """Write down in the caller's transaction what policies in mode report found in a begun run.

    Returns the number they have, as a plan; None while no policy in force only reports, or nothing was found of the
    customers that were asked for.
    """
    plans.replace_reported(conn, KIND, base.part.only)
    reporting = [place for place, tally in enumerate(tallies) if tally.scoped.ruling.report]
    if not reporting or (base.part.only and not any(tallies[place].actions for place in reporting)):
        return None
    found = heapq.merge(*(_items(conn, base, place, tallies[place]) for place in reporting))
    counts: Counter[str] = Counter()
    for place in reporting:
        counts.update({action: n for action, n in tallies[place].actions.items() if action != CLEAR})
    return plans.put(conn, run, KIND, found, counts, expires_at=run.at, state=plans.REPORTED)


def _items(conn: Connection, base: Basis, place: int, tally: Tally) -> Iterator[Item]:
    """Yield what one policy found, by customer number: as counted, else read again where there was too much of it."""
    grading = tally.scoped.grading
    names = tuple(left.text for left in grading.compared())
    rules = {rule.rank: f"tiers[{rule.position}]" for rule in grading.rules}
    kept = tally.kept
    found: Iterator[Move] = iter(sorted(kept)) if kept is not None else base.moves(conn, place, base.part, ordered=True)
    for move in found:
        if move.action == CLEAR:
            continue  # it only ends a wait
        inputs = {name: value for name, value in zip(names, move.values, strict=True) if value is not None}
        detail = (grading.policy.name, grading.policy.version, rules.get(move.rank or 0, ""), move.held, inputs)
        yield Item(move.customer_id, move.action, move.before, move.after, detail)


def listed(conn: Connection, run: Run, limit: int, after: int = 0) -> list[Finding]:
    """Return what is reported of customers the person may know of, by customer number, from after one on."""
    within = scope.in_scope(run)
    known = select(customer.c.customer_id).where(*within) if within else None
    found = []
    for plan_id, at, item in plans.reported(conn, KIND, limit, after, known):
        policy, version, rule, override, inputs = item.detail
        found.append(Finding(*item[:4], policy, version, rule, override, inputs, plan_id, at))
    return found
