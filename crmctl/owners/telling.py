"""Assignments in words: counts, books before and after, customers nobody can take, one customer's owner explained."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Any

from crmctl.cli.render import Column, Table
from crmctl.customers import showing
from crmctl.i18n import N_, _, pick
from crmctl.owners.assign import Outcome
from crmctl.owners.decide import SCALE, Books
from crmctl.owners.terms import settings_of
from crmctl.owners.weighing import Weighed
from crmctl.policy.metrics import BY_NAME
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
    first = weighed.basis.found[0].settings.load
    weights = {str(each.tier): weighed.basis.ground.policies.figure(each.weight) for each in first.weights}
    tiers = sorted((tier for tier in books.tiers if tier is not None), key=str)
    codes: list[str | None] = [*tiers, None] if None in books.tiers else [*tiers]
    found = []
    for index, number in enumerate(books.counts):
        mix = {tier or "none": books.tiers[tier][index] for tier in codes if books.tiers[tier][index]}
        load: Any = sum(float(weights.get(tier) or (0 if tier in weights else 1)) * n for tier, n in mix.items())
        load = books.values[index] if first.by == "value" else number if first.by == "count" else load
        found.append({"customers": number, "load": load, "value": books.values[index], "tiers": mix})
    return found


def fairness(weighed: Weighed) -> dict[str, dict[str, float | None]]:
    """Return how full those who may own customers are."""
    found: dict[str, dict[str, float | None]] = {}
    for name, books in (("before", weighed.before), ("after", weighed.after)):
        shares = [
            books.counts[index] * SCALE // person.capacity / (SCALE // 100)
            for index, person in enumerate(weighed.people)
            if person.capacity and not person.problems
        ]
        found[name] = {
            "least_percent": round(min(shares), 2) if shares else None,
            "most_percent": round(max(shares), 2) if shares else None,
        }
    return found


def owners_table(run: Run, weighed: Weighed) -> Table:
    """Return everybody's book for people: who has customers or gets some."""
    label = showing.labels(run.policies)

    def mix(tiers: dict[str, int]) -> str:
        return ", ".join(f"{label('tier', None if code == 'none' else code) or _('ungraded')} {number}"
                         for code, number in tiers.items())  # fmt: skip

    columns = (
        Column("number", N_("Staff number")),
        Column("name", N_("Name")),
        Column("before", N_("Customers before"), right=True),
        Column("after", N_("Customers after"), right=True),
        Column("capacity", N_("Capacity"), right=True),
        Column("load_before", N_("Load before"), right=True),
        Column("load_after", N_("Load after"), right=True),
        Column("tiers", N_("By tier")),
    )
    rows = [
        (each["number"], person.staff.name, each["before"]["customers"], each["after"]["customers"], person.capacity,
         _load(each["before"]["load"]), _load(each["after"]["load"]), mix(each["after"]["tiers"]))
        for each, person in zip(owner_rows(weighed), weighed.people, strict=True)
        if each["after"]["customers"] or not person.problems
    ]  # fmt: skip
    return Table(columns, rows)


def _load(load: Any) -> str:  # noqa: ANN401 - a count or a weight
    return f"{load:g}" if isinstance(load, float) else str(load)


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
    """Return a rule by the label people know it by."""
    if not value or not value[1].startswith("rules["):
        return ""
    policy = next((each for each in policies.of_kind("owners") if each.name == value[0]), None)
    place = int(value[1][6:-1])
    if policy is None or place >= len(settings_of(policy).rules):
        return str(value[1])
    rule = settings_of(policy).rules[place]
    return pick({str(language): label for language, label in rule.labels.items()}, rule.code)


def names(run: Run) -> Callable[[int | None], str]:
    """Return the function from a staff id to the person as colleagues know one, the register being read once."""
    from crmctl.owners.bench import bench
    from crmctl.store import engine

    with engine.read(run.engine) as conn:
        people = bench(conn, run)
    return people.name
