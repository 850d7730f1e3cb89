"""Rejected rows in a purge: which imports' are over, which stay and why (DES-01, DES-06, DES-07).

A row that an import rejected belongs to nobody the program knows. So rejected rows go by import, with its key and with
what else is sealed under it: the file's name, its header, of one that was never finished its input. One item of a plan,
of no customer, lists the imports.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, func, select

from crmctl import holds
from crmctl.retention.decide import DUE, EDITED, GONE, LATE, NOT_DUE
from crmctl.retention.leaves import SALT_SIZE, leaf_of
from crmctl.retention.selecting import Basis
from crmctl.retention.terms import Terms as Terms
from crmctl.retention.terms import terms_of
from crmctl.runs.plans import Item
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

    @property
    def number(self) -> int:
        """The import's number."""
        return self.batch_id

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


def find(conn: Connection, base: Basis, counted: Counter[str]) -> list[Import]:
    """Return the imports whose rejected rows are over, by number; count in which state all are."""
    policy = base.unowned("rejected_rows")
    if policy is None:
        return []
    terms, frozen = terms_of(base.policies, policy, "rejected_rows", base.at), holds.everybody(conn)
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


def judge(conn: Connection, base: Basis | None, imports: Iterable[Import]) -> dict[int, str]:
    """Return why imports of a plan stay that were to go; which is not in it goes. Without `base` all are too late."""
    going = [each for each in imports if not each.why]
    policy = None if base is None else base.unowned("rejected_rows")
    if base is None or policy is None:
        return {each.batch_id: LATE if base is None else NOT_DUE for each in going}
    terms, frozen = terms_of(base.policies, policy, "rejected_rows", base.at), holds.everybody(conn)
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
