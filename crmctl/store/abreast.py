"""Transactions of one job on several connections at a time, where the database takes more than one writer.

A server works on one while the program works on the other's rows. SQLite's writers take turns: there it is one.
"""

from __future__ import annotations

import signal
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Engine

from crmctl.process import held_back

T = TypeVar("T")
_AT_A_TIME = 2  # connections: more only wait for the program, which is one process
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_TURN = 0.0005  # seconds until a thread that has rows to work on waits for one that has an answer to fetch


def at_a_time(engine: Engine) -> int:
    """Return how many transactions this database takes at a time."""
    return _AT_A_TIME if engine.dialect.name == "postgresql" else 1


def done(tasks: Iterable[Callable[[], T]], many: int) -> Generator[T, None, None]:
    """Yield what each task returns, in order, with so `many` at work at a time; they must not wait for one another.

    Whoever stops before the end closes it: then nothing is at work any more.

    `tasks` is drawn from in the caller's thread, a little ahead. Where a task fails, or the caller is interrupted,
    those at work end first, and no other begins; another signal does not keep the caller from waiting for them, as
    they work under its locks.
    """
    if many == 1:
        for task in tasks:
            yield task()
        return
    with _short_turns():
        pool = ThreadPoolExecutor(many, initializer=_without_signals)
        try:
            waiting: deque[Future[T]] = deque()
            for task in tasks:
                waiting.append(pool.submit(task))
                if len(waiting) > many:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            with held_back(*_SIGNALS):
                pool.shutdown(cancel_futures=True)


def _without_signals() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # they are the main thread's, which may hold them back


@contextmanager
def _short_turns() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(_TURN)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
