"""Who may be destroyed, in SQL: one query says of all customers what `decide` says of one (DES-01, DES-07).

A provisional customer whose complaint was found out to be somebody's is that somebody's: it goes with them, and is
nobody to decide about by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from heapq import merge
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    Select,
    Text,
    case,
    exists,
    func,
    literal,
    not_,
    or_,
    select,
)

from crmctl.complaints.tables import complaint
from crmctl.customers import ruled
from crmctl.customers.policy import decimals_of
from crmctl.customers.ruled import Ground
from crmctl.customers.tables import customer
from crmctl.errors import InvalidInput
from crmctl.i18n import _
from crmctl.policy.conditionsql import first
from crmctl.policy.metrics import Left, Within
from crmctl.policy.policyset import PolicySet
from crmctl.policy.scopes import Ruling, in_force
from crmctl.retention.decide import DUE, GRACE, MINIMUM, NO_RULE, NO_START, RUNNING
from crmctl.retention.rules import NEVER, Ready, Rule, ready, settings_of, unset
from crmctl.runs import run as runs
from crmctl.runs.run import Run

Column = ColumnElement[Any]
_AT_ONCE = 5_000


class Found(NamedTuple):
    """A customer: which rule of which policy is its, and since how many days its period runs."""

    customer_id: int
    policy: int
    rule: int | None
    days: int


class Named(NamedTuple):
    """A customer that was asked about; `law` says that a period of the law is not over, whatever else holds."""

    found: Found
    state: str
    law: bool


@dataclass(frozen=True)
class Basis:
    """What is decided by on one day: the policies in force, most specific first, ready to use."""

    policies: PolicySet
    rulings: tuple[Ruling, ...]
    readies: tuple[Ready, ...]
    at: datetime  # in the company's zone

    @cached_property
    def conditions(self) -> list[ruled.Pair]:
        """For each policy the SQL conditions of whom it is for and whom it excepts."""
        decimals = self.readies[0].decimals if self.readies else 0
        return ruled.scope_conditions(Ground(self.policies, decimals, self.at), self.rulings)

    def states(self, conn: Connection) -> dict[tuple[int, str], int]:
        """Return how many customers are in which state, by policy."""
        found: dict[tuple[int, str], int] = {}
        for place, (fits, _excepted) in enumerate(self.conditions):
            each = self._decided(place, fits).subquery("decided")
            query = select(each.c.state, func.count()).group_by(each.c.state)
            found.update({(place, state): number for state, number in conn.execute(query)})
        return found

    def due(self, conn: Connection, within: Within | None = None) -> Iterator[Found]:
        """Yield those who may be destroyed, by customer number, in flat memory; `within` restricts them."""
        yield from merge(*(self._due(conn, place, within) for place in range(len(self.readies))))

    def _due(self, conn: Connection, place: int, within: Within | None) -> Iterator[Found]:
        each = self._decided(place, self.conditions[place][0], within).subquery("decided")
        query = select(each.c.customer_id, each.c.rule, each.c.days).where(each.c.state == DUE)
        # Of the statement: an option of the connection would last, and turn every later statement into a cursor.
        options = {"yield_per": _AT_ONCE}
        for row in conn.execute(query.order_by(each.c.customer_id), execution_options=options):
            yield Found(row[0], place, row[1], row[2])

    def named(self, conn: Connection, customers: Collection[int]) -> Iterator[Named]:
        """Yield what holds of these customers, whether their time is over or not: for a person who asks (PIPL 47)."""
        for place, (fits, _excepted) in enumerate(self.conditions):
            each = self._decided(place, fits, lambda number: number.in_(customers)).subquery("decided")
            query = select(each.c.customer_id, each.c.rule, each.c.days, each.c.state, each.c.law)
            for row in conn.execute(query.order_by(each.c.customer_id)):
                yield Named(Found(row[0], place, row[1], row[2]), row[3], bool(row[4]))

    def _decided(self, place: int, fits: ColumnElement[bool], within: Within | None = None) -> Select[Any]:
        """Return the customers of a policy with rule, state and days; `within` restricts them by their number."""
        each = self.readies[place]
        columns, origin = ruled.joined(each.asked(), self.at, within)
        known = ruled.in_home_currency(self.policies.company.currency, columns)
        ranked = first([rule.condition for rule in each.rules], known)
        states = [(ranked == rule.position, _state(rule, known)) for rule in each.rules]
        days = [(ranked == rule.position, _latest(rule.since, known)) for rule in each.rules]
        laws = [(ranked == rule.position, _law(rule, known)) for rule in each.rules]
        own = complaint.c.customer_id == customer.c.customer_id
        follows = exists().where(own, complaint.c.linked_customer_id.is_not(None)).correlate(customer)
        query = select(
            customer.c.customer_id,
            ranked.label("rule"),
            case(*states, else_=literal(NO_RULE, Text)).label("state"),
            case(*days, else_=literal(NEVER, BigInteger)).label("days"),
            case(*laws, else_=literal(0, Integer)).label("law"),
        )
        query = query.select_from(origin).where(fits, not_(follows))
        return query if within is None else query.where(within(customer.c.customer_id))


def basis(run: Run) -> Basis:
    """Return what to decide by on the company's day of the run.

    Raises ValueUndecided naming all that is unset, InvalidInput with nothing in force.
    """
    at = run.as_of.astimezone(ZoneInfo(run.zone))
    day = runs.today(run.policies, run.as_of)
    rulings = tuple(each for each in in_force(run.policies, "retention", day) if not each.report)
    if not rulings:
        raise InvalidInput(
            _("no retention policy is in force on {day}").format(day=day.isoformat()),
            hint=_("see: crmctl policy list"),
            code="POLICY_MISSING",
        )
    names = [name for ruling in rulings for name in unset(run.policies, settings_of(ruling.policy))]
    if names:
        raise run.policies.waiting(tuple(dict.fromkeys(names)))
    decimals = decimals_of(run.policies)
    return Basis(run.policies, rulings, tuple(ready(run.policies, each.policy, day, decimals) for each in rulings), at)


def _state(rule: Rule, known: Mapping[Left, Column]) -> Column:
    days = _latest(rule.since, known)
    return case(
        (days == literal(NEVER, BigInteger), literal(NO_START, Text)),
        (days < literal(rule.due_days, BigInteger), literal(RUNNING, Text)),
        (_law(rule, known) == literal(1, Integer), literal(MINIMUM, Text)),
        (days < literal(rule.days, BigInteger), literal(GRACE, Text)),
        else_=literal(DUE, Text),
    )


def _law(rule: Rule, known: Mapping[Left, Column]) -> Column:
    """Return 1 while a period of the law is not over, else 0."""
    under = [_latest(each.since, known) < literal(each.days, BigInteger) for each in rule.minimums]
    return case((or_(*under), literal(1, Integer)), else_=literal(0, Integer)) if under else literal(0, Integer)


def _latest(since: Sequence[Left], known: Mapping[Left, Column]) -> Column:
    """Return the least of the days that are known; NEVER where none is."""
    least: Column = literal(NEVER, BigInteger)
    for left in since:
        days = func.coalesce(known[left], literal(NEVER, BigInteger), type_=BigInteger)
        least = case((days < least, days), else_=least)
    return least
