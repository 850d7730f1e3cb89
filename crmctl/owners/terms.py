"""An owners policy made ready to assign with: figures decided, requirements of rules as tests, people with capacity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, cast

from crmctl import staff
from crmctl.owners.bench import Bench
from crmctl.owners.decide import Person, Requirement, Terms, Values, field_values, order_of
from crmctl.owners.policy import Eligible, OwnersSettings
from crmctl.policy.conditions import Bound, Condition, undecided
from crmctl.policy.metrics import BY_NAME, Left
from crmctl.policy.model import Figure, ValueRef
from crmctl.policy.policyset import Policy, PolicySet
from crmctl.policy.windows import window
from crmctl.staff import Staff


@dataclass(frozen=True)
class Ready:
    """A policy ready to read customers for: conditions of its rules and conflicts, facts that eligibility needs."""

    policy: Policy
    settings: OwnersSettings
    rules: tuple[Bound | None, ...]
    conflicts: tuple[Bound, ...]
    facts: tuple[str, ...]  # names of facts of customers, as `Skill.customer` has them
    value: Left  # what a customer is worth
    seed: str

    def asked(self) -> tuple[Left, ...]:
        """Return the left sides to look up."""
        bounds = [*(each for each in self.rules if each is not None), *self.conflicts]
        found = dict.fromkeys(left for each in bounds for left in each.lefts())
        found |= dict.fromkeys(Left(BY_NAME[name]) for name in self.facts)
        found[self.value] = None
        return tuple(found)


def settings_of(policy: Policy) -> OwnersSettings:
    """Return a policy's settings."""
    return cast("OwnersSettings", policy.settings)


def ready(policies: PolicySet, policy: Policy, decimals: int, day: date) -> Ready:
    """Return a policy ready to read customers for on `day`; `unset` has said that nothing it needs is undecided."""
    settings = settings_of(policy)
    conditions = [rule.when for rule in settings.rules]
    rules = [None if when is None else policies.bound([when], decimals)[0] for when in conditions]
    conflicts = [each.when for each in settings.conflicts if each.when is not None]
    facts = {str(name) for rule in settings.rules for name in rule.staff.same}
    facts |= {skill.customer for rule in settings.rules for skill in rule.staff.skills}
    return Ready(
        policy,
        settings,
        tuple(rules),
        tuple(policies.bound(conflicts, decimals)),
        tuple(sorted(facts)),
        value_of(settings),
        seed_of(settings.period, day),
    )


def value_of(settings: OwnersSettings) -> Left:
    """Return what a customer is worth: its annual amount, or its orders of the time that the policy says."""
    over = window(settings.load.over) if settings.load.over else None
    return Left(BY_NAME["order_amount"], over) if over else Left(BY_NAME["annual_amount"])


def seed_of(period: str, day: date) -> str:
    """Return the seed of the period a day lies in: `2026-11`, `2026-Q4`."""
    return f"{day.year}-Q{(day.month + 2) // 3}" if period == "quarter" else f"{day.year}-{day.month:02d}"


def unset(policies: PolicySet, policy: Policy) -> tuple[str, ...]:
    """Return the names of all values that assigning by a policy needs and that are unset, each once."""
    settings = settings_of(policy)
    conditions: list[Condition | None] = [rule.when for rule in settings.rules]
    conditions += [each.when for each in settings.conflicts]
    figures: list[Figure | None] = [each.weight for each in settings.load.weights]
    figures += [each.within for each in (settings.former_owner, settings.locked_out) if each is not None]
    names = [name for each in conditions if each is not None for name in undecided(each, policies.figure)]
    names += [each.name for each in figures if isinstance(each, ValueRef) and policies.figure(each) is None]
    return tuple(dict.fromkeys(names))


def unset_of_staff(policies: PolicySet, bench: Bench) -> tuple[str, ...]:
    """Return the names of values of the staff policy that decide who may own customers, or how many, and are unset."""
    names = [bench.rules.undecided] if bench.rules.undecided else []
    if any(bench.capacity(person) is None for person in bench.directory.of(bench.day)):
        default = cast("Any", policies.settings("staff")).capacity.default
        names += [default.name] if isinstance(default, ValueRef) else []
    return tuple(dict.fromkeys(names))


def people_of(bench: Bench, seed: str) -> tuple[Person, ...]:
    """Return everybody in post, by staff id, with capacity and what speaks against owning customers."""
    there = [person for person in bench.directory.people if person.active_on(bench.day)]
    places = order_of(seed, there)
    return tuple(
        Person(each, bench.capacity(each) or 0, places[each.staff_id], staff.may_own(each, bench.day, bench.rules))
        for each in there
    )


def terms(policies: PolicySet, found: Ready, people: Sequence[Person]) -> Terms:
    """Return a policy ready to give out customers to these people."""
    settings = found.settings
    ranks = dict(cast("Any", policies.settings("staff")).rank)
    numbers = {person.staff.number: index for index, person in enumerate(people)}
    named: dict[int, frozenset[int]] = {}
    conditional = []
    for each in settings.conflicts:
        who = frozenset(numbers[number] for number in each.staff if number in numbers)
        if each.when is not None:
            conditional.append(who)
        for text in each.customers:
            customer_id = int(text.removeprefix("C-"))
            named[customer_id] = named.get(customer_id, frozenset()) | who
    return Terms(
        seed=found.seed,
        rules=tuple(tuple(requirements(rule.staff, ranks)) for rule in settings.rules),
        else_next=tuple(rule.else_next for rule in settings.rules),
        conflicts=tuple(conditional),
        named=named,
        weights=_weights(policies, settings),
        by_value=settings.load.by == "value",
        spread=settings.spread_tiers,
    )


def _weights(policies: PolicySet, settings: OwnersSettings) -> Mapping[str | None, int] | None:
    if settings.load.by != "tier":
        return None
    return {str(each.tier): int(Decimal(policies.resolve(each.weight)) * 1000) for each in settings.load.weights}


def requirements(staff: Eligible, ranks: Mapping[str, int]) -> Iterable[Requirement]:
    """Yield what staff must be, as tests with codes, in the order in which they are asked."""
    if staff.posts:
        yield Requirement("POST", _one_of("post", staff.posts))
    if staff.levels:
        yield Requirement("LEVEL", _one_of("level", staff.levels))
    if staff.level_from is not None:
        least = ranks[str(staff.level_from)]
        yield Requirement("LEVEL_FROM", lambda who, _values: ranks.get(who.level or "", 0) >= least)
    if staff.languages:
        spoken = frozenset(map(str, staff.languages))
        yield Requirement("LANGUAGE", lambda who, _values: spoken.issubset(who.languages))
    for name, codes in (("org_unit", staff.org_units), ("region", staff.regions), ("department", staff.departments)):
        if codes:
            yield Requirement(name.upper(), _one_of(name, codes))
    for fact in staff.same:
        yield Requirement(f"SAME_{fact.upper()}", _same(fact))
    for skill in staff.skills:
        yield Requirement(f"SKILL_{skill.customer.upper()}", _skilled(skill.customer, str(skill.staff)))


def _one_of(name: str, codes: Iterable[str]) -> Any:  # noqa: ANN401 - a test, as Requirement has it
    wanted = frozenset(map(str, codes))
    return lambda who, _values: getattr(who, name) in wanted


def _same(fact: str) -> Any:  # noqa: ANN401 - a test, as Requirement has it
    def fits(who: Staff, values: Values) -> bool:
        return values[fact] is not None and getattr(who, fact) == values[fact]

    return fits


def _skilled(fact: str, name: str) -> Any:  # noqa: ANN401 - a test, as Requirement has it
    def fits(who: Staff, values: Values) -> bool:
        return values[fact] is not None and values[fact] in field_values(who, name)

    return fits
