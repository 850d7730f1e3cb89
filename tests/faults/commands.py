"""The real command in a process of its own, as a user types it; and files to import whose counts are known."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
STRIKE = Path(__file__).with_name("strike.py")
PROGRAM = (sys.executable, "-m", "crmctl")
PATIENCE = 120.0  # seconds: far beyond any command here, so that a hang fails instead of hanging the suite
COUNTS = ("read", "created", "updated", "unchanged", "duplicate", "rejected", "flagged")


@dataclass(frozen=True)
class Done:
    """How a command ended; `status` is negative when a signal killed it."""

    status: int
    out: bytes
    err: bytes

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document on standard output."""
        found: dict[str, Any] = json.loads(self.out)
        return found

    @property
    def failure(self) -> dict[str, Any]:
        """The JSON object on standard error."""
        found: dict[str, Any] = json.loads(self.err)
        return found

    @property
    def counts(self) -> dict[str, int]:
        """The counts of an import."""
        document = self.document
        return {name: document[name] for name in COUNTS}


@contextmanager
def started(
    folder: Path | None,
    *words: object,
    program: Sequence[object] = PROGRAM,
    stdin: bytes | int | None = None,
    **more: Any,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a command in workspace `folder`, in a process group of its own; nothing of it outlives the block.

    `stdin` are bytes to feed it, or what subprocess takes; nothing by default.
    """
    line = [str(word) for word in (*program, *(("-w", folder) if folder else ()), *words)]
    settings: dict[str, Any] = {
        "stdin": {bytes: subprocess.PIPE, int: stdin}.get(type(stdin), subprocess.DEVNULL),
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "cwd": folder.parent if folder else None,
        "process_group": 0,
    }
    process = subprocess.Popen(line, **(settings | more))
    try:
        if isinstance(stdin, bytes):
            assert process.stdin is not None
            with suppress(BrokenPipeError):  # it was struck down before it had read everything
                process.stdin.write(stdin)
                process.stdin.close()
            process.stdin = None
        yield process
    finally:
        for alive in members(process.pid):
            _kill(alive)
        process.wait(PATIENCE)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def ended(process: subprocess.Popen[bytes]) -> Done:
    """Wait for a started command; a hang is a failure."""
    out, err = process.communicate(timeout=PATIENCE)
    return Done(process.returncode, out, err)


def crmctl(folder: Path | None, *words: object, **more: Any) -> Done:
    """Run a command to its end."""
    with started(folder, *words, **more) as process:
        return ended(process)


def killed_after(seconds: float, folder: Path, *words: object, **more: Any) -> bool:
    """Run a command and kill it after `seconds`, children and all gone, nothing untoward said: was that in time?"""
    with started(folder, *words, **more) as process:
        time.sleep(seconds)
        process.kill()
        done = ended(process)
        assert alone(process.pid), "a child outlives its parent"
    assert b"Traceback" not in done.err
    return done.status == -signal.SIGKILL


def inside(folder: Path, *words: object) -> Done:
    """Run a command to its end in this process, through `main`: a second sooner, for what only has to be looked at."""
    from crmctl.cli.app import main

    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(["-w", str(folder), *map(str, words)])
    return Done(status, out.buffer.getvalue(), err.buffer.getvalue())  # type: ignore[attr-defined]


def strike(at: str, folder: Path, *words: object, **more: Any) -> Done:
    """Run a command that a signal meets at one exact call; `at` as `strike.py` describes it."""
    return crmctl(None, at, "-w", folder, *words, program=(sys.executable, STRIKE), cwd=folder.parent, **more)


def members(group: int) -> list[int]:
    """Return the living processes of a process group, zombies left out."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == group and fields[0] not in "ZX":
                found.append(int(entry.name))
    return found


def alone(group: int, leader: int = 0) -> bool:
    """Say whether every process of a group but `leader` is gone within a few seconds."""
    return until(lambda: not [pid for pid in members(group) if pid != leader], 20)


def until(condition: Callable[[], object], seconds: float = PATIENCE) -> bool:
    """Wait until `condition` holds, at most `seconds`; say whether it did."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _kill(pid: int) -> None:
    try:
        os.kill(pid, 9)
    except ProcessLookupError:
        return


@dataclass(frozen=True)
class Given:
    """A file to import and the counts that its generator knows it must give."""

    path: Path
    counts: dict[str, int]


@cache
def generated(folder: Path, rows: int, seed: int = 5) -> Given:
    """Generate a file with every kind of row: broken, again, strangers, new contacts, re-issued numbers."""
    out, expected = folder / f"{rows}-{seed}.csv", folder / f"{rows}-{seed}.json"
    words = ["--rows", rows, "--seed", seed, "--contacts", "0.02", "--conflicts", "0.01"]
    line = [sys.executable, "-m", "benchmarks.generate", *map(str, words), "--out", out, "--expected", expected]
    subprocess.run(line, check=True, timeout=PATIENCE, cwd=ROOT)
    return Given(out, json.loads(expected.read_text("utf-8"))["counts"])
