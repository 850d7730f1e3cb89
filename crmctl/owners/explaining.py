"""`owner explain`: who was chosen, who would have been next, why, and the loads at the time (OWN-01, OWN-03)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
from sqlalchemy import Connection, select

from crmctl import clock
from crmctl.customers import scope
from crmctl.customers.ownership import ownership
from crmctl.customers.tables import customer
from crmctl.errors import ValueUndecided
from crmctl.owners import reading
from crmctl.owners.bench import Bench, bench
from crmctl.owners.decide import Person, Requirement
from crmctl.owners.terms import settings_of, terms
from crmctl.owners.weighing import Basis, Given, basis, weigh
from crmctl.policy.policyset import Policy
from crmctl.runs.run import Run
from crmctl.store import engine


@dataclass(frozen=True)
class Step:
    """One requirement and how many of the staff it left; those before it had been left by the earlier ones."""

    code: str
    left: int


@dataclass(frozen=True)
class Explanation:
    """One customer's owner explained.

    `held` is the open row of its history; `rule` and `steps` are what the policy in force says now; `next_move` who
    would get it in the next run; `code` why nobody would.
    """

    customer_id: int
    owner_id: int | None
    bench: Bench
    held: Mapping[str, Any] | None
    policy: Policy | None
    rule: int | None
    steps: tuple[Step, ...]
    next_move: Mapping[str, Any] | None
    code: str | None
    undecided: ValueUndecided | None = None
    reporting: bool = False  # the policy only reports: what it says of the next run is not done

    @property
    def clauses(self) -> list[str]:
        """The clauses behind the rule that holds now."""
        if self.policy is None or self.rule is None:
            return []
        return [str(clause) for clause in settings_of(self.policy).rules[self.rule].source]


def explain(run: Run, number: int) -> Explanation:
    """Return why customer `number` has the owner it has, and what the policy says of it at the run's time.

    Raises Refused when there is none, or none of whom the person may know.
    """
    scope.require(run, (number,))
    with engine.read(run.engine) as conn:
        owner = conn.execute(select(customer.c.owner_id).where(customer.c.customer_id == number)).scalar_one()
        found = Explanation(number, owner, bench(conn, run), _held(conn, run, number), None, None, (), None, None)
        try:
            base = basis(conn, run, (number,))
        except ValueUndecided as waiting:
            return replace(found, undecided=waiting)
        return _now(conn, base, found)


def _held(conn: Connection, run: Run, number: int) -> Mapping[str, Any] | None:
    columns = ownership.c
    query = select(ownership).where(columns.customer_id == number, columns.role == "owner", columns.until_at.is_(None))
    row = conn.execute(query).mappings().first()
    if row is None:
        return None
    inputs = orjson.loads(row["inputs"] or "{}")
    return {**row, "inputs": inputs, "since_at": clock.local(row["since_at"], run.zone)}


def _now(conn: Connection, base: Basis, found: Explanation) -> Explanation:
    for each, (fits, _out) in zip(weigh(conn, base).given, base.pairs, strict=True):
        wanted = fits & reading.only(base.numbers)
        row = next(reading.rows(conn, each.found, base.ground, wanted, base.numbers), None)
        if row is None:
            continue
        rule = next((place for place in range(len(each.found.rules)) if row.kind.rules >> place & 1), None)
        told = replace(found, policy=each.found.policy, rule=rule, reporting=each.ruling.report)
        if rule is not None:
            values = dict(zip(each.found.facts, row.kind.values, strict=True))
            own = terms(base.ground.policies, each.found, each.people)
            told = replace(told, steps=_steps(own.rules[rule], each.people, values))
        return _next(each, told)
    return found


def _steps(rule: Sequence[Requirement], people: Sequence[Person], values: Mapping[str, str | None]) -> tuple[Step, ...]:
    left = list(people)
    found = [Step("IN_POST", len(left))]
    for code, fits in rule:
        left = [person for person in left if fits(person.staff, values)]
        found.append(Step(code, len(left)))
    left = [person for person in left if not person.problems]
    return (*found, Step("OWN_05", len(left)))


def _next(each: Given, told: Explanation) -> Explanation:
    move = next(each.moves(), None)
    if move is not None:
        return replace(told, next_move={"to": move.after, "runner_up": move.runner_up, "inputs": dict(move.inputs),
                                        "rule": move.rule})  # fmt: skip
    code = next((code for _number, _rule, code in each.nobody()), None)
    return replace(told, code=code)
