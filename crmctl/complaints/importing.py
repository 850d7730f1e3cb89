"""The loop of an import of complaints: read a chunk, look up, decide each row as if alone, write (or pretend to)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

from crmctl import clock as clocks
from crmctl.complaints import origins
from crmctl.complaints.drafting import Complainant, Draft, Request, draft
from crmctl.complaints.ground import Ground, Known
from crmctl.complaints.opening import handling
from crmctl.complaints.rowreasons import FAULTS, NOT_IN_POST, NUMBER_NEEDED, NUMBER_TAKEN
from crmctl.complaints.ruling import Rulings
from crmctl.complaints.sheetrows import Outcome, SheetRow
from crmctl.customers.meant import CUSTOMER_UNKNOWN, fitting
from crmctl.errors import InvalidInput
from crmctl.process import uncollected
from crmctl.runs.run import Run
from crmctl.sheets.model import COUNTS, Reason, Rejected, Totals
from crmctl.staff import Directory

Record = tuple[int, list[str]]
_SHOWN = 5  # candidates named in a reason


@dataclass(frozen=True)
class Taken:
    """A row that becomes a complaint: whose (None: nobody knows), what, who handles it, by what it is known again."""

    customer_id: int | None
    who: Complainant
    draft: Draft
    handler: int | None
    mark: str


class Refused(NamedTuple):
    """A row that does not: its reasons, as quarantine keeps them, without values."""

    number: int
    reasons: Sequence[Mapping[str, object]]
    cells: list[str]


@dataclass
class Chunk:
    """What a chunk writes, and the counts it stands for."""

    ordinal: int
    first_row: int
    last_row: int
    taken: list[Taken] = field(default_factory=list)
    rejected: list[Refused] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))

    @property
    def reasons(self) -> dict[str, int]:
        """How many rows were rejected for each reason."""
        found: dict[str, int] = {}
        for row in self.rejected:
            for code in {str(reason["code"]) for reason in row.reasons}:
                found[code] = found.get(code, 0) + 1
        return found


class Rules(NamedTuple):
    """How this import takes rows: from which system, whether from long ago, whether of people nobody knows; when."""

    source: str
    migrated: bool
    unidentified: bool
    late: str
    day: date


@dataclass
class Import:
    """One import in progress; `after` is the cursor."""

    run: Run
    convert: Callable[[int, list[str]], Outcome]
    ground: Ground
    rules: Rules
    staff: Directory
    nobody: Complainant
    rulings: Rulings
    tell: Callable[[int], None]
    totals: Totals
    chunk: int
    after: int

    def work(self, blocks: Iterator[list[Record]]) -> Totals:
        """Import everything that `blocks` hold; return the totals."""
        with uncollected():
            for block in blocks:
                self._block(block)
        return self.totals

    def _block(self, block: list[Record]) -> None:
        converted = [self.convert(*record) for record in block]
        rows = [item for item in converted if isinstance(item, SheetRow)]
        chunk = Chunk(self.chunk, self.after + 1, block[-1][0])
        known = self.ground.known(rows, self.rules.source)
        entered = clocks.parse_stamp(clocks.stamp(clocks.now()))
        for item in converted:
            chunk.counts["read"] += 1
            chunk.counts[self._take(item, known, entered, chunk)] += 1
        self.ground.apply(chunk)
        self.totals.add(chunk.counts, chunk.reasons)
        self.chunk, self.after = self.chunk + 1, chunk.last_row
        self.tell(len(block))

    def _take(self, item: Outcome, known: Known, entered: datetime, chunk: Chunk) -> str:
        found = _rejected(item) if isinstance(item, Rejected) else self._row(item, known, entered)
        if isinstance(found, Refused):
            chunk.rejected.append(found)
            return "rejected"
        if found is None:
            return "duplicate"
        chunk.taken.append(found)
        known.marks[found.mark] = clocks.stamp(found.draft.received_at)
        return "created"

    def _row(self, row: SheetRow, known: Known, entered: datetime) -> Taken | Refused | None:
        """Return what becomes of a row; None for one whose complaint there is already."""
        mark = origins.numbered(self.rules.source, row.number) if row.number else ""
        if mark in known.marks:
            return None if row.received_at in ("", known.marks[mark]) else _refused(row, NUMBER_TAKEN, "number")
        customer = self._customer(row, known)
        if isinstance(customer, Refused):
            return customer
        if not mark:
            if customer is None:
                return _refused(row, NUMBER_NEEDED, "number")
            mark = origins.unnumbered(known.keys[customer], row.received_at, row.private.get("matter", ""))
            if mark in known.marks:
                return None
        return self._drafted(row, customer, known, entered, mark)

    def _customer(self, row: SheetRow, known: Known) -> int | None | Refused:
        """Return whose complaint a row is: whom all that it says fits; None for somebody nobody knows."""
        found = fitting(row, known.holders)
        if not found.doubt:
            return min(found.fitting)
        if found.doubt == CUSTOMER_UNKNOWN and self.rules.unidentified:
            return None
        return _refused(row, found.doubt, "", sorted(found.fitting or found.named))

    def _drafted(
        self, row: SheetRow, customer: int | None, known: Known, entered: datetime, mark: str
    ) -> Taken | Refused:
        who = self.nobody if customer is None else known.customers[customer]
        handler = self.staff.by_id.get(row.handler) if row.handler is not None else None
        if handler is not None and not handler.active_on(self.rules.day):
            return _refused(row, NOT_IN_POST, "handler")
        try:
            prepared = draft(self.run, self._request(row, customer), who, entered, self.rulings)
        except InvalidInput as fault:
            if fault.code == "FIELD_MISSING":
                return _reasoned(row, [Reason("REQUIRED", code) for code in fault.details["fields"]])
            if fault.code not in FAULTS:
                raise  # the policies cannot take a complaint at all
            return _refused(row, fault.code, FAULTS[fault.code])
        return Taken(customer, who, prepared, handling(self.staff.people, prepared), mark)

    def _request(self, row: SheetRow, customer: int | None) -> Request:
        noted = {"external": row.number, "remarks": row.remarks}
        if customer is None:
            noted["whose"] = row.whose
        return Request(
            channel=row.words["channel"],
            category=row.words["category"],
            severity=row.words["severity"],
            private=row.private,
            received_at=clocks.parse_stamp(row.received_at) if row.received_at else None,
            late=self.rules.late if row.received_at else "",
            about=row.about,
            first_receiver=row.receiver,
            handler=row.handler,
            noted=noted,
            migrated=self.rules.migrated,
        )


def _rejected(item: Rejected) -> Refused:
    return Refused(item.number, [reason._asdict() for reason in item.reasons], item.cells)


def _reasoned(row: SheetRow, reasons: Sequence[Reason]) -> Refused:
    return Refused(row.row, [reason._asdict() for reason in reasons], row.cells)


def _refused(row: SheetRow, code: str, field_code: str, candidates: Sequence[int] = ()) -> Refused:
    reason: dict[str, object] = {"code": code, "field": field_code}
    if candidates:
        reason["candidates"] = list(candidates[:_SHOWN])
    return Refused(row.row, [reason], row.cells)
