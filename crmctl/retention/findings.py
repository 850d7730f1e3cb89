"""What retention policies in mode report find: written down like a plan, read by people, never carried out (RULE-07).

Each plan of customers replaces what the one before it reported. Nobody of it is destroyed, nor by a wider policy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from crmctl.customers import scope
from crmctl.customers.tables import customer
from crmctl.retention.deciding import ARCHIVE, DESTROY, Tally, decided_of, ranges
from crmctl.retention.selecting import Basis
from crmctl.runs import plans
from crmctl.runs.plans import Item
from crmctl.runs.run import Run
from crmctl.store import engine

KIND = "purge.findings"


@dataclass(frozen=True)
class Finding:
    """A customer whom a policy in mode report would destroy or put away, by which rule, found when."""

    customer_id: int
    policy: str
    version: int
    rule: str
    found_at: datetime


def count(run: Run, base: Basis) -> Counter[str]:
    """Return how many customers policies in mode report would destroy, by rule."""
    tally = Tally()
    for _part in _parts(run, base, tally):
        pass
    return tally.destroy + tally.archive


def save(run: Run, base: Basis) -> Counter[str]:
    """Write down, part by part, whom policies in mode report would destroy; return how many by rule.

    They take the place of what was reported before at once: killed on the way, that stands.
    """
    tally = Tally()
    if not base.readies:
        with engine.write(run.engine) as conn:
            plans.drop_stranded(conn, KIND)
            plans.replace_reported(conn, KIND)
        return tally.destroy
    with engine.write(run.engine) as conn:
        plans.drop_stranded(conn, KIND)
        draft = plans.begin(conn, run, KIND, {}, expires_at=run.at, state=plans.REPLACED)
    for part in _parts(run, base, tally):
        with engine.write(run.engine) as conn:
            draft.add(conn, part)
    with engine.write(run.engine) as conn:
        plans.replace_reported(conn, KIND)
        draft.close(conn, {"destroy": dict(tally.destroy), "archive": dict(tally.archive)}, state=plans.REPORTED)
    return tally.destroy + tally.archive


def _parts(run: Run, base: Basis, tally: Tally) -> Iterator[list[Item]]:
    """Yield items of those who would be destroyed, some customers at a time; nothing is open between them."""
    for among in ranges(run) if base.readies else ():  # a dry run may come without any
        with engine.read(run.engine) as conn:
            page = list(base.due(conn, among))
            decided = list(decided_of(conn, run, base, [(each, "") for each in page], tally)) if page else []
        found = []
        for each, item in zip(page, decided, strict=True):
            if item.action in (DESTROY, ARCHIVE) and each.rule is not None:
                ready = base.readies[each.policy]
                detail = (ready.policy.name, ready.policy.version, ready.rules[each.rule].code)
                found.append(Item(each.customer_id, DESTROY, None, None, detail))
        if found:
            yield found


def listed(conn: Connection, run: Run, limit: int, after: int = 0) -> list[Finding]:
    """Return what is reported of customers the person may know of, by customer number, from after one on."""
    within = scope.in_scope(run)
    known = select(customer.c.customer_id).where(*within) if within else None
    rows = plans.reported(conn, KIND, limit, after, known)
    found = []
    for _plan, at, item in rows:
        policy, version, rule = item.detail
        found.append(Finding(item.customer_id, policy, version, rule, at))
    return found
