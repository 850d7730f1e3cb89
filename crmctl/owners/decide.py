"""Who gets which customer: eligibility, load, capacity, order. Pure; `allocate` does it for very many.

Customers come in the order of their tiers' ranks, and within a tier in that of SHA-256(seed ‖ number); each goes to the
eligible person with the least load in proportion to capacity, equals in the order of SHA-256(seed ‖ staff number). So
neither the order of rows nor the database has a say, and the seed of a period is all that chance there is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from heapq import heapify, heappop, heappush, heapreplace
from typing import Any, NamedTuple

from crmctl.staff import Staff

SCALE = 1_000_000  # of load in proportion to capacity
NO_RULE, FULL, CONFLICT, LOCKED_OUT, OWNER_RULES = "NO_RULE", "FULL", "CONFLICT", "LOCKED_OUT", "OWN_05"
STICKY = "former_owner"

Values = Mapping[str, str | None]


class Requirement(NamedTuple):
    """One thing staff must be: its code, and the test of a person for a customer with these facts."""

    code: str
    fits: Callable[[Staff, Values], bool]


@dataclass(frozen=True)
class Person:
    """One of the staff, ready to be given customers. `order` is the place among equals."""

    staff: Staff
    capacity: int
    order: int
    problems: tuple[str, ...]  # why they may not own customers (OWN-05)


@dataclass(frozen=True)
class Terms:
    """An owners policy ready to assign with."""

    seed: str
    rules: tuple[tuple[Requirement, ...], ...]
    else_next: tuple[bool, ...]
    conflicts: tuple[frozenset[int], ...]  # indices of people, by conflict with a condition
    named: Mapping[int, frozenset[int]]  # the same by customer number
    weights: Mapping[str | None, int] | None  # by tier, in thousandths; None: every customer counts the same
    by_value: bool
    spread: bool

    def weight(self, tier: str | None, value: int) -> int:
        """Return how much a customer adds to a person's load."""
        if self.by_value:
            return max(value, 0)
        return 1000 if self.weights is None else self.weights.get(tier, 1000)


class Kind(NamedTuple):
    """What eligibility depends on: customers that have it in common are decided alike."""

    rules: int  # bits of the rules that hold
    conflicts: int  # bits of the conflicts that hold
    values: tuple[str | None, ...]
    tier: str | None


class Waiting(NamedTuple):
    """A customer to be given an owner; `former` is who had it last and may have it back, an index of a person."""

    customer_id: int
    kind: int  # index of its Kind
    value: int
    former: int | None = None
    locked: frozenset[int] = frozenset()


class Choice(NamedTuple):
    """Who gets a customer: indices of people, the rule's position, and what was on the scales."""

    person: int
    runner_up: int | None
    rule: int
    sticky: bool
    load: int  # of the person before, in the measure of the policy
    customers: int  # of the person before
    runner_up_load: int | None


class Nobody(NamedTuple):
    """Nobody can take a customer: the last rule that held (None: none did) and what excluded everyone."""

    rule: int | None
    code: str


@dataclass
class Books:
    """What everybody has, by index of person: customers, customers by tier, value in minor units."""

    counts: list[int]
    tiers: dict[str | None, list[int]] = field(default_factory=dict)
    values: list[int] = field(default_factory=list)

    @classmethod
    def empty(cls, people: int) -> Books:
        """Return the books of so many people who have nothing."""
        return cls([0] * people, {}, [0] * people)

    def of_tier(self, tier: str | None) -> list[int]:
        """Return the customers of a tier by person."""
        found = self.tiers.get(tier)
        if found is None:
            found = self.tiers[tier] = [0] * len(self.counts)
        return found

    def add(self, person: int, tier: str | None, value: int, number: int = 1) -> None:
        """Give a person so many customers of a tier; a negative number takes them away."""
        self.counts[person] += number
        self.of_tier(tier)[person] += number
        self.values[person] += value

    def loads(self, terms: Terms) -> list[int]:
        """Return everybody's load in the measure of a policy."""
        if terms.by_value:
            return [max(value, 0) for value in self.values]
        found = [0] * len(self.counts)
        for tier, numbers in self.tiers.items():
            weight = terms.weight(tier, 0)
            for person, number in enumerate(numbers):
                found[person] += weight * number
        return found


def place(seed: str, number: int) -> bytes:
    """Return what customers of one tier are ordered by."""
    return sha256(f"{seed}:{number}".encode()).digest()


def order_of(seed: str, staff: Iterable[Staff]) -> dict[int, int]:
    """Return everybody's place among equals, by staff id."""
    found = sorted(staff, key=lambda each: sha256(f"{seed}:{each.number}".encode()).digest())
    return {each.staff_id: position for position, each in enumerate(found)}


def field_values(staff: Staff, name: str) -> frozenset[str]:
    """Return what a field of the register says of a person, each value where it holds several."""
    found: Any = getattr(staff, name) if name in Staff.__dataclass_fields__ else staff.attributes.get(name)
    if found is None:
        return frozenset()
    if isinstance(found, str):
        return frozenset(filter(None, re.split(r"[;；,，、|\s]+", found))) | {found}
    return frozenset(map(str, found)) if isinstance(found, (list, tuple)) else frozenset({str(found)})


def eligible(
    terms: Terms, people: Sequence[Person], rule: int, values: Values, out: Collection[int] = ()
) -> tuple[list[int], str]:
    """Return who may have customers of a kind under a rule; where nobody, the requirement that excluded the last."""
    left = list(range(len(people)))
    for code, fits in terms.rules[rule]:
        left = [index for index in left if fits(people[index].staff, values)]
        if not left:
            return [], code
    left = [index for index in left if not people[index].problems]
    if not left:
        return [], OWNER_RULES
    left = [index for index in left if index not in out]
    return left, "" if left else CONFLICT


class _Pool:
    """People who are eligible together: a heap of (tier's share, load's share, order, index), brought up to date late.

    Loads only grow while customers are given out, so that an old entry is never above its true place.
    """

    __slots__ = ("heap", "members")

    def __init__(self, members: Sequence[int], entries: Iterable[tuple[int, int, int, int]]) -> None:
        self.members = frozenset(members)
        self.heap = list(entries)
        heapify(self.heap)


class Allocation:
    """Customers given out one by one under one policy; `books` are everybody's and kept up to date."""

    def __init__(
        self, terms: Terms, people: Sequence[Person], books: Books, kinds: Sequence[Kind], names: Sequence[str]
    ) -> None:
        self.terms, self.people, self.books, self.kinds, self.names = terms, people, books, kinds, names
        self.loads = books.loads(terms)
        self._load_share = [load * SCALE // person.capacity if person.capacity else 0
                            for load, person in zip(self.loads, people, strict=True)]  # fmt: skip
        self._tier_share: dict[str | None, list[int]] = {}
        self._pools: dict[tuple[tuple[int, ...], str | None], _Pool] = {}
        self._chains: dict[int, list[tuple[int, _Pool | None, str]]] = {}

    def give(self, waiting: Waiting) -> Choice | Nobody:
        """Return who gets the next customer, or why nobody does."""
        kind = self.kinds[waiting.kind]
        chain = self._chains.get(waiting.kind)
        if chain is None:
            chain = self._chains[waiting.kind] = list(self._chain(kind))
        found: Choice | Nobody = Nobody(None, NO_RULE)
        named = self.terms.named.get(waiting.customer_id)
        out = waiting.locked | named if named else waiting.locked
        for rule, pool, code in chain:
            if pool is None:
                found = Nobody(rule, code)
                continue
            found = self._from(pool, rule, kind.tier, waiting, out)
            if isinstance(found, Choice):
                self._take(found.person, kind.tier, waiting.value)
                return found
        return found

    def _chain(self, kind: Kind) -> Iterator[tuple[int, _Pool | None, str]]:
        """Yield the rules to ask for a kind of customer, each with its people, or why there are none."""
        values = dict(zip(self.names, kind.values, strict=True))
        out = frozenset().union(*(who for bit, who in enumerate(self.terms.conflicts) if kind.conflicts >> bit & 1))
        for rule, passing in enumerate(self.terms.else_next):
            if not kind.rules >> rule & 1:
                continue
            members, code = eligible(self.terms, self.people, rule, values, out)
            yield rule, self._pool(members, kind.tier) if members else None, code
            if not passing:
                return

    def _pool(self, members: Sequence[int], tier: str | None) -> _Pool:
        key = tuple(members), tier if self.terms.spread else None
        pool = self._pools.get(key)
        if pool is None:
            shares = self._shares(tier)
            entries = [(shares[i], self._load_share[i], self.people[i].order, i) for i in members]
            pool = self._pools[key] = _Pool(members, entries)
        return pool

    def _shares(self, tier: str | None) -> list[int]:
        """Return what stands before load: everybody's share of a tier, where tiers are spread; else nothing."""
        key = tier if self.terms.spread else None
        found = self._tier_share.get(key)
        if found is None:
            numbers = self.books.of_tier(tier) if self.terms.spread else [0] * len(self.people)
            found = [number * SCALE // person.capacity if person.capacity else 0
                     for number, person in zip(numbers, self.people, strict=True)]  # fmt: skip
            self._tier_share[key] = found
        return found

    def _from(
        self, pool: _Pool, rule: int, tier: str | None, waiting: Waiting, out: Collection[int]
    ) -> Choice | Nobody:
        shares, former = self._shares(tier), waiting.former
        if former is not None and former in pool.members and former not in out and self._room(former):
            second = self._best(pool, shares, {*out, former})
            return self._choice(former, second, rule, sticky=True)
        if not out:
            heap = pool.heap
            best = self._top(heap, shares)
            if best is None:
                return Nobody(rule, FULL)
            entry = heappop(heap)
            second = self._top(heap, shares)
            heappush(heap, entry)
            return self._choice(best, second, rule, sticky=False)
        best = self._best(pool, shares, out)
        if best is None:
            return Nobody(rule, self._why(pool, waiting, out))
        return self._choice(best, self._best(pool, shares, {*out, best}), rule, sticky=False)

    def _why(self, pool: _Pool, waiting: Waiting, out: Collection[int]) -> str:
        if not any(self._room(index) for index in pool.members):
            return FULL
        named = self.terms.named.get(waiting.customer_id, frozenset())
        if not pool.members - named:
            return CONFLICT
        return LOCKED_OUT if not pool.members - frozenset(out) else FULL

    def _best(self, pool: _Pool, shares: Sequence[int], out: Collection[int]) -> int | None:
        """Return the first of a pool who is not `out`."""
        heap, aside = pool.heap, []
        best = self._top(heap, shares)
        while best is not None and best in out:
            aside.append(heappop(heap))
            best = self._top(heap, shares)
        for entry in aside:
            heappush(heap, entry)
        return best

    def _top(self, heap: list[tuple[int, int, int, int]], shares: Sequence[int]) -> int | None:
        """Bring the top of a heap up to date, dropping who is full; return whose it is."""
        loads, counts, people = self._load_share, self.books.counts, self.people
        while heap:
            share, load, order, index = heap[0]
            if counts[index] >= people[index].capacity:
                heappop(heap)
            elif share != shares[index] or load != loads[index]:
                heapreplace(heap, (shares[index], loads[index], order, index))
            else:
                return index
        return None

    def _room(self, index: int) -> bool:
        return self.books.counts[index] < self.people[index].capacity

    def _choice(self, best: int, second: int | None, rule: int, *, sticky: bool) -> Choice:
        load = None if second is None else self.loads[second]
        return Choice(best, second, rule, sticky, self.loads[best], self.books.counts[best], load)

    def _take(self, index: int, tier: str | None, value: int) -> None:
        capacity = self.people[index].capacity
        self.books.add(index, tier, value)
        self.loads[index] += self.terms.weight(tier, value)
        self._load_share[index] = self.loads[index] * SCALE // capacity
        if self.terms.spread:
            self._shares(tier)[index] = self.books.of_tier(tier)[index] * SCALE // capacity
