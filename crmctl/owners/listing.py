"""`owner list`, `owner workload`, `owner history`: whose customers are whose, and who was before (OWN-01, -03, -05)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, false, func, or_, select

from crmctl import clock
from crmctl.cli.render import Column
from crmctl.customers import records, scope, showing
from crmctl.customers.ownership import ownership
from crmctl.customers.tables import customer
from crmctl.i18n import N_, _
from crmctl.owners.bench import NO_CUSTOMER, NO_OWNER, Bench, bench, books, said
from crmctl.runs.run import Run
from crmctl.store import engine

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Asked:
    """Which customers: of one owner, without an active owner, whose owner may not own; of all where nothing is said."""

    owner: int | None = None
    without: bool = False
    unfit: bool = False
    limit: int = 50
    after: int = 0


@dataclass(frozen=True)
class Found:
    """A page of customers with their owners, how many there are in all, and how many of these two kinds."""

    shown: Sequence[records.Shown]
    bench: Bench
    next: int | None
    counts: Mapping[str, int]


def find(run: Run, asked: Asked) -> Found:
    """Return a page of customers as asked for, masked, and the counts of everybody in the person's scope."""
    with engine.read(run.engine) as conn:
        people = bench(conn, run)
        own = scope.in_scope(run)
        held = books(conn, *own)
        number = customer.c.customer_id
        conditions = [*own, *_wanted(people, held, asked)]
        query = select(number).where(number > asked.after, customer.c.status.not_in(NO_CUSTOMER), *conditions)
        numbers = conn.execute(query.order_by(number).limit(asked.limit + 1)).scalars().all()
        total = _total(conn, conditions)
    page = numbers[: asked.limit]
    shown = records.page(run, records.Filters(numbers=tuple(page)), asked.limit).customers if page else []
    counts = {
        "customers": total,
        "without": sum(n for owner, n in held.items() if not people.active(owner)),
        "unfit": sum(n for owner, n in held.items() if owner is not None and people.problems(owner)),
    }
    return Found(shown, people, page[-1] if len(numbers) > asked.limit else None, counts)


def _wanted(people: Bench, held: Mapping[int | None, int], asked: Asked) -> list[ColumnElement[bool]]:
    owner = customer.c.owner_id
    found: list[ColumnElement[bool]] = []
    if asked.owner is not None:
        found.append(owner == asked.owner)
    kinds: list[ColumnElement[bool]] = []
    if asked.without:
        gone = [each for each in held if each is not None and not people.active(each)]
        kinds.append(or_(owner.is_(None), owner.in_(gone) if gone else false()))
    if asked.unfit:
        unfit = [each for each in held if each is not None and people.problems(each)]
        kinds.append(owner.in_(unfit) if unfit else false())
    return [*found, or_(*kinds)] if kinds else found


def _total(conn: Connection, conditions: Sequence[ColumnElement[bool]]) -> int:
    query = select(func.count()).select_from(customer).where(customer.c.status.not_in(NO_CUSTOMER), *conditions)
    return int(conn.execute(query).scalar_one())


def list_table(run: Run, found: Found) -> tuple[tuple[Column, ...], Rows]:
    """Return the columns and rows of `owner list`."""
    label = showing.labels(run.policies)
    columns = (
        Column("customer", N_("Customer"), show=showing.number_text),
        Column("type", N_("Type"), show=lambda value: label("type", value)),
        Column("name", N_("Name")),
        Column("tier", N_("Tier"), show=lambda value: label("tier", value)),
        Column("region", N_("Region"), show=lambda value: label("region", value)),
        Column("status", N_("Status"), show=lambda value: label("status", value)),
        Column("owner", N_("Owner"), show=found.bench.name),
        Column("owner_number", detail=True),
        Column("problems", N_("Speaks against"), show=lambda codes: ", ".join(map(said, codes))),
        Column("deputy", N_("Stands in"), show=found.bench.name),
        Column("deputy_number", detail=True),
    )
    return columns, [_row(found.bench, shown) for shown in found.shown]


def _row(people: Bench, shown: records.Shown) -> tuple[Any, ...]:
    clear = shown.clear
    owner = clear.get("owner_id")
    person = people.directory.by_id.get(owner or 0)
    deputy = None if person is None else people.deputy(person)
    return (
        shown.customer_id, clear.get("type"), clear.get("company_name") or shown.personal.get("name"),
        clear.get("tier"), clear.get("region"), clear.get("status"), owner, people.number(owner),
        list(people.problems(owner)), deputy and deputy.staff_id, deputy and deputy.number,
    )  # fmt: skip


def history(run: Run, number: int) -> tuple[tuple[Column, ...], Rows]:
    """Return who looked after a customer from when to when, newest first, all roles (OWN-03)."""
    columns = ownership.c
    query = select(ownership).where(columns.customer_id == number)
    with engine.read(run.engine) as conn:
        people = bench(conn, run)
        rows = conn.execute(query.order_by(columns.since_at.desc(), columns.ownership_id.desc())).mappings().all()
    return _history_columns(people), [_history_row(run, people, row) for row in rows]


def _history_columns(people: Bench) -> tuple[Column, ...]:
    return (
        Column("staff_id", N_("Person"), show=people.name),
        Column("number", detail=True),
        Column("role", N_("Role"), show=lambda code: _(ROLES.get(code, code))),
        Column("from", N_("Since")),
        Column("to", N_("Until")),
        Column("until_on", N_("Last day")),
        Column("reason", N_("Because"), show=lambda code: _(REASONS.get(code, code))),
        Column("rule", N_("Rule")),
        Column("policy", detail=True),
        Column("policy_version", detail=True),
        Column("runner_up", N_("Runner-up"), show=people.name),
        Column("inputs", detail=True),
        Column("ordered_by", N_("Ordered by")),
        Column("run", N_("Run")),
        Column("ended_because", N_("Ended because"), show=lambda code: _(REASONS.get(code, code))),
        Column("ended_run", N_("Ended by run")),
    )


def _history_row(run: Run, people: Bench, row: Mapping[Any, Any]) -> tuple[Any, ...]:
    until = row["until_at"]
    return (
        row["staff_id"], people.number(row["staff_id"]), row["role"], clock.local(row["since_at"], run.zone),
        clock.local(until, run.zone) if until else None, row["until_on"], row["reason"], row["rule"],
        row["policy"] or None, row["policy_version"] or None, row["runner_up_id"], orjson.loads(row["inputs"] or "{}"),
        row["ordered_by"], row["run_id"], row["end_reason"], row["ended_run_id"],
    )  # fmt: skip


ROLES = {
    "owner": N_("owner"),
    "collaborator": N_("collaborator"),
    "deputy": N_("deputy"),
    "first_receiver": N_("first receiver"),
}
REASONS = {
    "assign": N_("assigned by policy"),
    "take": N_("taken from the pool"),
    "handover": N_("handed over"),
    "reclaim": N_("went back to the pool"),
    "import": N_("named in an import"),
    "manual": N_("decided by a person"),
    "leave": N_("left"),
    "return": N_("given back"),
}
__all__ = ["NO_OWNER", "Asked", "find", "history", "list_table"]
