"""Rejected rows in a purge: which imports' are over, which stay and why (DES-01, DES-06, DES-07).

A row that an import rejected belongs to nobody the program knows. So rejected rows go by import, with its key and with
what else is sealed under it: the file's name, its header, of one that was never finished its input. One item of a plan,
of no customer, lists the imports.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, func, select

from crmctl import holds
from crmctl.policy.policyset import Policy, PolicySet
from crmctl.retention.decide import DUE, EDITED, GONE, GRACE, LATE, NOT_DUE, RUNNING
from crmctl.retention.leaves import SALT_SIZE, leaf_of
from crmctl.retention.policy import Span
from crmctl.retention.rules import before, settings_of
from crmctl.retention.selecting import Basis
from crmctl.runs.plans import Item, read_item
from crmctl.runs.tables import plan_item
from crmctl.sheets.batches import UNFINISHED
from crmctl.sheets.tables import batch, rejected_row
from crmctl.store import bulk
from crmctl.store.metadata import UtcTime
from crmctl.use.tables import copy_register

NOBODY = 0  # the customer of what is of no customer
IMPORTS = "imports"  # the action of the item that lists them
COPIES = "copies"  # a file with its rejected rows is not destroyed yet, and the import's key says where it lies


class Import(NamedTuple):
    """An import of a plan: how many rejected rows it had, why it stays ("" where it goes), the salt of its leaf."""

    batch_id: int
    rows: int
    why: str
    salt: str

    def leaf(self, plan: int) -> bytes:
        """Return the leaf that says it went under a plan."""
        return leaf_of(bytes.fromhex(self.salt), self.batch_id, plan, of="batch")


class Standing(NamedTuple):
    """An import as it stands: when its period began, its rejected rows, whether copies of them are outside."""

    began: datetime
    rows: int
    copied: bool
    unfinished: bool

    @property
    def holds_any(self) -> bool:
        """Whether it keeps anything of people who became no customers."""
        return bool(self.rows) or self.unfinished


class Terms(NamedTuple):
    """A policy's periods on one day: over for what began before `over`, to be destroyed for before `destroyed`."""

    over: datetime
    destroyed: datetime

    def state(self, began: datetime) -> str:
        """Return what becomes of an import whose period began then."""
        return RUNNING if began >= self.over else GRACE if began >= self.destroyed else DUE


def terms_of(policies: PolicySet, policy: Policy, at: datetime) -> Terms:
    """Return the periods of a policy that has rejected rows, for a moment in the company's zone."""
    settings = settings_of(policy).rejected_rows
    assert settings is not None
    back = at.date() if settings.grace is None else before(policies, at.date(), settings.grace)

    def bound(day: Any, span: Span) -> datetime:  # noqa: ANN401 - a day
        last = before(policies, day, span)
        return datetime.combine(last + timedelta(days=1), time.min, at.tzinfo)

    return Terms(bound(at.date(), settings.keep), bound(back, settings.keep))


def find(conn: Connection, base: Basis, counted: Counter[str]) -> list[Import]:
    """Return the imports whose rejected rows are over, by number; count in which state all are."""
    if base.rejected_rows is None:
        return []
    terms, frozen = terms_of(base.policies, base.rejected_rows, base.at), holds.everybody(conn)
    found = []
    for number, each in _standing(conn).items():
        if not each.holds_any:
            continue
        state = terms.state(each.began)
        counted[state] += 1
        if state == DUE:
            why = f"hold:{frozen}" if frozen else COPIES if each.copied else ""
            found.append(Import(number, each.rows, why, os.urandom(SALT_SIZE).hex()))
    return found


def item(imports: Sequence[Import]) -> Item:
    """Return the item of a plan that lists imports."""
    return Item(NOBODY, IMPORTS, None, None, [list(each) for each in imports])


def read(found: Item) -> list[Import]:
    """Return the imports that an item lists."""
    return [Import(*each) for each in found.detail]


def of(conn: Connection, number: int) -> Item | None:
    """Return the item of a plan that lists imports; None where it has none, or all is done."""
    columns = plan_item.c
    query = select(columns.customer_id, columns.action, columns.before, columns.after, columns.detail).where(
        columns.plan_id == number, columns.customer_id == NOBODY, columns.action == IMPORTS
    )
    row = conn.execute(query).first()
    return None if row is None else read_item(row)


def judge(conn: Connection, base: Basis | None, imports: Iterable[Import]) -> dict[int, str]:
    """Return why imports of a plan stay that were to go; which is not in it goes. Without `base` all are too late."""
    going = [each for each in imports if not each.why]
    if base is None or base.rejected_rows is None:
        return {each.batch_id: LATE if base is None else NOT_DUE for each in going}
    terms, frozen = terms_of(base.policies, base.rejected_rows, base.at), holds.everybody(conn)
    standing = _standing(conn, [each.batch_id for each in going])
    spared = {}
    for each in going:
        found = standing.get(each.batch_id)
        if found is None:
            spared[each.batch_id] = GONE
        elif frozen:
            spared[each.batch_id] = f"hold:{frozen}"
        elif found.copied:
            spared[each.batch_id] = COPIES
        elif found.rows != each.rows:
            spared[each.batch_id] = EDITED
        elif terms.state(found.began) != DUE:
            spared[each.batch_id] = NOT_DUE
    return spared


def _standing(conn: Connection, numbers: Collection[int] | None = None) -> Mapping[int, Standing]:
    """Return imports that were not destroyed, those of `numbers` or all, by number."""
    began = func.coalesce(batch.c.ended_at, batch.c.started_at, type_=UtcTime)
    query = (
        select(batch.c.batch_id, began, batch.c.state).where(batch.c.destroyed_at.is_(None)).order_by(batch.c.batch_id)
    )
    rows: Select[Any] = select(rejected_row.c.batch_id, func.count()).group_by(rejected_row.c.batch_id)
    copied = select(copy_register.c.batch_id).where(
        copy_register.c.batch_id.is_not(None), copy_register.c.disposed_at.is_(None)
    )
    if numbers is not None:
        query = query.where(bulk.among(conn, batch.c.batch_id, numbers))
        rows = rows.where(bulk.among(conn, rejected_row.c.batch_id, numbers))
    counts = {number: int(count) for number, count in conn.execute(rows)}
    outside = set(conn.execute(copied).scalars())
    return {
        number: Standing(since, counts.get(number, 0), number in outside, state in UNFINISHED)
        for number, since, state in conn.execute(query)
    }
