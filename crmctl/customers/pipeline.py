"""Reading ahead and sealing, in this process or in a second one, behind the same four calls (design §8, §9).

The first process asks for the next prepared chunk (digests only), decides, orders what is to be built, and writes
one chunk while the next is being sealed. A second process dies with the first: its pipe ends.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple, Protocol

from crmctl.customers import build
from crmctl.customers.build import Builder, Built, Order, Recipe
from crmctl.customers.candidates import candidate, ident_function
from crmctl.customers.decide import Candidate
from crmctl.customers.model import Rejected, Row
from crmctl.errors import CrmctlError, StorageFailed
from crmctl.i18n import _
from crmctl.security.identity import BlindIndex


class Prepared(NamedTuple):
    """A chunk read, validated and digested: what the decider needs of it."""

    chunk: int
    candidates: list[Candidate]
    last_row: int


class Line(Protocol):
    """Where chunks are prepared and built."""

    def next(self) -> Prepared | None:
        """Return the next chunk, None at the end of the source."""

    def submit(self, order: Order) -> None:
        """Ask for the rows of `order` to be built."""

    def collect(self) -> Built:
        """Return what the last `submit` asked for."""

    def close(self) -> None:
        """End it, whatever it is doing."""


@dataclass(frozen=True)
class Task:
    """Everything a line needs; picklable. `open_rows` begins reading after a given source row."""

    recipe: Recipe
    index: BlindIndex
    source: str
    chunk_size: int
    after: int
    first_chunk: int
    reading: Any  # customers.reading.Reading


class _Shelf(NamedTuple):
    prepared: Prepared
    rows: list[Row]
    items: list[Row | Rejected]
    cells: dict[int, list[str]]


class InProcess:
    """A line in this process: small files, one core, debugging."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.ident = ident_function(task.index, task.source)
        self.builder = Builder(task.recipe, self.ident)
        self.chunks = self._chunks()
        self.shelves: dict[int, _Shelf] = {}
        self.order: Order | None = None

    def next(self) -> Prepared | None:
        """Return the next chunk, None at the end."""
        return next(self.chunks, None)

    def submit(self, order: Order) -> None:
        """Note what to build."""
        self.order = order

    def collect(self) -> Built:
        """Build what was ordered."""
        order = self.order
        assert order is not None
        shelf = self.shelves[order.chunk]
        rows = shelf.rows[order.start : order.start + len(order.decisions)]
        stop = order.start + len(order.decisions)
        last = shelf.prepared.last_row if order.final else shelf.rows[stop].number - 1
        built = self.builder.build(rows, shelf.cells.__getitem__, order)
        for item in shelf.items:
            if order.after < item.number <= last:
                built.counts["read"] += 1
                if isinstance(item, Rejected):
                    self.builder.rejected(item, built)
        built.first_row, built.last_row = order.after + 1, last
        if order.final:
            del self.shelves[order.chunk]
        return built

    def close(self) -> None:
        """Stop reading."""
        self.chunks.close()

    def _chunks(self) -> Iterator[Prepared]:
        task = self.task
        convert: Callable[[int, list[str]], Row | Rejected] = task.reading.compile()
        chunk, last = task.first_chunk, task.after
        with contextlib.closing(task.reading.blocks(task.chunk_size, task.after)) as blocks:
            for block in blocks:
                items = [convert(number, cells) for number, cells in block]
                last = block[-1][0]
                rows = [item for item in items if isinstance(item, Row)]
                prepared = Prepared(chunk, [candidate(row, self.ident) for row in rows], last)
                self.shelves[chunk] = _Shelf(prepared, rows, items, dict(block))
                yield prepared
                chunk += 1
