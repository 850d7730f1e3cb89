"""Which tier a customer has, and why: pure, for one customer at a time (TIER-01, TIER-02, TIER-04).

`moves` says the same of all customers in SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal, NamedTuple

from crmctl.policy.evaluate import Trace, evaluate, holds
from crmctl.policy.metrics import Left, Value
from crmctl.policy.windows import months_before
from crmctl.tiers.grading import ANNUAL, CUSTOMER_TYPE, LAST_ORDER, Grading, Rule

Facts = Mapping[Left, Value]
Kind = Literal["pin", "floor", "ceiling"]


class Points(NamedTuple):
    """What one measure of a score gave."""

    code: str
    points: int
    weight: int


class Held(NamedTuple):
    """An override in force: a person's word, above the rules (TIER-04)."""

    kind: Kind
    tier: str


@dataclass(frozen=True)
class Graded:
    """What the rules say of a customer: the rule that holds (None: none does), and everything that was compared."""

    rule: Rule | None
    traces: tuple[tuple[Rule, Trace | None], ...]
    score: int | None
    points: tuple[Points, ...]
    facts: Facts


@dataclass(frozen=True)
class Settled:
    """What becomes of the tier: `tier` from now on (None: no tier, nothing is decided), and because of what.

    `since` is the first day of a downgrade that waits; None when none does. A downgrade that has waited its months is
    because of `grace`.
    """

    tier: str | None
    cause: Literal["rule", "override", "grace", "waiting", "undecided"]
    since: date | None = None


def graded(grading: Grading, facts: Facts) -> Graded:
    """Return what the rules say; `facts` are of `grading.asked()`. Every rule is looked at, so that all is told."""
    known = with_annual_amount(grading, facts)
    points = tuple(_points(grading, known)) if grading.measures else ()
    score = sum(each.points * each.weight for each in points) if grading.measures else None
    found: Rule | None = None
    traces = []
    for rule in grading.rules:
        trace = None if rule.condition is None else evaluate(rule.condition, known)
        holding = (trace is None or trace.holds) and (rule.least is None or (score or 0) >= rule.least)
        traces.append((rule, trace))
        if holding and found is None:
            found = rule
    return Graded(found, tuple(traces), score, points, known)


def with_annual_amount(grading: Grading, facts: Facts) -> dict[Left, Value]:
    """Return the facts with the annual amount from where the policy says: orders, or the record."""
    known = dict(facts)
    if ANNUAL not in known:
        return known
    for origin in grading.origins:
        if origin.types and known[CUSTOMER_TYPE] not in origin.types:
            continue
        if origin.orders is not None and not (origin.else_declared and known[LAST_ORDER] is None):
            known[ANNUAL] = known[origin.orders]
        break
    return known


def _points(grading: Grading, facts: Facts) -> list[Points]:
    found = []
    for measure in grading.measures:
        given = next((points for when, points in measure.bands if when is None or holds(when, facts)), 0)
        found.append(Points(measure.code, given, measure.weight))
    return found


def settled(
    grading: Grading, wanted: str | None, current: str | None, held: Held | None, since: date | None, day: date
) -> Settled:
    """Return what becomes of a tier on `day`.

    `wanted` is what the rules say (None: nothing), `since` the first day of a downgrade that waits already. A pin is
    the tier; a floor or a ceiling bounds what the rules say. A downgrade waits for the policy's months, unless a pin
    or a ceiling asks for it.
    """
    ranks = grading.ranks()
    final, cause = _overridden(ranks, wanted, held)
    if final is None:
        return Settled(current, "undecided")
    here = ranks.get(current or "")
    forced = cause == "override" and held is not None and held.kind != "floor"
    if here is None or ranks[final] <= here or not grading.months or forced:
        return Settled(final, cause)
    begun = since or day
    if begun <= months_before(day, grading.months):
        return Settled(final, "grace" if cause == "rule" else cause)
    return Settled(current, "waiting", begun)


def _overridden(
    ranks: Mapping[str, int], wanted: str | None, held: Held | None
) -> tuple[str | None, Literal["rule", "override"]]:
    """Return the tier after an override, and whether the override made it."""
    if held is None or held.tier not in ranks:
        return wanted, "rule"
    if held.kind == "pin":
        return held.tier, "override"
    if wanted is None:
        return None, "rule"
    bound_by = ranks[wanted] > ranks[held.tier] if held.kind == "floor" else ranks[wanted] < ranks[held.tier]
    return (held.tier, "override") if bound_by else (wanted, "rule")
