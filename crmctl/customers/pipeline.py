"""Reading ahead and sealing, in this process or in a second one, behind the same four calls (design §8, §9).

The first process asks for the next prepared chunk (digests only), decides, orders what is to be built, and writes
one chunk while the next is being sealed. A second process dies with the first: its pipe ends.
"""

from __future__ import annotations

import contextlib
import gc
import marshal
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple, Protocol, TypeVar

from crmctl.customers.build import Builder, Recipe
from crmctl.customers.decide import Candidate, Decision
from crmctl.customers.exchange import Built, Order
from crmctl.customers.model import Row
from crmctl.customers.packing import Packed, Packer, ident_function
from crmctl.errors import CrmctlError, StorageFailed
from crmctl.i18n import _
from crmctl.process import harden, held_back
from crmctl.security.identity import BlindIndex
from crmctl.sheets.model import Rejected

Named = TypeVar("Named", Candidate, Decision)


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
    barred: Any = None  # customers.barred.Barred, where somebody is


class _Shelf(NamedTuple):
    last_row: int
    rows: list[Packed]
    rejected: list[Rejected]
    numbers: list[int]


class InProcess:
    """A line in this process: small files, one core, debugging."""

    def __init__(self, task: Task) -> None:
        self.task = task
        ident = ident_function(task.index, task.source)
        self.builder = Builder(task.recipe, ident)
        terms = task.recipe.terms
        barred = task.barred.has if task.barred is not None else None
        self.packer = Packer(terms.settings, ident, task.source, keep_rows=task.recipe.remembers, barred=barred)
        self.blocks: Iterator[list[Any]] = task.reading.blocks(task.chunk_size, task.after)
        self.convert: Callable[[int, list[str]], Row | Rejected] = task.reading.compile()
        self.shelves: dict[int, _Shelf] = {}
        self.prepared = 0
        self.order: Order | None = None

    def next(self) -> Prepared | None:
        """Return the next block, None at the end."""
        block = next(self.blocks, None)
        return None if block is None else self._prepare(block)

    def _prepare(self, block: list[Any]) -> Prepared:
        convert, pack = self.convert, self.packer.pack
        candidates, rows, rejected, numbers = [], [], [], []
        block.reverse()
        while block:
            entry = block.pop()  # the reader still holds the list: what is packed is let go of
            item = entry if isinstance(entry, Rejected) else convert(*entry)
            numbers.append(item.number)
            if isinstance(item, Rejected):
                rejected.append(item)
            else:
                candidate, packed = pack(item, entry[1])
                candidates.append(candidate)
                rows.append(packed)
        number = self.prepared
        self.prepared += 1
        self.shelves[number] = _Shelf(numbers[-1], rows, rejected, numbers)
        return Prepared(number, candidates, numbers[-1])

    def submit(self, order: Order) -> None:
        """Note what to build."""
        self.order = order

    def collect(self) -> Built:
        """Build what was ordered."""
        order = self.order
        assert order is not None
        shelf = self.shelves.pop(order.block) if order.final else self.shelves[order.block]
        stop = order.start + len(order.decisions)
        last = shelf.last_row if order.final else shelf.rows[stop].number - 1
        refused = [item for item in shelf.rejected if order.after < item.number <= last]
        built = self.builder.build(shelf.rows[order.start : stop], refused, order)
        built.counts["read"] = sum(order.after < number <= last for number in shelf.numbers)
        built.first_row, built.last_row = order.after + 1, last
        return built

    def close(self) -> None:
        """Stop reading."""
        end = getattr(self.blocks, "close", None)
        if end is not None:
            end()


class SecondProcess:
    """A line in a process of its own, which prepares one block ahead and seals while this one writes."""

    def __init__(self) -> None:
        context = get_context("spawn")  # forking would copy open database connections
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs,), daemon=True)
        resource_tracker.ensure_running()  # on its own start it would lift the mask
        with held_back(signal.SIGINT):  # the process inherits it: Ctrl-C while it starts would print its traceback
            self.process.start()
        theirs.close()
        self.sending: threading.Thread | None = None

    def begin(self, task: Task) -> SecondProcess:
        """Hand over what to read and how; until then the process only loads its modules. Return itself."""
        self._send(task)
        return self

    def next(self) -> Prepared | None:
        """Return the next block, None at the end."""
        answer = self._receive()
        if answer is None:
            return None
        assert isinstance(answer, Prepared)
        return answer._replace(candidates=_unflattened(Candidate, answer.candidates))

    def submit(self, order: Order) -> None:
        """Send what to build; the answer is fetched by `collect`, so that writing goes on meanwhile."""
        # An order fills the pipe, and the other process empties it only when the next block is read: a thread waits,
        # so that this one goes on writing. Should that fail, `collect` finds the other process dead.
        order = order._replace(decisions=_flattened(order.decisions))
        sending = threading.Thread(target=self._send_quietly, args=(order,), daemon=True)
        with held_back(signal.SIGINT, signal.SIGTERM):  # an exception inside start() would leave half a thread
            sending.start()
            self.sending = sending  # only once it runs: whoever closes joins it

    def collect(self) -> Built:
        """Return what was built."""
        answer = self._receive()
        assert isinstance(answer, Built)
        if self.sending is not None:
            self.sending.join()
        return answer

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self.process.terminate()
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        if self.sending is not None:
            self.sending.join()  # nobody reads any more, so it ends; it must not outlive the descriptor it writes to
        self.pipe.close()

    def _send_quietly(self, message: object) -> None:
        with contextlib.suppress(OSError):
            self.pipe.send(message)

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


def _flattened(items: Sequence[tuple[Any, ...]]) -> Any:  # noqa: ANN401 - stands for the list on its way
    """Return named tuples as bytes for the other process; pickling each takes five times as long."""
    return marshal.dumps([*map(tuple, items)])


def _unflattened(of: type[Named], flat: Any) -> list[Named]:  # noqa: ANN401 - the bytes of `_flattened`
    return [*map(of._make, marshal.loads(flat))]  # type: ignore[attr-defined]  # noqa: S302 - our own bytes


def _died() -> CrmctlError:
    return StorageFailed(
        _("the sealing process died"),
        hint=_("continue with crmctl batch resume; crmctl batch list names the batch"),
        code="WORKER_DIED",
    )


def _work(pipe: Connection) -> None:
    """Prepare a block ahead, build what is ordered, until the pipe ends."""
    harden()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process decides and ends this one
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    gc.disable()  # rows by the ten thousand and no cycles: collecting would only walk them, again and again
    with contextlib.suppress(EOFError, BrokenPipeError):
        try:
            _serve(InProcess(pipe.recv()), pipe)
        except Exception as error:  # noqa: BLE001 - whatever it is, the first process must hear of it
            pipe.send(error if isinstance(error, CrmctlError) else RuntimeError(f"{type(error).__name__}"))
    os._exit(0)


def _serve(line: InProcess, pipe: Connection) -> None:
    _show(line.next(), pipe)
    while line.shelves:
        ahead = line.next()
        final = False
        while not final:
            order = pipe.recv()
            line.submit(order._replace(decisions=_unflattened(Decision, order.decisions)))
            pipe.send(line.collect())
            final = order.final
        _show(ahead, pipe)


def _show(prepared: Prepared | None, pipe: Connection) -> None:
    pipe.send(prepared and prepared._replace(candidates=_flattened(prepared.candidates)))
