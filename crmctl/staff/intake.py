"""`staff import`: how a sheet of staff is read, decided and written; the rest is `sheets.intake`.

A chunk is one transaction: the register is read, each row decided as if the ones before it were written, then rows,
changes, quarantine, cursor and audit entry are. People are recognised by their staff number alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Connection, func, select

from crmctl.policy.model import folded
from crmctl.runs import limits
from crmctl.runs.run import Run, today
from crmctl.security.sealing import Sealer, pad
from crmctl.sheets import batches, intake
from crmctl.sheets import tables as sheet_tables
from crmctl.sheets.batches import Part
from crmctl.sheets.intake import Begun, Importer, Tell
from crmctl.sheets.model import COUNTS, REJECTED, REJECTED_SEALED, Reason, Rejected, Totals
from crmctl.sheets.origin import Request, looked_at
from crmctl.sheets.outcome import Outcome
from crmctl.sheets.reading import Place, Reading
from crmctl.staff import apply, facts, tables
from crmctl.staff.apply import Write
from crmctl.staff.decide import Identities, changed_fields
from crmctl.staff.drafting import columns_of, context_of, draft_of, merged, readers
from crmctl.staff.policy import StaffSettings, outside_lists, settings_of
from crmctl.staff.protected import STAFF
from crmctl.staff.register import identities_of
from crmctl.staff.rows import StaffRow, compile_rows
from crmctl.store import bulk, counters, engine


def start(run: Run, request: Request, tell: Tell) -> Outcome:
    """Import a sheet of staff, or say what importing it would do (`run.dry_run`)."""
    return intake.start(run, importer(), request, tell)


def importer() -> Importer:
    """Return how staff are imported."""
    return Importer(kind="staff", inspect=_inspected, notes=_notes, work=_work, mend=lambda _run, _batch: None)


def policy_of(run: Run) -> StaffSettings:
    """Return the field policy that sheets of staff are read by."""
    return settings_of(run.policies)


def _inspected(run: Run, request: Request, place: Place) -> Reading:
    settings = policy_of(run)
    place, info = looked_at(request, place, settings)
    return Reading(place, info, request.options, settings, outside_lists(run.policies), run.zone, run.at)


def _notes(run: Run) -> dict[str, int]:
    """Return how many people there are before the batch: the base of the policy's limit."""
    with engine.read(run.engine) as conn:
        return {"base": int(conn.execute(select(func.count()).select_from(tables.staff)).scalar_one())}


@dataclass
class _Chunk:
    """What a chunk adds, row by row; the register as its rows see it."""

    rows: dict[int, facts.Row]
    identities: Identities = field(init=False)
    ids: dict[str, int] = field(init=False)
    writes: list[Write] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))

    def __post_init__(self) -> None:
        self.identities = identities_of(self.rows)
        self.ids = {folded(row["number"]): staff_id for staff_id, row in self.rows.items()}

    def emptied(self) -> None:
        """Forget what was to be written: it is, or nothing is written at all."""
        self.writes, self.rejected, self.counts = [], [], dict.fromkeys(COUNTS, 0)

    @property
    def reasons(self) -> dict[str, int]:
        """How many rows were rejected for each reason."""
        found: dict[str, int] = {}
        for row in self.rejected:
            for code in {reason.code for reason in row.reasons}:
                found[code] = found.get(code, 0) + 1
        return found


class _Import:
    """One import in progress."""

    def __init__(self, run: Run, begun: Begun) -> None:
        self.run, self.begun, self.request = run, begun, begun.request
        self.settings = settings = policy_of(run)
        known = readers(settings, context_of(run.policies, settings, begun.reading.at))
        self.row = compile_rows(settings, begun.reading.info.mapping, known)
        self.day = today(run.policies, run.at)
        self.chunk = begun.chunk
        self.next_id = 1
        stated = run.policies.policy("staff").limits
        percent = None if stated.max_percent is None else float(stated.max_percent)
        bounds = limits.Limits(stated.max_changes, percent)
        self.allowed = bounds.allowed(begun.notes["base"], begun.request.max_changes)

    def decide(self, chunk: _Chunk, record: tuple[int, list[str]]) -> None:
        """Decide one record, as if those before it were written already."""
        row = self.row(*record)
        chunk.counts["read"] += 1
        outcome = "rejected"
        if isinstance(row, Rejected):
            chunk.rejected.append(row)
        else:
            outcome = self._valid(chunk, row)
        chunk.counts[outcome] += 1

    def _valid(self, chunk: _Chunk, row: StaffRow) -> str:
        mode, staff_id = self.request.mode, chunk.ids.get(folded(row.values["number"]))
        if staff_id is not None and mode == "create":
            return "duplicate"
        if staff_id is None and mode == "update":
            return self._reject(chunk, row, Reason("NO_MATCH", "number"))
        before = chunk.rows[staff_id] if staff_id is not None else None
        old = draft_of(before) if before is not None else {}
        keep = before is None or not self.request.clear_blanks
        draft = merged(old, {name: value for name, value in row.values.items() if value is not None or not keep})
        fields = changed_fields(old, draft)
        if before is not None and not fields:
            return "unchanged"
        wrong = [Reason("REQUIRED", code) for code in self.settings.missing(draft)]
        wrong = wrong or [Reason(found.code, "") for found in chunk.identities.refusals(staff_id or 0, draft)]
        if wrong:
            return self._reject(chunk, row, *wrong)
        values = columns_of(draft, self.day)
        if before is None:
            staff_id, self.next_id = self.next_id, self.next_id + 1
            values |= {"staff_id": staff_id, "batch_id": self.begun.batch_id}
        assert staff_id is not None
        after = apply.stamped(self.run, before, values)
        chunk.writes.append(Write(STAFF, before, after, fields))
        chunk.rows[staff_id] = after
        chunk.ids[folded(after["number"])] = staff_id
        chunk.identities.take(staff_id, draft)
        return "created" if before is None else "updated"

    def _reject(self, chunk: _Chunk, row: StaffRow, *reasons: Reason) -> str:
        chunk.rejected.append(Rejected(row.number, reasons, row.cells))
        return "rejected"

    def check(self, updated: int) -> None:
        """Raise LimitExceeded when more people change than the policy allows."""
        limits.check(updated, self.allowed, "staff")

    def write(self, conn: Connection, chunk: _Chunk, last_row: int, first_row: int) -> None:
        """Write a decided chunk within its transaction."""
        run, batch_id = self.run, self.begun.batch_id
        counters.take(conn, "staff", chunk.counts["created"])
        first = counters.take(conn, "change", len(chunk.writes)) if chunk.writes else 0
        summary = apply.write(conn, run, chunk.writes, chunk=self.chunk, first_change=first)
        if chunk.rejected:
            bulk.insert_rows(conn, sheet_tables.rejected_row, REJECTED, self._quarantine(chunk.rejected))
        batches.progress(conn, batch_id, last_row, chunk.counts)
        part = Part(self.chunk, first_row, last_row, chunk.counts, chunk.reasons)
        batches.log(conn, run, batch_id, part, summary)

    def _quarantine(self, rejected: Sequence[Rejected]) -> list[tuple[Any, ...]]:
        sealer = Sealer(self.run.workspace.instance)
        rows = []
        for row in rejected:
            cells = pad(orjson.dumps(row.cells))
            sealed = sealer.seal(self.begun.key, REJECTED_SEALED, cells, object_id=row.number)
            codes = orjson.dumps([reason._asdict() for reason in row.reasons]).decode()
            rows.append((self.begun.batch_id, row.number, codes, "open", sealed))
        return rows


def _work(run: Run, begun: Begun, tell: Tell) -> Totals:
    work, totals = _Import(run, begun), begun.totals
    rehearsed: _Chunk | None = None
    for block in begun.reading.blocks(begun.request.chunk, begun.after):
        if run.held is not None:
            run.held.check()
        with engine.read(run.engine) if run.dry_run else engine.write(run.engine) as conn:
            if not run.dry_run:
                work.next_id = apply.keep_others_out(conn)
            chunk = rehearsed or _Chunk(facts.every_row(conn))
            if run.dry_run and rehearsed is None:
                work.next_id = max(chunk.rows, default=0) + 1  # ids that are never given
            for record in block:
                work.decide(chunk, record)
            work.check(totals.counts["updated"] + chunk.counts["updated"])
            if not run.dry_run:
                work.write(conn, chunk, block[-1][0], block[0][0])
        totals.add(chunk.counts, chunk.reasons)
        tell(len(block))
        work.chunk += 1
        if run.dry_run:
            chunk.emptied()
            rehearsed = chunk
    return totals
