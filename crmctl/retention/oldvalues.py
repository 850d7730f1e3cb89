"""Values before a change in a purge: of which runs they are over, which stay and why (DES-01, DES-06, DES-07).

The change log keeps what a record held before each change, so that the change can be looked at and undone. Such values
go by the run that made the changes. One item of a plan, of no customer, lists the runs. Whose customer is held keeps
theirs: they are left out of their run, and due again in the next plan.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, CompoundSelect, Connection, Select, func, select, union_all

from crmctl import holds
from crmctl.audit.tables import IMAGES, change
from crmctl.retention.decide import DUE, GONE, LATE, NOT_DUE
from crmctl.retention.leaves import SALT_SIZE, leaf_of
from crmctl.retention.selecting import Basis
from crmctl.retention.terms import terms_of
from crmctl.runs.plans import Item
from crmctl.runs.tables import run
from crmctl.store import bulk
from crmctl.store.metadata import UtcTime

PLACE = -1  # the customer of its item: of none, and not the item of imports
RUNS = "runs"  # the action of the item that lists them


class Old(NamedTuple):
    """A run of a plan: how many changes have values before them, why they stay ("" where they go), its leaf's salt.

    Changes of customers who were held when the plan was made are not among them.
    """

    run_id: int
    changes: int
    why: str
    salt: str

    @property
    def number(self) -> int:
        """The run's number."""
        return self.run_id

    def leaf(self, plan: int) -> bytes:
        """Return the leaf that says they went under a plan."""
        return leaf_of(bytes.fromhex(self.salt), self.run_id, plan, of="run")


class Found(NamedTuple):
    """The runs whose values are over; changes that stay by reason, and in which state all runs with values are."""

    runs: list[Old]
    kept: Counter[str]
    states: Counter[str]

    @property
    def going(self) -> list[Old]:
        """The runs whose values go."""
        return [each for each in self.runs if not each.why]

    def summary(self) -> dict[str, Any]:
        """Return it for the plan: how many runs and changes go; there may be too many runs to name each."""
        return {
            "runs": len(self.going),
            "changes": sum(each.changes for each in self.going),
            "kept": dict(self.kept),
            "states": dict(self.states),
        }


def nothing() -> Found:
    """Return that of none anything is over."""
    return Found([], Counter(), Counter())


def find(conn: Connection, base: Basis) -> Found:
    """Return the runs whose values before changes are over, by number."""
    found, policy = nothing(), base.unowned("old_values")
    if policy is None:
        return found
    terms, due = terms_of(base.policies, policy, "old_values", base.at), dict[int, int]()
    for number, began, changes in conn.execute(_standing()):
        state = terms.state(began)
        found.states[state] += 1
        if state == DUE:
            due[number] = changes
    frozen = holds.everybody(conn)
    why = f"hold:{frozen}" if frozen else ""
    held = dict[int, int]() if frozen else of_held(conn, due, base.at)
    for number, changes in due.items():
        if going := changes - held.get(number, 0):
            found.runs.append(Old(number, going, why, os.urandom(SALT_SIZE).hex()))
    found.kept.update({why: sum(due.values())} if why and due else staying(conn, held, base.at))
    return found


def item(runs: Sequence[Old]) -> Item:
    """Return the item of a plan that lists runs."""
    return Item(PLACE, RUNS, None, None, [list(each) for each in runs])


def read(found: Item) -> list[Old]:
    """Return the runs that an item lists."""
    return [Old(*each) for each in found.detail]


def judge(conn: Connection, base: Basis | None, runs: Iterable[Old]) -> dict[int, str]:
    """Return why runs of a plan are spared that were to go; which is not in it goes. Without `base` all are too late.

    What machines write meanwhile is of other runs, and spoils nothing.
    """
    going = [each.run_id for each in runs if not each.why]
    policy = None if base is None else base.unowned("old_values")
    if base is None or policy is None:
        return dict.fromkeys(going, LATE if base is None else NOT_DUE)
    terms, frozen = terms_of(base.policies, policy, "old_values", base.at), holds.everybody(conn)
    standing = {number: began for number, began, _changes in conn.execute(_standing(conn, going))}
    spared = {}
    for number in going:
        if number not in standing:
            spared[number] = GONE
        elif frozen:
            spared[number] = f"hold:{frozen}"
        elif terms.state(standing[number]) != DUE:
            spared[number] = NOT_DUE
    return spared


def left(conn: Connection, runs: Collection[int]) -> dict[int, int]:
    """Return how many changes of each of these runs have values before them; none for a run without."""
    columns = change.c
    query = select(columns.run_id, func.count()).where(IMAGES, bulk.among(conn, columns.run_id, runs))
    return {number: int(many) for number, many in conn.execute(query.group_by(columns.run_id))}


def staying(conn: Connection, runs: Collection[int], at: datetime) -> Counter[str]:
    """Return how many changes of these runs stay, by the first reason that holds their customer."""
    found: Counter[str] = Counter()
    earlier: list[ColumnElement[bool]] = []
    for code, query in holds.reasons(at).items() if runs else ():
        theirs = change.c.customer_id.in_(query)
        counted = select(func.count()).select_from(change).where(IMAGES, bulk.among(conn, change.c.run_id, runs))
        number = conn.execute(counted.where(theirs, *earlier)).scalar_one()
        found.update({f"hold:{code}": int(number)} if number else {})
        earlier.append(~theirs)
    return found


def held(at: datetime) -> CompoundSelect[Any]:
    """Return what selects the customers whom anything holds at a time; one on everybody is not in it."""
    return union_all(*(select(*query.subquery().c) for query in holds.reasons(at).values()))


def of_held(conn: Connection, runs: Collection[int], at: datetime) -> dict[int, int]:
    """Return how many changes of each of these runs are of customers who are held."""
    columns = change.c
    query = select(columns.run_id, func.count()).where(
        IMAGES, bulk.among(conn, columns.run_id, runs), columns.customer_id.in_(held(at))
    )
    return {number: int(many) for number, many in conn.execute(query.group_by(columns.run_id))}


def _standing(conn: Connection | None = None, numbers: Collection[int] = ()) -> Select[Any]:
    """Return what selects runs with values before changes: number, when the period began, how many; or of `numbers`."""
    columns = change.c
    counted = select(columns.run_id, func.count().label("changes")).where(IMAGES).group_by(columns.run_id)
    if conn is not None:
        counted = counted.where(bulk.among(conn, columns.run_id, numbers))
    each = counted.subquery("counted")
    began = func.coalesce(run.c.ended_at, run.c.started_at, type_=UtcTime)
    return select(each.c.run_id, began, each.c.changes).join(run, run.c.run_id == each.c.run_id).order_by(each.c.run_id)
