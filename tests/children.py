"""Child processes of a test: forked, so that they need no imports, and always waited for."""

from __future__ import annotations

import multiprocessing
import multiprocessing.queues
import multiprocessing.synchronize
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess

_context = multiprocessing.get_context("fork")


@contextmanager
def child(work: Callable[..., None], *arguments: object) -> Iterator[BaseProcess]:
    """Run `work` in a child process; kill it when the block ends and it has not."""
    process = _context.Process(target=work, args=arguments, daemon=True)
    process.start()
    try:
        yield process
    finally:
        if process.is_alive():
            process.kill()
        process.join()


def exit_codes(work: Callable[..., None], each: list[tuple[object, ...]]) -> list[int | None]:
    """Run `work` once for each tuple of arguments, all at once; return their exit codes (negative: the signal)."""
    processes = [_context.Process(target=work, args=arguments, daemon=True) for arguments in each]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        if process.is_alive():
            process.kill()
            process.join()
    return [process.exitcode for process in processes]


def event() -> multiprocessing.synchronize.Event:
    """Return an event shared with children started later."""
    return _context.Event()


def die() -> None:
    """End this process as the kernel would: at once, cleaning up nothing."""
    os.kill(os.getpid(), signal.SIGKILL)


def queue() -> multiprocessing.queues.Queue[object]:
    """Return a queue shared with children started later."""
    return _context.Queue()
