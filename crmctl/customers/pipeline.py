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

from crmctl.customers.build import Builder, Built, Order, Recipe
from crmctl.customers.candidates import candidate, ident_function
from crmctl.customers.decide import Candidate
from crmctl.customers.model import Rejected, Row
from crmctl.errors import CrmctlError, StorageFailed
from crmctl.i18n import _
from crmctl.security.identity import BlindIndex


class Prepared(NamedTuple):
    """A chunk read, validated and digested: what the decider needs of it."""

    block: int
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
        self.blocks = self._blocks()
        self.shelves: dict[int, _Shelf] = {}
        self.order: Order | None = None

    def next(self) -> Prepared | None:
        """Return the next block, None at the end."""
        return next(self.blocks, None)

    def submit(self, order: Order) -> None:
        """Note what to build."""
        self.order = order

    def collect(self) -> Built:
        """Build what was ordered."""
        order = self.order
        assert order is not None
        shelf = self.shelves[order.block]
        stop = order.start + len(order.decisions)
        last = shelf.prepared.last_row if order.final else shelf.rows[stop].number - 1
        built = self.builder.build(shelf.rows[order.start : stop], shelf.cells.__getitem__, order)
        for item in shelf.items:
            if order.after < item.number <= last:
                built.counts["read"] += 1
                if isinstance(item, Rejected):
                    self.builder.rejected(item, built)
        built.first_row, built.last_row = order.after + 1, last
        if order.final:
            del self.shelves[order.block]
        return built

    def close(self) -> None:
        """Stop reading."""
        self.blocks.close()

    def _blocks(self) -> Iterator[Prepared]:
        task = self.task
        convert: Callable[[int, list[str]], Row | Rejected] = task.reading.compile()
        with contextlib.closing(task.reading.blocks(task.chunk_size, task.after)) as blocks:
            for number, block in enumerate(blocks):
                items = [item if isinstance(item, Rejected) else convert(*item) for item in block]
                rows = [item for item in items if isinstance(item, Row)]
                prepared = Prepared(number, [candidate(row, self.ident) for row in rows], items[-1].number)
                cells = {item[0]: item[1] for item in block if not isinstance(item, Rejected)}
                self.shelves[number] = _Shelf(prepared, rows, items, cells)
                yield prepared


class SecondProcess:
    """A line in a process of its own, which prepares one block ahead and seals while this one writes."""

    def __init__(self, task: Task) -> None:
        context = get_context("spawn")  # forking would copy open database connections
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()
        self._send(task)

    def next(self) -> Prepared | None:
        """Return the next block, None at the end."""
        answer = self._receive()
        assert answer is None or isinstance(answer, Prepared)
        return answer

    def submit(self, order: Order) -> None:
        """Send what to build; the answer is fetched by `collect`, so that writing goes on meanwhile."""
        self._send(order)

    def collect(self) -> Built:
        """Return what was built."""
        answer = self._receive()
        assert isinstance(answer, Built)
        return answer

    def close(self) -> None:
        """End the process, whatever it is doing: closing the pipe ends a healthy one, the signal any other."""
        self.pipe.close()
        self.process.terminate()
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()

    def _send(self, message: object) -> None:
        try:
            self.pipe.send(message)
        except OSError:
            raise _died() from None

    def _receive(self) -> object:
        if not self.pipe.poll():
            wait([self.pipe, self.process.sentinel])
        try:
            answer = self.pipe.recv()
        except (EOFError, OSError):
            raise _died() from None
        if isinstance(answer, BaseException):
            raise answer
        return answer


def _died() -> CrmctlError:
    return StorageFailed(
        _("the sealing process died"),
        hint=_("continue with crmctl batch resume; crmctl batch list names the batch"),
        code="WORKER_DIED",
    )


def _work(pipe: Connection) -> None:
    """Prepare a block ahead, build what is ordered, until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process decides; closing the pipe ends this one
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with contextlib.suppress(EOFError, BrokenPipeError):
        line = InProcess(pipe.recv())
        try:
            _serve(line, pipe)
        except Exception as error:  # noqa: BLE001 - whatever it is, the first process must hear of it
            pipe.send(error if isinstance(error, CrmctlError) else RuntimeError(f"{type(error).__name__}"))
    os._exit(0)


def _serve(line: InProcess, pipe: Connection) -> None:
    pipe.send(line.next())
    while line.shelves:
        ahead = line.next()
        final = False
        while not final:
            order = pipe.recv()
            line.submit(order)
            pipe.send(line.collect())
            final = order.final
        pipe.send(ahead)
