"""One chunk, one transaction: orders, their numbers, changes, quarantine, cursor and audit entry (design §6, §8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from crmctl.audit.changes import CHANGE_COLUMNS, After, Before, Changes, clear_hash, clear_json, fields_json
from crmctl.audit.tables import change
from crmctl.errors import IntegrityFailed, Locked
from crmctl.i18n import _
from crmctl.orders.model import ORDER, VALUES, Stored, Value
from crmctl.orders.tables import order_number, purchase_order
from crmctl.runs.run import Run
from crmctl.sheets import batches
from crmctl.sheets.batches import Part
from crmctl.sheets.model import COUNTS, REJECTED
from crmctl.sheets.tables import rejected_row
from crmctl.store import bulk, counters, engine

EVERYTHING = fields_json(frozenset())  # a creation is of all fields; they are not repeated on every row
_SET = (*VALUES, "updated_at", "version")
_KEY = ("customer_id", "order_id")


class New(NamedTuple):
    """An order to be created."""

    customer_id: int
    number: str
    values: Mapping[str, Value]


class Edited(NamedTuple):
    """A known order and the values it is to have."""

    before: Stored
    values: Mapping[str, Value]


@dataclass
class Chunk:
    """What a chunk writes, and the counts it stands for. `rejected` are rows of the quarantine, sealed already."""

    ordinal: int
    source: str
    at: str  # when the import began, as a stamp
    first_row: int = 0
    last_row: int = 0
    created: list[New] = field(default_factory=list)
    edited: list[Edited] = field(default_factory=list)
    rejected: list[tuple[Any, ...]] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)  # numbers of orders that rows of this chunk are about
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    reasons: dict[str, int] = field(default_factory=dict)


def apply(run: Run, batch_id: int, chunk: Chunk) -> None:
    """Write a chunk. Raises Locked when another run took an order number meanwhile: nothing of it is kept."""
    changed = len(chunk.created) + len(chunk.edited)
    first_change = counters.take(run.engine, "change", changed) if changed else 0
    changes = Changes(run.run_id or 0, chunk.ordinal, first_change)
    try:
        with engine.write(run.engine) as conn:
            _create(conn, batch_id, chunk, changes)
            _edit(conn, chunk, changes)
            bulk.insert_rows(conn, change, CHANGE_COLUMNS, changes.take())
            bulk.insert_rows(conn, rejected_row, REJECTED, chunk.rejected)
            batches.progress(conn, batch_id, chunk.last_row, chunk.counts)
            part = Part(chunk.ordinal, chunk.first_row, chunk.last_row, chunk.counts, chunk.reasons)
            batches.log(conn, run, batch_id, part, changes.summary())
    except IntegrityError:
        raise Locked(
            _("batch {batch}: another run changed the same orders meanwhile").format(batch=batch_id),
            hint=_("continue with: crmctl batch resume {batch}").format(batch=batch_id),
            code="CHANGED_MEANWHILE",
        ) from None


def _create(conn: Connection, batch_id: int, chunk: Chunk, changes: Changes) -> None:
    if not chunk.created:
        return
    first = counters.take(conn, "order", len(chunk.created))
    rows = []
    for order_id, (customer_id, number, values) in enumerate(chunk.created, start=first):
        row: dict[str, Value] = {
            "customer_id": customer_id, "order_id": order_id, "number": number, "source": chunk.source, **values,
            "batch_id": batch_id, "created_at": chunk.at, "updated_at": chunk.at, "version": 1,
        }  # fmt: skip
        changes.create((customer_id, "order", order_id), EVERYTHING, After(clear_hash(row), None))
        rows.append(tuple(map(row.get, ORDER)))
    bulk.insert_rows(
        conn, purchase_order, ORDER, sorted(rows, key=itemgetter(0, 1))
    )  # neighbours on a page are written together
    numbers = sorted((row[2], row[3], row[0], row[1]) for row in rows)
    bulk.insert_rows(conn, order_number, ("number", "source", *_KEY), numbers)


def _edit(conn: Connection, chunk: Chunk, changes: Changes) -> None:
    rows = []
    for before, values in chunk.edited:
        was = before.values
        version = int(was["version"] or 0) + 1
        now = {**was, **values, "updated_at": chunk.at, "version": version}
        names = frozenset(name for name in VALUES if was.get(name) != now.get(name))
        clear = clear_json(was)
        image = Before(clear.decode(), None, sha256(clear).digest(), None)
        of = (before.customer_id, "order", before.order_id)
        changes.update(of, version, fields_json(names), image, After(clear_hash(now), None))
        rows.append((before.customer_id, before.order_id, *map(now.get, _SET)))
    if bulk.update_rows(conn, purchase_order, _KEY, _SET, sorted(rows, key=itemgetter(0, 1))) != len(rows):
        raise IntegrityFailed(_("an order is gone that was there a moment ago"), hint=_("run: crmctl audit verify"))
