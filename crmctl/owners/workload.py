"""`owner workload`: what everybody looks after, and how much more they could (OWN-06)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, select

from crmctl.customers import ruled, scope
from crmctl.customers.tables import customer
from crmctl.owners.bench import NO_CUSTOMER, Bench, bench
from crmctl.owners.measure import UNGRADED, Measure, fairness, governing, measure, takes_some
from crmctl.owners.measure import Book as Measured
from crmctl.owners.terms import settings_of, value_of
from crmctl.policy.metrics import BY_NAME, Left
from crmctl.policy.policyset import Policy
from crmctl.policy.scopes import in_force
from crmctl.runs.run import Run, today
from crmctl.staff import Absence, Staff
from crmctl.store import engine


@dataclass
class Book:
    """What one person looks after: customers by tier ("none": never graded), and their annual amount in minor units."""

    tiers: dict[str, int] = field(default_factory=dict)
    value: int = 0

    @property
    def customers(self) -> int:
        """How many customers."""
        return sum(self.tiers.values())


@dataclass(frozen=True)
class Workload:
    """What everybody looks after: `rows` as `showing.workload_columns` has them; the measure, None with no policy."""

    bench: Bench
    measure: Measure | None
    fairness: Mapping[str, Any]
    rows: list[tuple[Any, ...]]


def books_by_tier(conn: Connection, run: Run, policy: Policy | None) -> dict[int, Book]:
    """Return everybody's book, by staff id, of the customers the person may know of.

    The value is what an owners policy counts: what the records declare in the home currency, or orders.
    """
    owner, tier = customer.c.owner_id, customer.c.tier
    left = Left(BY_NAME["annual_amount"]) if policy is None else value_of(settings_of(policy))
    columns, origin = ruled.joined((left,), run.as_of.astimezone(ZoneInfo(run.zone)))
    value = ruled.in_home_currency(run.policies.company.currency, columns)[left]
    query = (
        select(owner, tier, func.count(), func.sum(value))
        .select_from(origin)
        .where(owner.is_not(None), customer.c.status.not_in(NO_CUSTOMER), *scope.in_scope(run))
    )
    found: dict[int, Book] = {}
    for owner_id, code, number, amount in conn.execute(query.group_by(owner, tier)):
        book = found.setdefault(owner_id, Book())
        book.tiers[code or UNGRADED] = int(number)
        book.value += int(amount or 0)
    return found


def workload(run: Run) -> Workload:
    """Return who is in post, or still has customers, with the load in the measure of the owners policy in force."""
    rulings = in_force(run.policies, "owners", today(run.policies, run.as_of))
    ruling = governing(rulings)
    policy = None if ruling is None else ruling.policy
    used = None if policy is None else measure(run.policies, policy)
    with engine.read(run.engine) as conn:
        people = bench(conn, run)
        held = books_by_tier(conn, run, policy)
    there = [person for person in people.directory.people if person.active_on(people.day) or person.staff_id in held]
    gone: list[tuple[Any, ...]] = [
        (owner, None, "", book.customers, dict(sorted(book.tiers.items())), book.value, _load(used, book), None, None,
         list(people.problems(owner)), [], None, [])
        for owner, book in sorted(held.items())
        if owner not in people.directory.by_id
    ]  # fmt: skip
    rows = [_row(people, person, held.get(person.staff_id, Book()), used) for person in there]
    fit = [
        person
        for person in there
        if not people.problems(person.staff_id)
        and any(takes_some(run.policies, each.policy, person) for each in rulings)
    ]
    return Workload(people, used, {} if used is None else fairness(used, _measured(people, fit, held)), [*rows, *gone])


def _measured(people: Bench, fit: Sequence[Staff], held: Mapping[int, Book]) -> list[Measured]:
    books = [(people.capacity(person) or 0, held.get(person.staff_id, Book())) for person in fit]
    return [Measured(capacity, book.tiers, book.value) for capacity, book in books]


def _load(used: Measure | None, book: Book) -> float | None:
    return None if used is None else used.load(book.tiers, book.value)


def _row(people: Bench, person: Staff, book: Book, used: Measure | None) -> tuple[Any, ...]:
    capacity = people.capacity(person)
    away = [absence for absence in person.absences if absence.cancelled is None and absence.until_on >= people.day]
    deputy = people.deputy(person)
    return (
        person.staff_id, person.number, person.name, book.customers, dict(sorted(book.tiers.items())), book.value,
        _load(used, book), capacity, None if capacity is None else max(0, capacity - book.customers),
        list(people.problems(person.staff_id)), [_period(absence) for absence in away],
        deputy and deputy.staff_id, [other.number for other in people.standing_in.get(person.staff_id, ())],
    )  # fmt: skip


def _period(absence: Absence) -> str:
    return f"{absence.from_on.isoformat()}/{absence.until_on.isoformat()}"
