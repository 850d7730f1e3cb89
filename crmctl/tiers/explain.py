"""Why a customer has its tier: rule, clause, figures and near misses, from the same facts as the re-grade (TIER-04)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, select

from crmctl.customers import scope
from crmctl.customers.tables import customer
from crmctl.policy.evaluate import Near, near
from crmctl.policy.metrics import Left, Value, by_source, source_at
from crmctl.policy.scopes import Ruling
from crmctl.runs.run import Run
from crmctl.store import engine
from crmctl.tiers import moves, overrides, records
from crmctl.tiers.decide import Graded, Held, Settled, graded, settled
from crmctl.tiers.grading import ANNUAL, Grading
from crmctl.tiers.regrade import Request, basis_of
from crmctl.tiers.survey import Basis
from crmctl.tiers.tables import tier_grace


@dataclass(frozen=True)
class Explanation:
    """One customer's tier explained; `graded` is None where an exception keeps the policy away or none is in force."""

    customer_id: int
    tier: str | None  # as stored; at the time asked for, where that is gone by
    ruling: Ruling | None
    grading: Grading | None
    graded: Graded | None
    settled: Settled | None
    override: overrides.Override | None
    since: date | None  # first day of a downgrade that waits
    excepted: str = ""  # the reason of the exception

    def near_misses(self) -> list[tuple[str, tuple[Near, ...]]]:
        """Return for each tier above the customer's own what stands in the way."""
        if self.graded is None:
            return []
        own = self.graded.rule.rank if self.graded.rule else 1 << 30
        return [(rule.tier, near(trace)) for rule, trace in self.graded.traces if trace is not None and rule.rank < own]


def explain(run: Run, number: int) -> Explanation:
    """Return why customer `number` has the tier it has, at the run's time.

    Raises Refused when there is none, or none of whom the person may know.
    """
    scope.require(run, (number,))
    base = basis_of(run, Request(customers=(number,)))
    day = base.at.date()
    with engine.read(run.engine) as conn:
        now = conn.execute(select(customer.c.tier).where(customer.c.customer_id == number)).scalar_one_or_none()
        tier = now if run.as_of == run.at else _tier_then(conn, number, base.at)
        override = overrides.in_force(conn, number, base.at)
        since = _since(conn, number)
        place, excepted = place_of(conn, base, number)
        if place is None:
            return Explanation(number, tier, None, None, None, None, override, since)
        scoped = base.scoped[place]
        if excepted:
            return Explanation(number, tier, scoped.ruling, scoped.grading, None, None, override, since, excepted)
        found = graded(scoped.grading, facts(conn, scoped.grading, base, number))
    held = Held(override.kind, override.tier) if override else None
    wanted = found.rule.tier if found.rule else None
    result = settled(scoped.grading, wanted, tier, held, since, day)
    return Explanation(number, tier, scoped.ruling, scoped.grading, found, result, override, since)


def facts(conn: Connection, grading: Grading, base: Basis, number: int) -> Mapping[Left, Value]:
    """Return the figures of one customer that its grading asks for."""
    found: dict[Left, Value] = {}
    for target, lefts in by_source(grading.asked()).items():
        found.update(source_at(target).facts(conn, [number], lefts, base.at)[number])
    if ANNUAL in found:
        query = select(customer.c.currency).where(customer.c.customer_id == number)
        if conn.execute(query).scalar_one() not in (None, grading.home):
            found[ANNUAL] = None  # declared in another currency: see `moves`
    return found


def place_of(conn: Connection, base: Basis, number: int) -> tuple[int | None, str]:
    """Return which of the policies grades the customer, and the reason of the exception that keeps it away."""
    one = customer.c.customer_id == number
    for place, (fits, excepted) in enumerate(base.conditions):
        for condition, out in ((fits, False), (excepted, True)):
            if conn.execute(select(customer.c.customer_id).where(one, condition)).first() is not None:
                return place, _reason(conn, base, place, number) if out else ""
    return None, ""


def _reason(conn: Connection, base: Basis, place: int, number: int) -> str:
    """Return the reason of the first exception that is for the customer."""
    scoped, one = base.scoped[place], customer.c.customer_id == number
    for exempt in scoped.ruling.exempt:
        condition = moves.excepted(base.policies, scoped, exempt, base.at)
        if conn.execute(select(customer.c.customer_id).where(one, condition)).first() is not None:
            return exempt.reason
    return ""


def _tier_then(conn: Connection, number: int, at: datetime) -> str | None:
    """Return the tier a customer had at a moment gone by; None before it was first graded."""
    before = records.history(conn, number, at, 1)
    return before[0].to_tier if before else None


def _since(conn: Connection, number: int) -> date | None:
    query = select(tier_grace.c.since_on).where(tier_grace.c.customer_id == number)
    found: Any = conn.execute(query).scalar_one_or_none()
    return None if found is None else date.fromisoformat(found)
