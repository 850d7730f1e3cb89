"""Anonymised customers counted in groups: in the chunk that destroys them, and brought together at the end of a purge.

A group is a rule and what is left under it, alike for all who are in it. Nothing says who was, nor when each came.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import Connection, select

from crmctl.customers.policy import decimals_of
from crmctl.customers.tables import customer
from crmctl.retention import anonymous
from crmctl.retention.anonymous import Terms
from crmctl.retention.policy import Anonymise
from crmctl.retention.selecting import Basis
from crmctl.retention.tables import anonymous_group
from crmctl.runs.plans import Item, Plan
from crmctl.runs.run import Run
from crmctl.store import bulk

SUMMARY = "anonymise"  # where the summary of a plan has what its rules leave
_COLUMNS = ("digest", "rule", "facts", "customers", "plan_id")
_NOTHING = anonymous.dumps({})
_AT_ONCE = 10_000
TOGETHER = 0  # the plan of what all purges that are done left
Alike = tuple[str, str]  # a rule, and the facts of those who are alike under it
Place = tuple[int, int]  # of a policy among those in force, of a rule in it


class Group(NamedTuple):
    """Of how many customers, anonymised by a rule, these facts held."""

    rule: str
    facts: Mapping[str, Any]
    customers: int


@dataclass(frozen=True)
class Leaving:
    """What the rules of a plan leave of customers, by place of the rule; none where nobody is anonymised."""

    plan_id: int
    specs: Mapping[Place, tuple[str, Anonymise]]
    terms: Terms


def told(base: Basis) -> list[dict[str, Any]]:
    """Return what the rules of these policies leave, for the summary of a plan."""
    found = []
    for place, each in base.readies.items():
        for rule in each.rules:
            spec = each.written(rule.position).anonymise
            if spec is not None:
                found.append({"policy": place, "rule": rule.position, "code": rule.code, **spec.model_dump()})
    return found


def leaving(run: Run, found: Plan) -> Leaving:
    """Return what a plan leaves of whom: as it said when it was made, whatever the policies are by now."""
    specs = {}
    for each in found.summary.get(SUMMARY, ()):
        settings = {name: each[name] for name in Anonymise.model_fields}
        specs[each["policy"], each["rule"]] = (str(each["code"]), Anonymise.model_validate(settings))
    terms = Terms(ZoneInfo(run.zone), run.policies.company.currency, decimals_of(run.policies))
    return Leaving(found.plan_id, specs, terms)


def leave(conn: Connection, given: Leaving, page: Sequence[Item]) -> Counter[str]:
    """Count those of a page who are anonymised into their groups, before their rows go; return how many by rule.

    In the transaction that removes them: each is counted once, whatever is killed.
    """
    places = {item.customer_id: place for item in page if (place := (item.detail[0], item.detail[1])) in given.specs}
    if not places:
        return Counter()
    names = anonymous.columns(spec for _code, spec in given.specs.values())
    rows = bulk.fetch_by_keys(conn, customer, "customer_id", places, ("customer_id", *names))
    groups: Counter[Alike] = Counter()
    for number, *values in rows:
        code, spec = given.specs[places[number]]
        facts = anonymous.left(spec, dict(zip(names, values, strict=True)), given.terms)
        groups[code, anonymous.dumps(facts)] += 1
    _add(conn, given.plan_id, groups)
    by_rule: Counter[str] = Counter()
    for (code, _facts), number in groups.items():
        by_rule[code] += number
    return by_rule


def bring_together(conn: Connection, given: Leaving) -> None:
    """Add what a purge counted to what there is, where enough are alike; the rest becomes a number without facts.

    In the transaction that ends the purge: before it, nobody is shown what is not enough yet.
    """
    columns, enough = anonymous_group.c, Counter[str]()
    for code, spec in given.specs.values():  # of rules of one name in several policies the strictest
        enough[code] = max(enough[code], spec.at_least)
    query = select(columns.digest, columns.rule, columns.facts, columns.customers)
    query = query.where(columns.plan_id == given.plan_id).limit(_AT_ONCE)
    while rows := conn.execute(query).all():
        groups = {(rule, facts): int(number) for _key, rule, facts, number in rows}
        there = _there(conn, TOGETHER, groups)
        found: Counter[Alike] = Counter()
        for (rule, facts), number in groups.items():
            alike = number + there.get((rule, facts), 0)
            found[rule, facts if alike >= enough[rule] else _NOTHING] += number
        _add(conn, TOGETHER, found)
        bulk.delete_rows(conn, anonymous_group, ("digest",), [(row[0],) for row in rows])


def listed(conn: Connection, rules: Collection[str] = ()) -> Iterator[Group]:
    """Yield the groups, of some rules or of all: the largest of each rule first."""
    columns = anonymous_group.c
    query = select(columns.rule, columns.facts, columns.customers).where(columns.plan_id == TOGETHER)
    if rules:
        query = query.where(columns.rule.in_(rules))
    for rule, facts, number in conn.execute(query.order_by(columns.rule, columns.customers.desc(), columns.facts)):
        yield Group(rule, orjson.loads(facts), number)


def _add(conn: Connection, plan: int, groups: Mapping[Alike, int]) -> None:
    there = _there(conn, plan, groups)
    rows = [(_digest(plan, *of), *of, number + there.get(of, 0), plan) for of, number in groups.items()]
    bulk.replace_rows(conn, anonymous_group, _COLUMNS, rows)


def _there(conn: Connection, plan: int, groups: Collection[Alike]) -> dict[Alike, int]:
    """Return how many of some groups there are already."""
    keys = [_digest(plan, *of) for of in groups]
    rows = bulk.fetch_by_keys(conn, anonymous_group, "digest", keys, ("rule", "facts", "customers"))
    return {(rule, facts): number for rule, facts, number in rows}


def _digest(plan: int, rule: str, facts: str) -> bytes:
    return sha256(f"{plan}\n{rule}\n{facts}".encode()).digest()
