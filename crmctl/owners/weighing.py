"""What an assignment would do: customers read, given out, and what came of it kept small (OWN-01, OWN-05).

The same for a dry run, a plan and a run. Nothing is written here.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, and_, or_

from crmctl.customers import ruled
from crmctl.customers.policy import decimals_of
from crmctl.customers.ruled import Ground, Pair
from crmctl.errors import InvalidInput
from crmctl.i18n import _
from crmctl.owners import reading
from crmctl.owners.applying import Move
from crmctl.owners.bench import Bench, bench
from crmctl.owners.decide import STICKY, Allocation, Books, Choice, Nobody, Person, Terms, Waiting, eligible
from crmctl.owners.reading import Former, Queue
from crmctl.owners.terms import Ready, people_of, ready, terms, unset, unset_of_staff
from crmctl.policy.scopes import Ruling, in_force
from crmctl.runs.run import Run
from crmctl.staff.decide import ABSENT

KIND = "owners"
_NO_ONE: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Basis:
    """What a run assigns by: policies in force on the day, most specific first, the staff register, the customers."""

    ground: Ground
    bench: Bench
    rulings: tuple[Ruling, ...]
    found: tuple[Ready, ...]
    pairs: tuple[Pair, ...]
    numbers: tuple[int, ...]  # only these customers; everybody where there are none

    @property
    def day(self) -> date:
        """The company's day."""
        return self.ground.at.date()

    def ranks(self) -> dict[str, int]:
        """Return the rank of each tier; that of the policy for everybody where several have it."""
        ranks: dict[str, int] = {}
        policies = self.ground.policies.of_kind("tiers")
        for policy in sorted(policies, key=lambda each: not each.scope.everybody):
            settings: Any = policy.settings
            for tier in settings.tiers:
                ranks.setdefault(tier.code, tier.rank)
        return ranks


def basis(conn: Connection, run: Run, numbers: tuple[int, ...]) -> Basis:
    """Return what to assign by at the run's time.

    Raises ValueUndecided naming all that is unset, InvalidInput with no policy in force.
    """
    at = run.as_of.astimezone(ZoneInfo(run.zone))
    policies = run.policies
    rulings = in_force(policies, KIND, at.date())
    if not rulings:
        raise InvalidInput(
            _("no owners policy is in force on {day}").format(day=at.date().isoformat()),
            hint=_("see: crmctl policy list"),
            code="POLICY_MISSING",
        )
    people = bench(conn, run)
    names = [name for ruling in rulings for name in unset(policies, ruling.policy)]
    names += unset_of_staff(policies, people)
    if names:
        raise policies.waiting(tuple(dict.fromkeys(names)))
    ground = Ground(policies, decimals_of(policies), at)
    found = tuple(ready(policies, ruling.policy, ground.decimals, at.date()) for ruling in rulings)
    return Basis(ground, people, rulings, found, tuple(ruled.scope_conditions(ground, rulings)), numbers)


@dataclass
class Given:
    """What became of the customers of one policy that waited: arrays that run as those of `queue` do."""

    ruling: Ruling
    found: Ready
    queue: Queue
    people: tuple[Person, ...]
    persons: array[int] = field(default_factory=lambda: array("i"))  # index of a person; -1: nobody
    runners: array[int] = field(default_factory=lambda: array("i"))
    rules: array[int] = field(default_factory=lambda: array("i"))
    loads: array[int] = field(default_factory=lambda: array("q"))
    counts: array[int] = field(default_factory=lambda: array("i"))
    seconds: array[int] = field(default_factory=lambda: array("q"))  # load of the runner-up; -1: there is none
    places: array[int] = field(default_factory=lambda: array("i"))
    sticky: bytearray = field(default_factory=bytearray)
    codes: dict[int, str] = field(default_factory=dict)  # why nobody, by position
    kept: int = 0
    existing: int = 0  # customers that had an owner and get another

    def moves(self) -> Iterator[Move]:
        """Yield what is to be done, by customer number."""
        for position in self.queue.by_number():
            if self.persons[position] >= 0:
                yield self.move(position)

    def move(self, position: int) -> Move:
        """Return what is to be done to the customer at a position."""
        person, runner = self.people[self.persons[position]], self.runners[position]
        inputs: dict[str, Any] = {
            "capacity": person.capacity,
            "customers": self.counts[position],
            "load": self.loads[position],
            "load_by": self.found.settings.load.by,
            "period": self.found.seed,
            "place": self.places[position] + 1,
        }
        if self.seconds[position] >= 0:
            inputs["runner_up_load"] = self.seconds[position]
        if self.sticky[position]:
            inputs["because"] = STICKY
        return Move(
            self.queue.numbers[position],
            self.queue.befores[position] or None,
            person.staff.staff_id,
            "assign",
            f"rules[{self.rules[position]}]",
            self.people[runner].staff.staff_id if runner >= 0 else None,
            inputs,
            self.found.policy.name,
            self.found.policy.version,
        )

    def nobody(self) -> Iterator[tuple[int, str, str]]:
        """Yield the customers nobody can take, by number: the rule that held, and what excluded everyone."""
        for position in sorted(self.codes, key=self.queue.numbers.__getitem__):
            rule = self.rules[position]
            yield self.queue.numbers[position], f"rules[{rule}]" if rule >= 0 else "", self.codes[position]


@dataclass
class Weighed:
    """What an assignment would do: by policy; and everybody's books before and after it."""

    basis: Basis
    given: list[Given]
    people: tuple[Person, ...]
    before: Books
    after: Books
    exempt: int

    def acting(self) -> list[Given]:
        """Return what policies do that do not only report."""
        return [each for each in self.given if not each.ruling.report]

    def counts(self) -> dict[str, int]:
        """Return the counts of a summary; what policies in report mode would do is counted apart."""
        acting, reporting = self.acting(), [each for each in self.given if each.ruling.report]
        return {
            "assigned": sum(_gives(each) for each in acting),
            "reassigned": sum(each.existing for each in acting),
            "kept": sum(each.kept for each in acting),
            "unassignable": sum(len(each.codes) for each in acting),
            "exempt": self.exempt,
            "reported": sum(_gives(each) for each in reporting),
        }


def _gives(each: Given) -> int:
    return len(each.queue.numbers) - len(each.codes)


def weigh(conn: Connection, base: Basis) -> Weighed:
    """Return what every policy would do."""
    first = base.found[0]
    people = people_of(base.bench, first.seed)
    ids = [person.staff.staff_id for person in people]
    before = reading.books(conn, first, base.ground, ids)
    books, given = deepcopy(before), []
    for ruling, found, (fits, _out) in zip(base.rulings, base.found, base.pairs, strict=True):
        ordered = people if found.seed == first.seed else people_of(base.bench, found.seed)
        each = Given(ruling, found, Queue(), ordered)
        own = terms(base.ground.policies, found, ordered)
        _fill(conn, base, each, own, fits)
        here = deepcopy(books) if ruling.report else books
        values = here.values
        if found.value != first.value:  # what customers are worth is measured otherwise
            here.values = reading.books(conn, found, base.ground, ids).values
        _give(conn, base, each, own, here)
        here.values = values
        given.append(each)
    excepted = or_(*(out for _fits, out in base.pairs))
    exempt = reading.counted(conn, excepted, reading.only(base.numbers)) if _exceptions(base) else 0
    return Weighed(base, given, people, before, books, exempt)


def _exceptions(base: Basis) -> bool:
    return any(ruling.exempt for ruling in base.rulings)


def _fill(conn: Connection, base: Basis, each: Given, own: Terms, fits: Any) -> None:  # noqa: ANN401 - a condition
    """Read who waits for an owner, and count who keeps one."""
    active = [person.staff.staff_id for person in each.people]
    ranks, seed, rebalance = base.ranks(), each.found.seed, each.found.settings.rebalance
    here = reading.only(base.numbers)
    wanted = and_(fits, here) if rebalance else and_(fits, here, reading.without_owner(active))
    held: dict[int, list[tuple[bytes, reading.Row]]] = {}
    index = {staff_id: position for position, staff_id in enumerate(active)}
    fit = _Fit(own, each.people, each.found.facts)
    for row in reading.rows(conn, each.found, base.ground, wanted, base.numbers):
        key = reading.key_of(seed, ranks, row.kind, row.customer_id)
        owner = index.get(row.owner_id or 0)
        if owner is None or (rebalance and not fit.holds(owner, row)):
            each.queue.add(row.customer_id, row.kind, row.value, row.owner_id or 0, key)
        elif rebalance:
            held.setdefault(owner, []).append((key, row))
    for owner, theirs in held.items() if rebalance and not base.numbers else ():
        _lighten(each, theirs, each.people[owner].capacity)
    everybody = reading.counted(conn, fits, here)
    each.kept = everybody - len(each.queue.numbers)


def _lighten(each: Given, theirs: list[tuple[bytes, reading.Row]], capacity: int) -> None:
    """Let the customers wait that an owner has beyond capacity: the last in the order of the period."""
    if len(theirs) > capacity:
        theirs.sort(key=lambda pair: pair[0])
        for key, row in theirs[capacity:]:
            each.queue.add(row.customer_id, row.kind, row.value, row.owner_id or 0, key)


class _Fit:
    """Says whether owners may keep customers: by the rules, and OWN-05; who is only away keeps them."""

    def __init__(self, own: Terms, people: Sequence[Person], names: Sequence[str]) -> None:
        self.terms, self.names = own, names
        self.people = [
            Person(each.staff, each.capacity, each.order, tuple(code for code in each.problems if code != ABSENT))
            for each in people
        ]
        self._known: dict[Any, frozenset[int]] = {}

    def holds(self, owner: int, row: reading.Row) -> bool:
        """Say whether this person may keep this customer."""
        members = self._known.get(row.kind)
        if members is None:
            members = self._known[row.kind] = self._members(row)
        return owner in members and owner not in self.terms.named.get(row.customer_id, ())

    def _members(self, row: reading.Row) -> frozenset[int]:
        kind, found = row.kind, set()
        values = dict(zip(self.names, kind.values, strict=True))
        out = frozenset().union(*(who for bit, who in enumerate(self.terms.conflicts) if kind.conflicts >> bit & 1))
        for rule, passing in enumerate(self.terms.else_next):
            if kind.rules >> rule & 1:
                found.update(eligible(self.terms, self.people, rule, values, out)[0])
                if not passing:
                    break
        return frozenset(found)


def _give(conn: Connection, base: Basis, each: Given, own: Terms, books: Books) -> None:
    """Give out the customers of a policy, in order; `books` grow."""
    queue, size = each.queue, len(each.queue.numbers)
    for kept in (each.persons, each.runners, each.rules, each.loads, each.counts, each.seconds, each.places):
        kept.extend([-1] * size)
    each.sticky = bytearray(size)
    ascending = [queue.numbers[position] for position in queue.by_number()]
    earlier = reading.former(conn, each.found, base.ground, ascending)
    index = {person.staff.staff_id: position for position, person in enumerate(each.people)}
    allocation = Allocation(own, each.people, books, queue.known, each.found.facts)
    for place, position in enumerate(queue.in_order()):
        each.places[position] = place
        found = allocation.give(_waiting(queue, position, earlier, index))
        if isinstance(found, Nobody):
            each.codes[position] = found.code
            each.rules[position] = -1 if found.rule is None else found.rule
            continue
        _keep(each, position, found)
        each.existing += queue.befores[position] != 0


def _waiting(queue: Queue, position: int, earlier: Former, index: dict[int, int]) -> Waiting:
    number, before = queue.numbers[position], queue.befores[position]
    last, locked = earlier.last.get(number), earlier.locked.get(number, ())
    out = frozenset(index[who] for who in (*locked, before) if who in index) if locked or before else _NO_ONE
    return Waiting(number, queue.kinds[position], queue.values[position], index.get(last or 0), out)


def _keep(each: Given, position: int, found: Choice) -> None:
    each.persons[position] = found.person
    each.runners[position] = -1 if found.runner_up is None else found.runner_up
    each.rules[position] = found.rule
    each.loads[position] = found.load
    each.counts[position] = found.customers
    each.seconds[position] = -1 if found.runner_up_load is None else found.runner_up_load
    each.sticky[position] = found.sticky
