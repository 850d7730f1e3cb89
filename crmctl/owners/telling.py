"""Assignments in words: counts, books before and after, customers nobody can take, one customer's owner explained."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, compress, islice
from typing import Any

from crmctl.cli.render import Column, Table
from crmctl.customers import showing
from crmctl.i18n import N_, _, pick
from crmctl.owners.assign import Outcome
from crmctl.owners.decide import Books
from crmctl.owners.measure import UNGRADED, Book, Measure, governing, measure, takes_some
from crmctl.owners.measure import fairness as how_even
from crmctl.owners.terms import settings_of
from crmctl.owners.weighing import Weighed
from crmctl.policy.metrics import BY_NAME
from crmctl.policy.model import CodeItem
from crmctl.policy.policyset import PolicySet
from crmctl.runs.run import Run

COUNTS = (
    ("assigned", N_("Assigned")),
    ("kept", N_("Kept")),
    ("unassignable", N_("Unassignable")),
    ("exempt", N_("Excepted")),
    ("reported", N_("Would change")),
)
CODES = {
    "NO_RULE": N_("no rule of the policy is for it"),
    "POST": N_("nobody is on a post that the rule asks for"),
    "LEVEL": N_("nobody has a level that the rule asks for"),
    "LEVEL_FROM": N_("nobody has the level that the rule asks for, or a higher one"),
    "LANGUAGE": N_("nobody speaks the languages that the rule asks for"),
    "ORG_UNIT": N_("nobody is of an organisation unit that the rule asks for"),
    "REGION": N_("nobody is responsible for a region that the rule asks for"),
    "DEPARTMENT": N_("nobody is of a department that the rule asks for"),
    "SAME_ORG_UNIT": N_("nobody is of the customer's organisation unit"),
    "SAME_REGION": N_("nobody is responsible for the customer's region"),
    "OWN_05": N_("nobody of those the rule asks for may own customers (training, undertaking, absence)"),
    "CONFLICT": N_("a conflict of interest bars everybody"),
    "LOCKED_OUT": N_("everybody left had it until lately"),
    "FULL": N_("everybody is full"),
    "NO_POLICY": N_("no owners policy that acts is for them, or an exception is"),
}


def code_text(code: str) -> str:
    """Return why nobody can take a customer, in words."""
    if code.startswith("SKILL_"):
        told = _("nobody has the skill that the rule asks for ({code})")
        return told.format(code=skill_text(code))
    return _(CODES.get(code, code))


def skill_text(code: str) -> str:
    """Return the fact of customers that a skill is about, as people call it."""
    return _(BY_NAME[code.removeprefix("SKILL_").lower()].label)


def counts_table(outcome: Outcome) -> Table:
    """Return the counts of an outcome; those that are nought and say nothing are left out."""
    shown = [(name, label) for name, label in COUNTS if name in ("assigned", "kept", "unassignable")
             or outcome.counts[name]]  # fmt: skip
    columns = tuple(Column(name, label, right=True) for name, label in shown)
    return Table(columns, [tuple(outcome.counts[name] for name, _label in shown)])


def owner_rows(weighed: Weighed) -> list[dict[str, Any]]:
    """Return everybody's book before and after: customers, load in the policy's measure, value, tiers."""
    before, after = _figures(weighed, weighed.before), _figures(weighed, weighed.after)
    return [
        {
            "staff_id": person.staff.staff_id,
            "number": person.staff.number,
            "capacity": person.capacity,
            "problems": list(person.problems),
            "before": before[index],
            "after": after[index],
        }
        for index, person in enumerate(weighed.people)
    ]


def _figures(weighed: Weighed, books: Books) -> list[dict[str, Any]]:
    used = measure_of(weighed)
    return [
        {
            "customers": book.customers,
            "load": used.load(book.tiers, book.value),
            "value": book.value,
            "tiers": dict(book.tiers),
        }
        for book in _books(weighed, books)
    ]


def _books(weighed: Weighed, books: Books) -> list[Book]:
    tiers = sorted((tier for tier in books.tiers if tier is not None), key=str)
    codes: list[str | None] = [*tiers, None] if None in books.tiers else [*tiers]
    return [
        Book(
            person.capacity,
            {tier or UNGRADED: books.tiers[tier][index] for tier in codes if books.tiers[tier][index]},
            books.values[index],
        )
        for index, person in enumerate(weighed.people)
    ]


def measure_of(weighed: Weighed) -> Measure:
    """Return the measure of the policy that everybody's load is told in."""
    found = governing(weighed.basis.rulings)
    policy = weighed.basis.found[0].policy if found is None else found.policy
    return measure(weighed.basis.ground.policies, policy)


def fairness(weighed: Weighed) -> dict[str, dict[str, Any]]:
    """Return how evenly customers are spread over those who may own some by a policy in force, before and after."""
    policies = weighed.basis.ground.policies
    there = [
        not person.problems and any(takes_some(policies, each.policy, person.staff) for each in weighed.basis.found)
        for person in weighed.people
    ]
    return {
        name: how_even(measure_of(weighed), list(compress(_books(weighed, books), there)))
        for name, books in (("before", weighed.before), ("after", weighed.after))
    }


def fairness_table(run: Run, figures: Mapping[str, Mapping[str, Any]]) -> Table:
    """Return fairness for people: a line a measure, a column a state of things (`before`, `after`; `now`)."""
    label = showing.labels(run.policies)
    tiers = sorted(
        {tier for each in figures.values() for tier in each["tiers"]}, key=lambda code: (code == UNGRADED, code)
    )
    lines: list[tuple[str, Any]] = [
        (_("capacity used"), lambda each: each),
        (_("customers"), lambda each: each["customers"]),
        (_("load"), lambda each: each["load"]),
        (_("annual cooperation amount"), lambda each: each["value"]),
    ]
    for tier in tiers:
        name = label("tier", None if tier == UNGRADED else tier) or _("ungraded")
        lines.append((str(name), lambda each, tier=tier: each["tiers"].get(tier)))
    columns = (
        Column("share", N_("Least to most; 100 % is even")),
        *(Column(name, STATES[name], right=True) for name in figures),
    )
    rows = [(name, *(_ends(part(each)) for each in figures.values())) for name, part in lines]
    return Table(columns, rows, "fairness")


STATES = {"before": N_("Before assigning"), "after": N_("After assigning"), "now": N_("Now")}


def _ends(each: Mapping[str, Any] | None) -> str:
    if each is None or each["least_percent"] is None:
        return "–"
    return f"{each['least_percent']:.0f}–{each['most_percent']:.0f} %"


def owners_table(run: Run, weighed: Weighed) -> Table:
    """Return everybody's book for people: who has customers or gets some."""
    label, used = showing.labels(run.policies), measure_of(weighed)

    def mix(tiers: dict[str, int]) -> str:
        return ", ".join(f"{label('tier', None if code == UNGRADED else code) or _('ungraded')} {number}"
                         for code, number in tiers.items())  # fmt: skip

    columns = (
        Column("number", N_("Staff number")),
        Column("name", N_("Full name")),
        Column("before", N_("Customers before"), right=True),
        Column("after", N_("Customers after"), right=True),
        Column("capacity", N_("Capacity"), right=True),
        Column("load_before", N_("Load before"), right=True),
        Column("load_after", N_("Load after"), right=True),
        Column("tiers", N_("By tier")),
    )
    rows = [
        (each["number"], person.staff.name, each["before"]["customers"], each["after"]["customers"], person.capacity,
         used.text(each["before"]["load"]), used.text(each["after"]["load"]), mix(each["after"]["tiers"]))
        for each, person in zip(owner_rows(weighed), weighed.people, strict=True)
        if each["after"]["customers"] or not person.problems
    ]  # fmt: skip
    return Table(columns, rows)


def move_columns(run: Run) -> tuple[Column, ...]:
    """Return the columns of the list of moves."""
    name = names(run)
    return (
        Column("customer", N_("Customer"), show=showing.number_text),
        Column("from", N_("From whom"), show=name),
        Column("to", N_("To whom"), show=name),
        Column("runner_up", N_("Runner-up"), show=name),
        Column("policy", N_("Policy"), detail=True),
        Column("rule", N_("Rule"), show=lambda value: rule_label(run.policies, value)),
        Column("inputs", detail=True),
    )


def moves(weighed: Weighed, limit: int | None) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of the list of moves, by policy and customer number; `limit` None: all."""
    found = chain.from_iterable(each.moves() for each in weighed.acting())
    for move in islice(found, limit):
        yield (move.customer_id, move.before, move.after, move.runner_up, move.policy, (move.policy, move.rule),
               dict(move.inputs))  # fmt: skip


def nobody_table(run: Run, weighed: Weighed, limit: int | None) -> Table:
    """Return the customers nobody can take, each with the rule and the requirement that excluded everyone."""
    columns = (
        Column("customer", N_("Customer"), show=showing.number_text),
        Column("rule", N_("Rule"), show=lambda value: rule_label(run.policies, value)),
        Column("code", N_("Why nobody"), show=code_text),
    )
    found = ((each.found.policy.name, row) for each in weighed.acting() for row in each.nobody())
    rows = [(number, (name, rule), code) for name, (number, rule, code) in islice(found, limit)]
    return Table(columns, rows, "unassigned")


def rule_label(policies: PolicySet, value: Any) -> str:  # noqa: ANN401 - policy and rule
    """Return a rule, or a pool, by the label people know it by."""
    found = re.match(r"(rules|pools)\[(\d+)\]", value[1]) if value else None
    if found is None:
        return ""
    policy = next((each for each in policies.of_kind("owners") if each.name == value[0]), None)
    there: Sequence[CodeItem] = () if policy is None else getattr(settings_of(policy), found[1])
    if int(found[2]) >= len(there):
        return str(value[1])
    item = there[int(found[2])]
    return pick({str(language): label for language, label in item.labels.items()}, item.code)


def names(run: Run) -> Callable[[int | None], str]:
    """Return the function from a staff id to the person as colleagues know one, the register being read once."""
    from crmctl.owners.bench import bench
    from crmctl.store import engine

    with engine.read(run.engine) as conn:
        people = bench(conn, run)
    return people.name
