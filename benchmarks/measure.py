"""Run one command and measure it: wall time, processor time, and the peak memory of every process of its tree."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SAMPLE_SECONDS = 0.05
KIB_PER_MB = 1_000_000 / 1024  # /proc counts KiB; budgets are in MB of a million bytes


@dataclass(frozen=True, slots=True)
class Measured:
    """What one run of a command took. Times in seconds, memory in MB.

    `processes` are the peaks (VmHWM, sampled) of the command itself, first, and of its descendants in the order they
    were seen; `largest` is the largest of them. The kernel's ru_maxrss is no use here: it counts what the measuring
    process held when it forked.
    """

    seconds: float
    cpu_seconds: float
    largest: float
    processes: list[tuple[str, float]] = field(default_factory=list)
    exit_code: int = 0
    stdout: bytes = b""
    stderr: bytes = b""


class _Tree:
    """Peaks of a process tree, sampled in a thread until told to stop."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peaks: dict[int, int] = {}
        self._names: dict[int, str] = {}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> list[tuple[str, float]]:
        """Stop sampling; return (name, peak MB) of each process."""
        self._done.set()
        self._thread.join()
        return [(self._names[pid], round(peak / KIB_PER_MB, 1)) for pid, peak in self._peaks.items()]

    def _name(self, pid: int) -> str:
        if pid == self._pid:
            return "main"
        if "resource_tracker" in _read(Path(f"/proc/{pid}/cmdline")):
            return "resource tracker"
        known = self._names.get(pid)
        workers = sum(name.startswith("worker") for other, name in self._names.items() if other != pid)
        return known if known and known.startswith("worker") else f"worker {workers + 1}" if workers else "worker"

    def _watch(self) -> None:
        while True:
            for pid in _descend(self._pid):
                peak = _peak_kib(pid)
                if peak > self._peaks.get(pid, 0):
                    self._peaks[pid] = peak
                    self._names[pid] = self._name(pid)
            if self._done.wait(SAMPLE_SECONDS):
                return


def _descend(pid: int) -> Iterator[int]:
    yield pid
    for task in _entries(Path(f"/proc/{pid}/task")):
        for child in _read(Path(task) / "children").split():
            yield from _descend(int(child))


def _entries(folder: Path) -> list[str]:
    try:
        return [entry.path for entry in os.scandir(folder)]
    except OSError:
        return []


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _peak_kib(pid: int) -> int:
    for line in _read(Path(f"/proc/{pid}/status")).splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0


def run(
    argv: Sequence[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None, timeout: float = 7200
) -> Measured:
    """Run a command to its end, whatever its exit code, with nothing on standard input.

    Raises:
        TimeoutError: it did not end within `timeout` seconds and was killed.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.perf_counter()
        process = subprocess.Popen(
            [str(word) for word in argv], cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
        tree = _Tree(process.pid)
        killer = threading.Timer(timeout, process.kill)
        killer.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        late = not killer.is_alive()
        killer.cancel()
        processes = tree.stop()
        process.returncode = os.waitstatus_to_exitcode(status)
        if late:
            raise TimeoutError(f"{argv[0]} did not end within {timeout:.0f} s")
        out.seek(0)
        err.seek(0)
        cpu, largest = usage.ru_utime + usage.ru_stime, max((peak for _, peak in processes), default=0.0)
        return Measured(seconds, cpu, largest, processes, process.returncode, out.read(), err.read())
