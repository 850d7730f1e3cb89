"""Giving out customers: 500 random small companies against a slow, plain computation of the same (OWN-01, OWN-05)."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from hashlib import sha256

import pytest

from crmctl.owners.decide import (
    CONFLICT,
    FULL,
    LOCKED_OUT,
    NO_RULE,
    OWNER_RULES,
    SCALE,
    Allocation,
    Books,
    Choice,
    Kind,
    Nobody,
    Person,
    Terms,
    Waiting,
    field_values,
    order_of,
    place,
)
from crmctl.owners.policy import Eligible
from crmctl.owners.reading import key_of
from crmctl.owners.terms import requirements, seed_of
from crmctl.staff import Staff

CASES = 500
SEED = 20261122
RANKS = {"junior": 1, "mid": 2, "senior": 3}
TIERS = {"core": 1, "important": 2, "ordinary": 3}
FACTS = ("industry", "org_unit", "region")


@dataclass(frozen=True)
class Someone:
    """A customer of a random company; `rules` and `conflicts` are those whose conditions hold."""

    number: int
    tier: str | None
    facts: Mapping[str, str | None]
    rules: frozenset[int]
    conflicts: frozenset[int]
    value: int
    former: int | None
    locked: frozenset[int]


@dataclass(frozen=True)
class World:
    """A random company: what its policy asks of staff, rule by rule, as the file writes it."""

    people: tuple[Person, ...]
    eligible: tuple[Eligible, ...]
    terms: Terms
    customers: tuple[Someone, ...]
    held: tuple[tuple[int, str | None, int], ...]  # customers there are already: person, tier, value


def world(chance: random.Random) -> World:
    """Return a random company, small enough that everything happens: nobody eligible, everybody full."""
    seed = seed_of("month", date(2026, chance.randint(1, 12), 1))
    staff = [
        Staff(
            number, f"E{number}", "N", post=chance.choice(["a", "b", None]), level=chance.choice([*RANKS, None]),
            org_unit=chance.choice(["north", "south"]), region=chance.choice(["east", "west", None]),
            languages=tuple(sorted(chance.sample(["de", "en", "zh"], chance.randint(0, 3)))),
            attributes={"sectors": chance.choice(["steel;food", ["steel"], "food", ""])},
        )
        for number in range(1, chance.randint(2, 7))
    ]  # fmt: skip
    orders = order_of(seed, staff)
    people = tuple(
        Person(each, chance.randint(0, 5), orders[each.staff_id], chance.choice([(), (), (), ("UNTRAINED",)]))
        for each in staff
    )
    rules = tuple(_eligible(chance) for _rule in range(chance.randint(1, 3)))
    weighed: dict[str | None, int] = {"core": 5000, "important": 1500}
    weights = chance.choice([None, weighed])
    everyone = range(len(people))
    conflicts = tuple(frozenset(chance.sample(everyone, chance.randint(1, len(people)))) for _each in range(2))
    customers = tuple(_someone(chance, number, len(rules), len(people)) for number in range(1, chance.randint(2, 25)))
    terms = Terms(
        seed, tuple(tuple(requirements(each, RANKS)) for each in rules), tuple(chance.random() < 0.5 for _ in rules),
        conflicts, {chance.randint(1, 10): frozenset({chance.choice(everyone)})},
        weights, chance.random() < 0.2, chance.random() < 0.4,
    )  # fmt: skip
    held = tuple(
        (chance.choice(everyone), chance.choice([*TIERS, None]), chance.choice([0, 100, 999])) for _ in range(3)
    )
    return World(people, rules, terms, customers, held)


def _eligible(chance: random.Random) -> Eligible:
    asked = {
        "posts": ["a"], "levels": ["junior", "senior"], "level_from": "mid", "languages": ["en"],
        "org_units": ["north"], "same": ["region"], "skills": [{"customer": "industry", "staff": "sectors"}],
    }  # fmt: skip
    return Eligible.model_validate({name: asked[name] for name in chance.sample([*asked], chance.randint(0, 2))})


def _someone(chance: random.Random, number: int, rules: int, people: int) -> Someone:
    anybody = range(people)
    return Someone(
        number, chance.choice([*TIERS, None]),
        {"industry": chance.choice(["steel", "food", None]), "org_unit": chance.choice(["north", "south"]),
         "region": chance.choice(["east", "west", None])},
        frozenset(rule for rule in range(rules) if chance.random() < 0.7),
        frozenset(bit for bit in range(2) if chance.random() < 0.15), chance.choice([0, 50, 70_000, -5]),
        chance.choice([None, None, *anybody]), frozenset(who for who in anybody if chance.random() < 0.1),
    )  # fmt: skip


# The slow way ----------------------------------------------------------------------------------------------------


def may(person: Person, asked: Eligible, one: Someone) -> bool:
    """Say whether a person is what a rule asks for, straight from the words of the policy."""
    staff = person.staff
    sectors = staff.attributes["sectors"]
    sectors = sectors if isinstance(sectors, list) else sectors.split(";")
    return not person.problems and all(
        (
            not asked.posts or staff.post in asked.posts,
            not asked.levels or staff.level in asked.levels,
            asked.level_from is None or RANKS.get(staff.level or "", 0) >= RANKS[asked.level_from],
            set(asked.languages) <= set(staff.languages),
            not asked.org_units or staff.org_unit in asked.org_units,
            not asked.same or (one.facts["region"] is not None and staff.region == one.facts["region"]),
            not asked.skills or (one.facts["industry"] is not None and one.facts["industry"] in sectors),
        )
    )


def slowly(found: World) -> dict[int, tuple[int, int | None] | None]:
    """Return who gets each customer, and who would have been next, by looking at everybody every time."""
    terms, people = found.terms, found.people
    books = [[(tier, value) for who, tier, value in found.held if who == index] for index in range(len(people))]
    result: dict[int, tuple[int, int | None] | None] = {}

    def weight(tier: str | None, value: int) -> int:
        if terms.by_value:
            return value if value > 0 else 0
        return 1000 if terms.weights is None else terms.weights.get(tier, 1000)

    def full(index: int) -> bool:
        return len(books[index]) >= people[index].capacity

    def rank(index: int, tier: str | None) -> tuple[int, int, int]:
        capacity = people[index].capacity
        same = sum(each[0] == tier for each in books[index]) if terms.spread else 0
        load = sum(weight(each[0], each[1]) for each in books[index])
        return same * SCALE // capacity, load * SCALE // capacity, people[index].order

    def digest(one: Someone) -> bytes:
        return sha256(f"{terms.seed}:{one.number}".encode()).digest()

    for one in sorted(found.customers, key=lambda one: (TIERS.get(one.tier or "", 9), digest(one))):
        result[one.number] = None
        barred = {who for bit in one.conflicts for who in terms.conflicts[bit]}
        barred |= terms.named.get(one.number, frozenset()) | one.locked
        for rule in sorted(one.rules):
            fit = [i for i, who in enumerate(people) if may(who, found.eligible[rule], one)]
            left = sorted((i for i in fit if i not in barred and not full(i)), key=lambda i: rank(i, one.tier))
            if one.former in left:
                left = [one.former, *(i for i in left if i != one.former)]
            if left:
                result[one.number] = (left[0], left[1] if len(left) > 1 else None)
                books[left[0]].append((one.tier, one.value))
                break
            if not terms.else_next[rule]:
                break
    return result


# Against it ------------------------------------------------------------------------------------------------------


def given(found: World, customers: tuple[Someone, ...]) -> dict[int, Choice | Nobody]:
    """Return what `Allocation` makes of a company whose customers were read in this order."""
    books = Books.empty(len(found.people))
    for who, tier, value in found.held:
        books.add(who, tier, value)
    kinds: list[Kind] = []
    queue = []
    for one in customers:
        kind = Kind(
            sum(1 << rule for rule in one.rules), sum(1 << bit for bit in one.conflicts),
            tuple(one.facts[name] for name in FACTS), one.tier,
        )  # fmt: skip
        if kind not in kinds:
            kinds.append(kind)
        waiting = Waiting(one.number, kinds.index(kind), one.value, one.former, one.locked)
        queue.append((key_of(found.terms.seed, TIERS, kind, one.number), waiting))
    allocation = Allocation(found.terms, found.people, books, kinds, FACTS)
    return {waiting.customer_id: allocation.give(waiting) for _key, waiting in sorted(queue)}


@pytest.fixture(scope="module")
def worlds() -> list[World]:
    chance = random.Random(SEED)
    return [world(chance) for _case in range(CASES)]


def test_as_the_slow_way_says(worlds: list[World]) -> None:
    seen: set[str] = set()
    for found in worlds:
        # A load by value is a sum that may fall in the slow way's books; both count what was given as not negative.
        found = replace(found, held=tuple((who, tier, max(value, 0)) for who, tier, value in found.held))
        wanted = slowly(found)
        for number, choice in given(found, found.customers).items():
            mine = (choice.person, choice.runner_up) if isinstance(choice, Choice) else None
            assert mine == wanted[number], (found, number)
            seen.add(choice.code if isinstance(choice, Nobody) else "sticky" if choice.sticky else "given")
    assert {"given", "sticky", NO_RULE, FULL, CONFLICT, LOCKED_OUT, OWNER_RULES, "POST"} <= seen


def test_nobody_has_too_many_and_nobody_whom_the_rules_keep_away(worlds: list[World]) -> None:
    for found in worlds:
        counts = [sum(who == index for who, *_rest in found.held) for index in range(len(found.people))]
        choices = given(found, found.customers)
        for one in found.customers:
            choice = choices[one.number]
            if isinstance(choice, Choice):
                assert may(found.people[choice.person], found.eligible[choice.rule], one)
                assert choice.rule in one.rules
                counts[choice.person] += 1
                assert counts[choice.person] <= found.people[choice.person].capacity, "more than fit"


def test_in_whatever_order_customers_are_read(worlds: list[World]) -> None:
    chance = random.Random(SEED + 1)
    for found in worlds:
        shuffled = list(found.customers)
        chance.shuffle(shuffled)
        assert given(found, tuple(shuffled)) == given(found, found.customers)


def test_the_order_is_the_periods_own() -> None:
    assert [seed_of("month", date(2026, 11, 22)), seed_of("quarter", date(2026, 11, 22))] == ["2026-11", "2026-Q4"]
    assert [seed_of("quarter", date(2026, month, 1)) for month in (1, 3, 4, 12)] == [
        "2026-Q1", "2026-Q1", "2026-Q2", "2026-Q4",
    ]  # fmt: skip
    assert place("2026-11", 7) == sha256(b"2026-11:7").digest() != place("2026-12", 7)
    staff = [Staff(number, f"E{number}", "N") for number in range(9)]
    assert order_of("2026-11", staff) == order_of("2026-11", staff[::-1]) != order_of("2026-12", staff)


def test_a_field_of_the_register_may_hold_several() -> None:
    staff = Staff(1, "E1", "N", languages=("en", "zh"), attributes={"a": "x; y；z", "b": ["p", "q"], "c": 7, "d": None})
    assert field_values(staff, "languages") == {"en", "zh"}
    assert {"x", "y", "z"} <= field_values(staff, "a")
    assert [field_values(staff, name) for name in "bcde"] == [{"p", "q"}, {"7"}, frozenset(), frozenset()]
