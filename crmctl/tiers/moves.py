"""Grading in SQL: one query says of all customers who moves where, and why; the same as `decide` says of one.

A move is a customer for whom something is to be done: `change` its tier, let a downgrade `wait` from now on, `clear` a
wait that is over without one, or say that it is `undecided` (no rule takes it). Whoever stays as it is does not appear.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    Text,
    and_,
    case,
    false,
    func,
    literal,
    not_,
    null,
    or_,
    select,
    true,
    type_coerce,
)

from crmctl.customers import ruled
from crmctl.customers.model import NO_CUSTOMER
from crmctl.customers.ruled import Ground
from crmctl.customers.tables import customer
from crmctl.policy.conditions import Bound
from crmctl.policy.conditionsql import compiled
from crmctl.policy.exemptions import Exempt
from crmctl.policy.metrics import Left
from crmctl.policy.policyset import PolicySet
from crmctl.policy.scopes import Ruling
from crmctl.policy.windows import months_before
from crmctl.tiers.grading import ANNUAL, CUSTOMER_TYPE, LAST_ORDER, Grading
from crmctl.tiers.records import override_in_force
from crmctl.tiers.tables import tier_grace, tier_override

CHANGE, WAIT, CLEAR, UNDECIDED = "change", "wait", "clear", "undecided"
Column = ColumnElement[Any]


@dataclass(frozen=True)
class Scoped:
    """A grading, and for whom: `condition` and not an exception, and no earlier scope took them."""

    ruling: Ruling
    grading: Grading


@dataclass(frozen=True)
class Part:
    """Whose moves are asked for: customer numbers from `first` to `last`, those of `only`; everybody's otherwise."""

    first: int | None = None
    last: int | None = None
    only: tuple[int, ...] = ()

    def holds(self, number: Column) -> ColumnElement[bool]:
        """Return the condition on a column of customer numbers."""
        named = number.in_(self.only) if self.only else true()
        if self.first is None or self.last is None:
            return named
        return and_(number.between(self.first, self.last), named)


def scope_conditions(
    policies: PolicySet, scoped: Sequence[Scoped], at: datetime
) -> list[tuple[ColumnElement[bool], ColumnElement[bool]]]:
    """Return for each grading who is graded by it and who is excepted from it: each customer once at most.

    Who is cancelled, and whom nobody knows yet, is no customer to grade.
    """
    decimals = scoped[0].grading.decimals if scoped else 0
    somebody = customer.c.status.not_in(NO_CUSTOMER)
    pairs = ruled.scope_conditions(Ground(policies, decimals, at), [each.ruling for each in scoped])
    return [(and_(somebody, fits), and_(somebody, out)) for fits, out in pairs]


def excepted(policies: PolicySet, each: Scoped, exempt: Exempt, at: datetime) -> ColumnElement[bool]:
    """Return the condition that an exception is for a customer."""
    return ruled.excepted(Ground(policies, each.grading.decimals, at), exempt)


def moves(each: Scoped, fits: ColumnElement[bool], at: datetime, part: Part) -> Select[Any]:
    """Return the moves of the customers a grading is for.

    Columns: customer_id, action, before, after, rank (of the rule that holds), held (an override that made it),
    since_on (of a wait that there is), and one column for each of `grading.compared()`.
    """
    grading = each.grading
    graded = _graded(grading, fits, at, part).subquery("graded")
    final = _final(grading, graded).subquery("final")
    columns = final.c
    worse = and_(columns.here.is_not(None), columns.final > columns.here)
    cutoff = months_before(at.date(), grading.months).isoformat() if grading.months else ""
    waits = and_(worse, not_(columns.forced), or_(columns.since_on.is_(None), columns.since_on > cutoff))
    waits = waits if grading.months else false()
    moved = or_(columns.here.is_(None), columns.final != columns.here)
    action = case(
        (columns.final.is_(None), literal(UNDECIDED, Text)),
        (waits, case((columns.since_on.is_(None), literal(WAIT, Text)), else_=null())),
        (moved, literal(CHANGE, Text)),
        (columns.since_on.is_not(None), literal(CLEAR, Text)),
        else_=null(),
    )
    after = case(
        *((columns.final == rule.rank, literal(rule.tier, Text)) for rule in grading.rules), else_=columns.before
    )
    values = [columns[f"value_{position}"] for position in range(len(grading.compared()))]
    told = select(
        columns.customer_id, action.label("action"), columns.before, after.label("after"), columns.rank,
        columns.held, columns.since_on, *values,
    ).subquery("moves")  # fmt: skip
    return select(told).where(told.c.action.is_not(None))


def _graded(grading: Grading, fits: ColumnElement[bool], at: datetime, part: Part) -> Select[Any]:
    """Return each customer with its tier, the rank of the rule that holds, its override and its wait."""
    lefts = grading.asked()
    columns, origin = ruled.joined(lefts, at, None if part == Part() else part.holds)
    known = _with_annual_amount(grading, columns)
    held, waits = tier_override, tier_grace
    own = and_(held.c.customer_id == customer.c.customer_id, override_in_force(at))
    origin = origin.outerjoin(held, own).outerjoin(waits, waits.c.customer_id == customer.c.customer_id)
    ranks = grading.ranks()
    return (
        select(
            customer.c.customer_id,
            customer.c.tier.label("before"),
            _rank_of(customer.c.tier, ranks).label("here"),
            _rank(grading, known).label("rank"),
            held.c.kind.label("kind"),
            _rank_of(held.c.tier, ranks).label("held_rank"),
            waits.c.since_on,
            *(known[left].label(f"value_{position}") for position, left in enumerate(grading.compared())),
        )
        .select_from(origin)
        .where(fits, part.holds(customer.c.customer_id))
    )


def _with_annual_amount(grading: Grading, columns: Mapping[Left, Column]) -> dict[Left, Column]:
    known = ruled.in_home_currency(grading.home, columns)
    if ANNUAL not in known or not grading.origins:
        return known
    declared = known[ANNUAL]
    branches: list[tuple[ColumnElement[bool], Column]] = []
    rest: Column = declared
    for origin in grading.origins:
        value = declared if origin.orders is None else columns[origin.orders]
        if origin.else_declared:
            value = case((columns[LAST_ORDER].is_(None), declared), else_=value)
        if not origin.types:
            rest = value
            break
        branches.append((columns[CUSTOMER_TYPE].in_(sorted(origin.types)), value))
    known[ANNUAL] = type_coerce(case(*branches, else_=rest), BigInteger) if branches else rest
    return known


def _rank_of(tier: Column, ranks: Mapping[str, int]) -> Column:
    return case(*((tier == code, literal(rank, Integer)) for code, rank in ranks.items()), else_=null())


def _rank(grading: Grading, known: Mapping[Left, Column]) -> Column:
    """Return the rank of the first rule that holds; NULL where none does."""
    score = _score(grading, known) if grading.measures else None
    branches: list[tuple[ColumnElement[bool], Any]] = []
    for rule in grading.rules:
        holds: list[ColumnElement[bool]] = []
        if rule.condition is not None:
            holds.append(compiled(rule.condition, known))
        if rule.least is not None and score is not None:
            holds.append(score >= literal(rule.least, BigInteger))
        branches.append((and_(true(), *holds), literal(rule.rank, Integer)))
    return case(*branches, else_=null())


def _score(grading: Grading, known: Mapping[Left, Column]) -> Column:
    parts: list[Column] = []
    for measure in grading.measures:
        branches = [(_band(when, known), literal(points, BigInteger)) for when, points in measure.bands]
        parts.append(case(*branches, else_=literal(0, BigInteger)) * literal(measure.weight, BigInteger))
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def _band(when: Bound | None, known: Mapping[Left, Column]) -> ColumnElement[bool]:
    return true() if when is None else compiled(when, known)


def _final(grading: Grading, graded: Any) -> Select[Any]:
    """Return the same with the rank after the override, and whether the override forces a downgrade."""
    columns = graded.c
    pinned = and_(columns.kind == "pin", columns.held_rank.is_not(None))
    raised = and_(columns.kind == "floor", columns.rank > columns.held_rank)
    lowered = and_(columns.kind == "ceiling", columns.rank < columns.held_rank)
    overridden = or_(pinned, raised, lowered)
    forced = func.coalesce(or_(pinned, lowered), false())
    values = [columns[f"value_{position}"] for position in range(len(grading.compared()))]
    return select(
        columns.customer_id,
        columns.before,
        columns.here,
        columns.rank,
        columns.since_on,
        case((overridden, columns.held_rank), else_=columns.rank).label("final"),
        case((overridden, columns.kind), else_=null()).label("held"),
        forced.label("forced"),
        *values,
    )
