"""Which of several policies is for which customers, as conditions in SQL: scopes in their order, exceptions (RULE-07).

The conditions are on rows of table `customer` alone: what another table says of one is looked up for that one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, FromClause, and_, case, false, not_, null, or_, select, true

from crmctl.customers.tables import customer
from crmctl.policy.conditions import Condition, bound
from crmctl.policy.conditionsql import compiled
from crmctl.policy.exemptions import Exempt
from crmctl.policy.metrics import BY_NAME, Left, Within, by_source, source_at
from crmctl.policy.policyset import PolicySet
from crmctl.policy.scopes import Ruling

Column = ColumnElement[Any]
Pair = tuple[ColumnElement[bool], ColumnElement[bool]]
ANNUAL = Left(BY_NAME["annual_amount"])


@dataclass(frozen=True)
class Ground:
    """What conditions are read on: the policies, the decimals of the home currency, a time in the company's zone."""

    policies: PolicySet
    decimals: int
    at: datetime

    @property
    def home(self) -> str:
        """The home currency."""
        return self.policies.company.currency


def scope_conditions(ground: Ground, rulings: Sequence[Ruling]) -> list[Pair]:
    """Return for each ruling who it is for and who is excepted from it: each customer once at most."""
    earlier: list[ColumnElement[bool]] = []
    found = []
    for ruling in rulings:
        fits = condition(ground, ruling.condition)
        here = and_(fits, *(not_(before) for before in earlier))
        out = or_(false(), *(excepted(ground, exempt) for exempt in ruling.exempt))
        found.append((and_(here, not_(out)), and_(here, out)))
        earlier.append(fits)
    return found


def excepted(ground: Ground, exempt: Exempt) -> ColumnElement[bool]:
    """Return the condition that an exception is for a customer."""
    numbers = customer.c.customer_id.in_(exempt.numbers) if exempt.numbers else true()
    return and_(numbers, condition(ground, exempt.condition))


def condition(ground: Ground, given: Condition | None) -> ColumnElement[bool]:
    """Return a condition on one row of `customer`; None holds for everybody."""
    if given is None:
        return true()
    ready = bound(given, ground.policies.figure, ground.decimals)
    columns: dict[Left, Column] = {}
    for target, lefts in by_source(ready.tree.lefts()).items():
        answer = source_at(target).columns(lefts, ground.at)
        own = answer.source.c.customer_id == customer.c.customer_id
        for left, column in answer.columns.items():
            apart = answer.source is not customer
            columns[left] = select(column).where(own).correlate(customer).scalar_subquery() if apart else column
    return compiled(ready, in_home_currency(ground.home, columns))


def joined(lefts: Sequence[Left], at: datetime, within: Within | None = None) -> tuple[dict[Left, Column], FromClause]:
    """Return the columns of the left sides, and what they are selected from: `customer`, joined with the others."""
    columns: dict[Left, Column] = {}
    origin: FromClause = customer
    for target, asked in by_source(lefts).items():
        answer = source_at(target).columns(asked, at, within)
        columns.update(answer.columns)
        if answer.source is not customer:
            origin = origin.outerjoin(answer.source, answer.source.c.customer_id == customer.c.customer_id)
    return columns, origin


def in_home_currency(home: str, columns: Mapping[Left, Column]) -> dict[Left, Column]:
    """Return the columns with the declared amount unknown where it is in another currency: rates are for orders."""
    if ANNUAL not in columns:
        return dict(columns)
    known = or_(customer.c.currency.is_(None), customer.c.currency == home)
    return {**columns, ANNUAL: case((known, columns[ANNUAL]), else_=null())}
