"""The loop of an import of orders: read a chunk, look up, decide, write (or pretend to)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import orjson

from crmctl.orders.apply import Chunk, Edited, New
from crmctl.orders.decide import CREATE, REJECT, UPDATE, Decision, Facts, decide
from crmctl.orders.model import OrderRow
from crmctl.orders.rows import Outcome
from crmctl.process import uncollected
from crmctl.runs import limits
from crmctl.security.sealing import DataKey, Sealer, pad
from crmctl.sheets.model import REJECTED_SEALED, Rejected, Totals

Record = tuple[int, list[str]]


class Ground(Protocol):
    """What an import stands on: `ground.Live` or `ground.Rehearsal`."""

    def facts(self, rows: Sequence[OrderRow]) -> Facts: ...

    def recall(self, numbers: Collection[str]) -> None: ...

    def apply(self, chunk: Chunk) -> None: ...


@dataclass(frozen=True)
class Quarantine:
    """Seals rejected rows under the batch key."""

    batch_id: int
    key: DataKey
    sealer: Sealer

    def row(self, number: int, reasons: Sequence[object], cells: list[str]) -> tuple[object, ...]:
        """Return the row of `rejected_row`."""
        sealed = self.sealer.seal(self.key, REJECTED_SEALED, pad(orjson.dumps(cells)), object_id=number)
        return self.batch_id, number, orjson.dumps(list(reasons)).decode(), "open", sealed


@dataclass
class Import:
    """One import in progress. `allowed` is how many orders it may change, None for no limit; `after` is the cursor."""

    convert: Callable[[int, list[str]], Outcome]
    ground: Ground
    quarantine: Quarantine
    source: str
    at: str
    chunk: int
    after: int
    allowed: int | None
    tell: Callable[[int], None]
    totals: Totals

    def recall(self, blocks: Iterator[list[Record]]) -> None:
        """Remember which orders the rows before the cursor are about."""
        for block in blocks:
            found = [self.convert(*record) for record in block if record[0] <= self.after]
            self.ground.recall([row.number for row in found if isinstance(row, OrderRow)])
            if block[-1][0] >= self.after:
                return

    def run(self, blocks: Iterator[list[Record]]) -> Totals:
        """Import everything that `blocks` hold; return the totals."""
        with uncollected():
            for block in blocks:
                self._block(block)
        return self.totals

    def _block(self, block: list[Record]) -> None:
        converted = [self.convert(*record) for record in block]
        rows = [item for item in converted if isinstance(item, OrderRow)]
        chunk = Chunk(self.chunk, self.source, self.at, self.after + 1, block[-1][0])
        chunk.counts["read"] = len(block)
        for row, decision in zip(rows, decide(rows, self.ground.facts(rows)), strict=True):
            self._take(row, decision, chunk)
        for item in converted:
            if isinstance(item, Rejected):
                self._reject(item.number, [reason._asdict() for reason in item.reasons], item.cells, chunk)
        limits.check(self.totals.counts["updated"] + chunk.counts["updated"], self.allowed, "orders")
        self.ground.apply(chunk)
        self.totals.add(chunk.counts, chunk.reasons)
        self.chunk, self.after = self.chunk + 1, chunk.last_row
        self.tell(len(block))

    def _take(self, row: OrderRow, decision: Decision, chunk: Chunk) -> None:
        chunk.taken.append(row.number)
        if decision.outcome == REJECT:
            self._reject(row.row, decision.reasons, row.cells, chunk)
            return
        chunk.counts[decision.outcome] += 1
        if decision.outcome == CREATE:
            chunk.created.append(New(decision.customer_id, row.number, decision.values))
        elif decision.outcome == UPDATE:
            assert decision.before is not None
            chunk.edited.append(Edited(decision.before, decision.values))
        else:
            return
        chunk.counts["flagged"] += bool(row.flags)

    def _reject(self, number: int, reasons: Sequence[object], cells: list[str], chunk: Chunk) -> None:
        chunk.rejected.append(self.quarantine.row(number, reasons, cells))
        chunk.counts["rejected"] += 1
        for code in {str(reason["code"]) for reason in reasons if isinstance(reason, dict)}:
            chunk.reasons[code] = chunk.reasons.get(code, 0) + 1
