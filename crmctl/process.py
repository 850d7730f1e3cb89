"""What a command's process promises before it touches anything: signals that roll back, no core dumps."""

from __future__ import annotations

import contextlib
import gc
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any

from crmctl.errors import Interrupted

_PR_SET_DUMPABLE = 4
_CAUGHT = (signal.SIGINT, signal.SIGTERM)
_LAST_WORDS = 2.0  # seconds that a process which was told to end still waits for its turn to record how it ended

_signals: list[int] = []  # those that have come
_collecting = threading.Lock()
_uncollected: list[bool] = []  # of each block that is running without the collector: whether it was on before them


@dataclass(frozen=True, slots=True)
class Behalf:
    """For whom this process says it works: the job of `--job`, and whether its account is a service account."""

    job: str = ""
    service: bool = False


_behalf = [Behalf()]


def behalf() -> Behalf:
    """Return for whom this process works."""
    return _behalf[0]


def work_for(behalf: Behalf) -> None:
    """Settle for whom this process works."""
    _behalf[0] = behalf


def _interrupt(number: int, frame: FrameType | None) -> None:
    _signals.append(number)
    raise Interrupted(number)


def patience(seconds: float) -> float:
    """Return how many seconds to wait for a lock: `seconds`, or a moment once a signal has come."""
    return min(seconds, _LAST_WORDS) if _signals else seconds


def signalled() -> int | None:
    """Return the signal that told this process to end, None for none: libraries report it as their own failure."""
    return _signals[-1] if _signals else None


@contextlib.contextmanager
def held_back(*numbers: signal.Signals) -> Iterator[None]:
    """Hold signals back while the block runs; a thread or process started in it inherits that."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Run the block without the cycle collector: rows by the ten thousand and no cycles, it would only walk them.

    Threads may do so at the same time; it comes back with the last of them.
    """
    with _collecting:
        _uncollected.append(gc.isenabled() or any(_uncollected))
        gc.disable()
    try:
        yield
    finally:
        with _collecting:
            before = _uncollected.pop()
            if before and not _uncollected:
                gc.enable()


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Run the block with SIGINT and SIGTERM raising Interrupted in the main thread; then as before."""
    main_thread = threading.current_thread() is threading.main_thread()
    _signals.clear()
    before = {number: signal.signal(number, _interrupt) for number in _CAUGHT} if main_thread else {}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _signals.clear()


def harden() -> None:
    """Keep this process's memory, which holds keys, out of core dumps, debuggers and stray tracebacks.

    A started child is not covered by its parent's setting; it calls this itself.
    """
    import resource

    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _set_undumpable()
    sys.unraisablehook = _unraisable
    threading.excepthook = _thread_failed


def _set_undumpable() -> None:
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _unraisable(event: Any) -> None:
    _note(event.exc_type, event.exc_traceback)


def _thread_failed(event: threading.ExceptHookArgs) -> None:
    _note(event.exc_type, event.exc_traceback)


def _note(kind: type[BaseException], trace: TracebackType | None) -> None:
    """Name a failure nobody can catch by its class and place; its message may hold values."""
    import logging

    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}" if trace is not None else "?"
    logging.getLogger("crmctl").error("%s in %s", kind.__name__, place)
