"""`owner workload`: what everybody looks after, and how much more they could (OWN-06)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, case, func, or_, select

from crmctl.customers import scope
from crmctl.customers.tables import customer
from crmctl.owners.bench import CANCELLED, Bench, bench
from crmctl.runs.run import Run
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


def books_by_tier(conn: Connection, run: Run) -> dict[int, Book]:
    """Return everybody's book, by staff id, of the customers the person may know of.

    The value is what the records declare in the home currency; other currencies count as customers only.
    """
    columns = customer.c
    settings: Any = run.policies.settings("customers")
    home = or_(columns.currency.is_(None), columns.currency == settings.currency)
    amount = func.sum(case((home, columns.annual_amount), else_=0))
    query = select(columns.owner_id, columns.tier, func.count(), amount).where(
        columns.owner_id.is_not(None), columns.status != CANCELLED, *scope.in_scope(run)
    )
    found: dict[int, Book] = {}
    for owner, tier, number, value in conn.execute(query.group_by(columns.owner_id, columns.tier)):
        book = found.setdefault(owner, Book())
        book.tiers[tier or "none"] = int(number)
        book.value += int(value or 0)
    return found


def workload(run: Run) -> tuple[Bench, list[tuple[Any, ...]]]:
    """Return the rows of the list (`showing.workload_columns`): who is in post, or still has customers."""
    with engine.read(run.engine) as conn:
        people = bench(conn, run)
        held = books_by_tier(conn, run)
    rows = [
        _row(people, person, held.get(person.staff_id, Book()))
        for person in people.directory.people
        if person.active_on(people.day) or person.staff_id in held
    ]
    gone: list[tuple[Any, ...]] = [
        (owner, None, "", book.customers, dict(sorted(book.tiers.items())), book.value, None, None,
         list(people.problems(owner)), [], None, [])
        for owner, book in sorted(held.items())
        if owner not in people.directory.by_id
    ]  # fmt: skip
    return people, [*rows, *gone]


def _row(people: Bench, person: Staff, book: Book) -> tuple[Any, ...]:
    capacity = people.capacity(person)
    away = [absence for absence in person.absences if absence.cancelled is None and absence.until_on >= people.day]
    deputy = people.deputy(person)
    return (
        person.staff_id, person.number, person.name, book.customers, dict(sorted(book.tiers.items())), book.value,
        capacity, None if capacity is None else max(0, capacity - book.customers),
        list(people.problems(person.staff_id)), [_period(absence) for absence in away],
        deputy and deputy.staff_id, [other.number for other in people.standing_in.get(person.staff_id, ())],
    )  # fmt: skip


def _period(absence: Absence) -> str:
    return f"{absence.from_on.isoformat()}/{absence.until_on.isoformat()}"
