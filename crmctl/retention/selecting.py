"""Who may be destroyed, in SQL: one query says of all customers what `decide` says of one (DES-01, DES-07).

A provisional customer whose complaint was found out to be somebody's is that somebody's: it goes with them, and is
nobody to decide about by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
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
    Subquery,
    Text,
    case,
    exists,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from crmctl.complaints.tables import complaint
from crmctl.customers import ruled
from crmctl.customers.policy import decimals_of
from crmctl.customers.ruled import Ground
from crmctl.customers.tables import customer
from crmctl.errors import InvalidInput
from crmctl.i18n import _
from crmctl.policy.conditionsql import first
from crmctl.policy.metrics import Left, Within
from crmctl.policy.policyset import Policy, PolicySet
from crmctl.policy.scopes import Ruling, in_force
from crmctl.retention import rules
from crmctl.retention.decide import DUE, GRACE, MINIMUM, NO_RULE, NO_START, PUT_AWAY, RUNNING
from crmctl.retention.policy import CUSTOMERS, KINDS, Kind, RetentionSettings
from crmctl.retention.rules import NEVER, Ready, Rule, of_kind, ready, settings_of, unset
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
    """What is decided by on one day: the policies in force, most specific first, and by place those that act.

    A policy in mode report takes its customers out of those of wider policies, and destroys none of them. `readies` is
    empty where nobody asks about customers.
    """

    policies: PolicySet
    rulings: tuple[Ruling, ...]
    readies: Mapping[int, Ready]
    at: datetime  # in the company's zone
    kinds: Collection[Kind] = CUSTOMERS

    @cached_property
    def acting(self) -> dict[int, Policy]:
        """The policies that act, by place."""
        return _acting(self.rulings)

    @property
    def settings(self) -> list[RetentionSettings]:
        """The settings of the policies that act; where none does, of those that report."""
        return [settings_of(each) for each in self.acting.values() or (ruling.policy for ruling in self.rulings)]

    def unowned(self, kind: Kind) -> Policy | None:
        """Return the policy for everybody, where it says how long a kind is kept and that kind is asked about."""
        if kind not in self.kinds:
            return None
        found = (each for each in self.acting.values() if each.scope.everybody)
        return next((each for each in found if of_kind(settings_of(each), kind) is not None), None)

    def archives(self, found: Found) -> bool:
        """Say whether the rule that is somebody's puts away, rather than destroys."""
        return found.rule is not None and self.readies[found.policy].rules[found.rule].archives

    def earlier(self, by: timedelta) -> Basis:
        """Return the same as of some time before, for what has nothing but a beginning."""
        return replace(self, at=self.at - by)

    @cached_property
    def conditions(self) -> list[ruled.Pair]:
        """For each policy the SQL conditions of whom it is for and whom it excepts."""
        ground = Ground(self.policies, decimals_of(self.policies), self.at)
        return ruled.scope_conditions(ground, self.rulings)

    def states(self, conn: Connection) -> dict[tuple[int, str], int]:
        """Return how many customers are in which state, by policy."""
        found: dict[tuple[int, str], int] = {}
        for place in self.readies:
            each = self._decided(place).subquery("decided")
            query = select(each.c.state, func.count()).group_by(each.c.state)
            found.update({(place, state): number for state, number in conn.execute(query)})
        return found

    def due(self, conn: Connection, within: Within | None = None) -> Iterator[Found]:
        """Yield those who may be destroyed, by customer number, in flat memory; `within` restricts them."""
        yield from merge(*(self._due(conn, place, within) for place in self.readies))

    def _due(self, conn: Connection, place: int, within: Within | None) -> Iterator[Found]:
        each = self._decided(place, within).subquery("decided")
        query = select(each.c.customer_id, each.c.rule, each.c.days).where(each.c.state == DUE)
        # Of the statement: an option of the connection would last, and turn every later statement into a cursor.
        options = {"yield_per": _AT_ONCE}
        for row in conn.execute(query.order_by(each.c.customer_id), execution_options=options):
            yield Found(row[0], place, row[1], row[2])

    def named(self, conn: Connection, customers: Collection[int]) -> Iterator[Named]:
        """Yield what holds of these customers, whether their time is over or not: for a person who asks (PIPL 47)."""
        for place in self.readies:
            each = self._decided(place, lambda number: number.in_(customers)).subquery("decided")
            query = select(each.c.customer_id, each.c.rule, each.c.days, each.c.state, each.c.law)
            for row in conn.execute(query.order_by(each.c.customer_id)):
                yield Named(Found(row[0], place, row[1], row[2]), row[3], bool(row[4]))

    def _decided(self, place: int, within: Within | None = None) -> Select[Any]:
        """Return the customers of a policy with rule, state, days and law; `within` restricts them by their number."""
        each, (facts, known) = self.readies[place], self._facts(place, within)
        ranked = first([rule.condition for rule in each.rules], known).label("rule")
        days = {rule.position: _latest(rule.since, known).label(f"days_{rule.position}") for rule in each.rules}
        laws = {rule.position: _law(rule, known).label(f"law_{rule.position}") for rule in each.rules}
        away = _put_away(each, known)
        figures = _once(select(facts.c.customer_id, ranked, away, *days.values(), *laws.values()), "figures").c

        def of_rule(value: Callable[[Rule], Column], other: Column) -> Column:
            return case(*((figures.rule == rule.position, value(rule)) for rule in each.rules), else_=other)

        return select(
            figures.customer_id,
            figures.rule,
            of_rule(lambda rule: _state(rule, figures), literal(NO_RULE, Text)).label("state"),
            of_rule(lambda rule: figures[f"days_{rule.position}"], literal(NEVER, BigInteger)).label("days"),
            of_rule(lambda rule: figures[f"law_{rule.position}"], literal(0, Integer)).label("law"),
        )

    def _facts(self, place: int, within: Within | None) -> tuple[Subquery, dict[Left, Column]]:
        """Return the customers of a policy with every fact that is asked of them, each worked out once."""
        lefts = self.readies[place].asked()
        columns, origin = ruled.joined(lefts, self.at, within)
        known = ruled.in_home_currency(self.policies.company.currency, columns)
        own = complaint.c.customer_id == customer.c.customer_id
        follows = exists().where(own, complaint.c.linked_customer_id.is_not(None)).correlate(customer)
        told = (known[left].label(f"fact_{position}") for position, left in enumerate(lefts))
        query = (
            select(customer.c.customer_id, *told).select_from(origin).where(self.conditions[place][0], not_(follows))
        )
        if within is not None:
            query = query.where(within(customer.c.customer_id))
        facts = _once(query, "facts")
        return facts, {left: facts.c[f"fact_{position}"] for position, left in enumerate(lefts)}


def _once(query: Select[Any], name: str) -> Subquery:
    """Return a subquery whose columns are worked out once a row, however often they are named outside of it.

    Without the OFFSET a database writes their expressions out wherever they are named: two to three times the work.
    """
    return query.offset(literal_column("0")).subquery(name)


def basis(run: Run, kinds: Collection[Kind] = KINDS) -> Basis:
    """Return what to decide by, of some kinds of data, on the company's day of the run.

    Raises ValueUndecided naming all that is unset, InvalidInput with nothing in force.
    """
    day, rulings = _in_force(run)
    acting = _acting(rulings)
    if not rulings:
        raise InvalidInput(
            _("no retention policy is in force on {day}").format(day=day.isoformat()),
            hint=_("see: crmctl policy list"),
            code="POLICY_MISSING",
        )
    names = [name for policy in acting.values() for name in unset(run.policies, settings_of(policy), kinds)]
    if names:
        raise run.policies.waiting(tuple(dict.fromkeys(names)))
    return _basis(run, rulings, acting if "customers" in kinds else {}, day, kinds)


def reporting(run: Run) -> Basis:
    """Return what the policies in mode report decide by; of those that need a value nobody decided, nothing."""
    day, rulings = _in_force(run)
    found = {place: each.policy for place, each in enumerate(rulings) if each.report}
    known = {place: each for place, each in found.items() if not unset(run.policies, settings_of(each), CUSTOMERS)}
    return _basis(run, rulings, known, day, CUSTOMERS)


def _in_force(run: Run) -> tuple[date, tuple[Ruling, ...]]:
    day = runs.today(run.policies, run.as_of)
    return day, in_force(run.policies, "retention", day)


def _basis(
    run: Run, rulings: tuple[Ruling, ...], asked: Mapping[int, Policy], day: date, kinds: Collection[Kind]
) -> Basis:
    decimals = decimals_of(run.policies)
    readies = {place: ready(run.policies, policy, day, decimals) for place, policy in asked.items()}
    return Basis(run.policies, rulings, readies, run.as_of.astimezone(ZoneInfo(run.zone)), kinds)


def _acting(rulings: Sequence[Ruling]) -> dict[int, Policy]:
    return {place: each.policy for place, each in enumerate(rulings) if not each.report}


def _state(rule: Rule, figures: Any) -> Column:  # noqa: ANN401 - columns of a subquery
    days = figures[f"days_{rule.position}"]
    away = (figures.put_away == literal(1, Integer), literal(PUT_AWAY, Text))
    law = (figures[f"law_{rule.position}"] == literal(1, Integer), literal(MINIMUM, Text))
    return case(
        *([away] if rule.archives else []),
        (days == literal(NEVER, BigInteger), literal(NO_START, Text)),
        (days < literal(rule.due_days, BigInteger), literal(RUNNING, Text)),
        *([] if rule.archives else [law]),
        (days < literal(rule.days, BigInteger), literal(GRACE, Text)),
        else_=literal(DUE, Text),
    )


def _put_away(each: Ready, known: Mapping[Left, Column]) -> ColumnElement[int]:
    """Return 1 for who is put away already, where a rule asks; else 0."""
    if not any(rule.archives for rule in each.rules):
        return literal(0, Integer).label("put_away")
    return case((known[rules.PUT_AWAY].is_not(None), literal(1, Integer)), else_=literal(0, Integer)).label("put_away")


def _law(rule: Rule, known: Mapping[Left, Column]) -> Column:
    """Return 1 while a period of the law is not over, else 0."""
    under = [_latest(each.since, known) < literal(each.days, BigInteger) for each in rule.minimums]
    return case((or_(*under), literal(1, Integer)), else_=literal(0, Integer)) if under else literal(0, Integer)


class _Least(FunctionElement[int]):
    """The least of several numbers, none of them NULL."""

    inherit_cache = True
    type = BigInteger()


@compiles(_Least, "postgresql")
def _least_postgresql(element: _Least, compiler: Any, **given: Any) -> str:
    return str(compiler.process(func.least(*element.clauses), **given))


@compiles(_Least, "sqlite")
def _least_sqlite(element: _Least, compiler: Any, **given: Any) -> str:
    return str(compiler.process(func.min(*element.clauses), **given))


def _latest(since: Sequence[Left], known: Mapping[Left, Column]) -> Column:
    """Return the least of the days that are known; NEVER where none is."""
    never = literal(NEVER, BigInteger)
    return _Least(*(func.coalesce(known[left], never, type_=BigInteger) for left in since), never)
