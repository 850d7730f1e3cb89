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
from sqlalchemy import Connection, delete, func, select

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
    groups: Counter[tuple[str, str]] = Counter()
    for number, *values in rows:
        code, spec = given.specs[places[number]]
        facts = anonymous.left(spec, dict(zip(names, values, strict=True)), given.terms)
        groups[code, anonymous.dumps(facts)] += 1
    _add(conn, given.plan_id, groups)
    by_rule: Counter[str] = Counter()
    for (code, _facts), number in groups.items():
        by_rule[code] += number
    return by_rule


def fold(conn: Connection, given: Leaving) -> None:
    """Let the groups that are too small be a number without facts; done twice, nothing changes."""
    columns = anonymous_group.c
    for code, spec in given.specs.values():
        small = (columns.rule == code, columns.facts != _NOTHING, columns.customers < spec.at_least)
        number = conn.execute(select(func.sum(columns.customers)).where(*small)).scalar_one()
        if number:
            conn.execute(delete(anonymous_group).where(*small))
            _add(conn, given.plan_id, {(code, _NOTHING): int(number)})


def listed(conn: Connection, rules: Collection[str] = ()) -> Iterator[Group]:
    """Yield the groups, of some rules or of all: the largest of each rule first."""
    columns = anonymous_group.c
    query = select(columns.rule, columns.facts, columns.customers)
    if rules:
        query = query.where(columns.rule.in_(rules))
    for rule, facts, number in conn.execute(query.order_by(columns.rule, columns.customers.desc(), columns.facts)):
        yield Group(rule, orjson.loads(facts), number)


def _add(conn: Connection, plan: int, groups: Mapping[tuple[str, str], int]) -> None:
    new = {_digest(*of): (*of, number) for of, number in groups.items()}
    there: dict[bytes, int] = dict(bulk.fetch_by_keys(conn, anonymous_group, "digest", new, ("digest", "customers")))
    rows = [(digest, code, facts, number + there.get(digest, 0), plan) for digest, (code, facts, number) in new.items()]
    bulk.replace_rows(conn, anonymous_group, _COLUMNS, rows)


def _digest(rule: str, facts: str) -> bytes:
    return sha256(f"{rule}\n{facts}".encode()).digest()
