"""What an import of complaints stands on: the workspace's database; in a dry run the same and what it would add."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import orjson
from sqlalchemy import Connection, delete
from sqlalchemy.exc import IntegrityError

from crmctl.audit.changes import Summary
from crmctl.clock import stamp
from crmctl.complaints import origins, provisional, registering
from crmctl.complaints.drafting import Complainant
from crmctl.complaints.registering import New
from crmctl.complaints.sheetrows import SheetRow
from crmctl.customers import facts
from crmctl.customers.meant import Holders
from crmctl.customers.tables import customer
from crmctl.errors import Locked
from crmctl.i18n import _
from crmctl.runs.run import Run
from crmctl.runs.tables import reservation
from crmctl.security.sealing import DataKey, Sealer, pad
from crmctl.sheets import batches
from crmctl.sheets.batches import Part
from crmctl.sheets.intake import Begun
from crmctl.sheets.model import REJECTED, REJECTED_SEALED
from crmctl.sheets.tables import rejected_row
from crmctl.store import bulk, engine

if TYPE_CHECKING:
    from crmctl.complaints.importing import Chunk, Taken


@dataclass
class Known:
    """What is known of a chunk's rows: who has the names, those customers with their keys, marks of complaints."""

    holders: Holders
    customers: Mapping[int, Complainant]
    keys: Mapping[int, DataKey]
    marks: dict[str, str]


class Ground(Protocol):
    """Where an import looks things up, and what it writes to."""

    def known(self, rows: Sequence[SheetRow], source: str) -> Known: ...

    def apply(self, chunk: Chunk) -> None: ...


class Live:
    """Looks up and writes in the workspace's own database."""

    def __init__(self, run: Run, begun: Begun, epochs: Sequence[int]) -> None:
        self.run, self.begun, self.epochs = run, begun, epochs

    def known(self, rows: Sequence[SheetRow], source: str) -> Known:
        """Return what is known of a chunk's rows."""
        with engine.read(self.run.engine) as conn:
            holders = facts.named(conn, rows, self.epochs)
            customers = _customers(conn, {number for held in holders.values() for number in held})
            keys = self._keys(rows, holders)
            marks = {origins.numbered(source, row.number) for row in rows if row.number}
            marks |= {
                origins.unnumbered(keys[number], row.received_at, row.private.get("matter", ""))
                for row in rows
                if not row.number
                for number in _pointed(row, holders)
            }
            return Known(holders, customers, keys, origins.known(conn, marks))

    def _keys(self, rows: Sequence[SheetRow], holders: Holders) -> Mapping[int, DataKey]:
        wanted = {number for row in rows if not row.number for number in _pointed(row, holders)}
        found = self.run.keys.fetch("customer", wanted)
        return {number: found.get(number) or self.run.keys.key("customer", number) for number in wanted}

    def apply(self, chunk: Chunk) -> None:
        """Write a chunk, if the import's lock is still ours. Raises Locked when another run took one of its numbers."""
        if self.run.held is not None:
            self.run.held.check()
        fresh = [each for each in chunk.taken if each.customer_id is None]
        prepared = provisional.several(self.run, self.begun.batch_id, chunk.ordinal, [each.who for each in fresh])
        try:
            with engine.write(self.run.engine) as conn:
                self._write(conn, chunk, prepared)
        except IntegrityError:
            raise Locked(
                _("batch {batch}: another run took in the same complaints meanwhile").format(batch=self.begun.batch_id),
                hint=_("continue with: crmctl batch resume {batch}").format(batch=self.begun.batch_id),
                code="CHANGED_MEANWHILE",
            ) from None

    def _write(self, conn: Connection, chunk: Chunk, prepared: Sequence[provisional.Prepared]) -> None:
        batch_id = self.begun.batch_id
        changes = Summary(0, "")
        if chunk.taken:
            new = _numbered(chunk.taken, prepared)
            first = provisional.writes(self.run, prepared, new[0].draft.entered)
            places, changes = registering.register(conn, self.run, new, first, chunk=chunk.ordinal, batch_id=batch_id)
            marks = (each.mark for each in chunk.taken)
            origins.keep(conn, [(mark, place[1:]) for mark, place in zip(marks, places, strict=True)])
        conn.execute(delete(reservation).where(reservation.c.batch_id == batch_id))
        bulk.insert_rows(conn, rejected_row, REJECTED, self._quarantine(chunk))
        batches.progress(conn, batch_id, chunk.last_row, chunk.counts)
        part = Part(chunk.ordinal, chunk.first_row, chunk.last_row, chunk.counts, chunk.reasons)
        batches.log(conn, self.run, batch_id, part, changes)

    def _quarantine(self, chunk: Chunk) -> list[tuple[object, ...]]:
        sealer = Sealer(self.run.workspace.instance)
        rows: list[tuple[object, ...]] = []
        for row in chunk.rejected:
            cells = pad(orjson.dumps(row.cells))
            sealed = sealer.seal(self.begun.key, REJECTED_SEALED, cells, object_id=row.number)
            rows.append((self.begun.batch_id, row.number, orjson.dumps(list(row.reasons)).decode(), "open", sealed))
        return rows


class Rehearsal(Live):
    """Looks up in the workspace's database and in what the run would have written so far; writes nothing."""

    def __init__(self, run: Run, begun: Begun, epochs: Sequence[int]) -> None:
        super().__init__(run, begun, epochs)
        self.marks: dict[str, str] = {}

    def known(self, rows: Sequence[SheetRow], source: str) -> Known:
        """Return what would be known of a chunk's rows."""
        found = super().known(rows, source)
        found.marks.update(self.marks)
        return found

    def apply(self, chunk: Chunk) -> None:
        """Remember a chunk as if it were written."""
        self.marks.update((each.mark, stamp(each.draft.received_at)) for each in chunk.taken)


def _customers(conn: Connection, numbers: Collection[int]) -> dict[int, Complainant]:
    """Return what of these customers limits may depend on."""
    columns = ("customer_id", "type", "tier", "org_unit")
    rows = bulk.fetch_by_keys(conn, customer, "customer_id", sorted(numbers), columns)
    return {row[0]: Complainant(*row[1:]) for row in rows}


def _pointed(row: SheetRow, holders: Holders) -> set[int]:
    """Return everybody whom a row may mean."""
    names = [name for names in row.names for name in names]
    names += [name for called in row.called for name in called]
    return {number for name in names for number in holders.get(name, ())}


def _numbered(taken: Sequence[Taken], prepared: Sequence[provisional.Prepared]) -> list[New]:
    """Return complaints to be written, those of people nobody knows with the provisional customers made for them."""
    unused = iter(prepared)
    return [
        New(
            next(unused).customer_id if each.customer_id is None else each.customer_id,
            each.draft,
            each.handler,
            each.who,
        )
        for each in taken
    ]
