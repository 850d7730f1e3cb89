"""Ctrl-C, SIGTERM, a sealing process that dies: the command ends with its status, `batch resume` does the rest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import commands
import oracle
import pytest
from commands import alone, crmctl, ended, inside, members, started, strike, until
from storage import direct

STATUS = {signal.SIGINT: (130, "INTERRUPTED"), signal.SIGTERM: (143, "TERMINATED")}


def chunks(folder: Path) -> int:
    """Return how many chunks of the only batch are committed."""
    with oracle.opened(folder) as run:
        return sum(oracle.chunks(run))


def resumed(folder: Path, given: commands.Given) -> None:
    """Finish the batch and look at everything."""
    assert oracle.states(folder) == {1: "interrupted"}
    done = inside(folder, "batch", "resume", 1, "-o", "json")
    assert (done.status, done.counts) == (3, given.counts), done.err
    assert oracle.complaints(folder) == []


@pytest.mark.parametrize("number", STATUS)
@pytest.mark.parametrize("size", ["small", "large"])
def test_a_signal_rolls_back_what_is_in_progress(
    make: Any, kind: str, number: signal.Signals, size: str, request: pytest.FixtureRequest
) -> None:
    given, folder = request.getfixturevalue(size), make(kind)
    chunk = 100 if size == "small" else 1000
    point = f"{number.name}:after:2:crmctl.customers.apply:_rows"

    done = strike(point, folder, "customer", "import", given.path, "--chunk", chunk, "-o", "json")

    assert (done.status, done.failure["code"]) == STATUS[number]
    assert done.out == b""
    assert chunks(folder) == 1
    with oracle.opened(folder) as run:
        assert oracle.runs_of(run, "customer import") == [("interrupted", STATUS[number][0])]
    resumed(folder, given)


@pytest.mark.parametrize("number", STATUS)
def test_a_signal_to_the_whole_group_from_outside(make: Any, large: commands.Given, number: signal.Signals) -> None:
    """What a terminal does on Ctrl-C: the sealing process gets the signal as well and must not have its own opinion."""
    folder = make("sqlite")
    with started(folder, "customer", "import", large.path, "--chunk", 50) as process:
        assert until(lambda: chunks(folder))
        os.killpg(process.pid, number)
        done = ended(process)
        assert alone(process.pid)
    assert (done.status, done.out) == (STATUS[number][0], b"")
    assert len(done.err.splitlines()) == 1, done.err
    resumed(folder, large)


def test_ctrl_c_while_the_sealing_process_starts(make: Any, large: commands.Given) -> None:
    folder = make("sqlite")
    with started(folder, "customer", "import", large.path, "--chunk", 50) as process:
        assert until(lambda: any("spawn_main" in _line(pid) for pid in members(process.pid)))
        os.killpg(process.pid, signal.SIGINT)
        done = ended(process)
        assert alone(process.pid)
    assert (done.status, done.out) == (130, b"")
    assert len(done.err.splitlines()) == 1, done.err
    resumed(folder, large)


@pytest.mark.parametrize("number", STATUS)
def test_a_signal_while_the_server_is_asked(make: Any, small: commands.Given, number: signal.Signals) -> None:
    """A statement waits in the server for what somebody else has: the connection is busy when the signal comes."""
    folder = make("postgresql")
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with direct(folder) as raw, direct(folder) as other:
        raw.execute("CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.chunks = 2 THEN"
                    " PERFORM pg_advisory_xact_lock(4711); END IF; RETURN NEW; END $$")  # fmt: skip
        raw.execute("CREATE TRIGGER slow BEFORE UPDATE ON batch FOR EACH ROW EXECUTE FUNCTION wait()")
        other.execute("SELECT pg_advisory_lock(4711)")
        with started(folder, "customer", "import", small.path, "--chunk", 100) as process:
            assert until(lambda: raw.execute(waiting).fetchone()[0])
            process.send_signal(number)
            assert until(lambda: not raw.execute(waiting).fetchone()[0] or process.poll() is not None, 20)
            other.execute("SELECT pg_advisory_unlock(4711)")
            done = ended(process)
    assert (done.status, done.out) == (STATUS[number][0], b"")
    assert len(done.err.splitlines()) == 1, done.err
    resumed(folder, small)


@pytest.mark.parametrize("number", STATUS)
def test_a_signal_while_the_database_is_busy(
    make: Any, kind: str, large: commands.Given, number: signal.Signals
) -> None:
    """Whoever waits for an hour does not wait for another one to record that it was interrupted."""
    folder = make(kind)
    hold = "BEGIN IMMEDIATE" if kind == "sqlite" else "LOCK TABLE batch IN EXCLUSIVE MODE"
    words = ("customer", "import", large.path, "--chunk", 20, "--lock-timeout", 3600)
    with started(folder, *words) as process, direct(folder) as other:
        assert until(lambda: chunks(folder))
        if kind == "postgresql":
            other.execute("BEGIN")
        other.execute(hold)
        process.send_signal(number)
        done = ended(process)
        other.execute("ROLLBACK")
    assert (done.status, done.out) == (STATUS[number][0], b"")
    assert len(done.err.splitlines()) == 1, done.err
    again = inside(folder, "batch", "resume", 1, "-o", "json")
    assert (again.status, again.counts) == (3, large.counts), again.err
    assert oracle.complaints(folder) == []


def _line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def worker(process: subprocess.Popen[bytes]) -> int:
    """Return the sealing process of a running import."""
    found = [pid for pid in members(process.pid) if "spawn_main" in _line(pid)]
    assert len(found) == 1
    return found[0]


def open_to_others(pid: int) -> bool:
    """Say whether a process may be dumped or debugged: if not, what is private of it in /proc belongs to root."""
    private = Path(f"/proc/{pid}/environ").stat()
    return (private.st_uid, private.st_gid) != (0, 0)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux hides a process from its owner")
def test_the_sealing_process_keeps_its_memory_to_itself(make: Any, large: commands.Given) -> None:
    """Core dumps and debuggers would hand out keys; a started process does not inherit its parent's refusal."""
    folder = make("sqlite")
    group = {"group": 54321} if os.geteuid() == 0 else {}  # else a process of root's would look the same either way
    sleep = (sys.executable, "-c", "import sys; sys.stdin.read()")
    with started(None, program=sleep, stdin=subprocess.PIPE, **group) as other:
        assert until(lambda: open_to_others(other.pid))
    with started(folder, "customer", "import", large.path, "--chunk", 20, **group) as process:
        assert until(lambda: chunks(folder))
        pids = (process.pid, worker(process))
        assert [open_to_others(pid) for pid in pids] == [False, False]
        for pid in pids:
            limits = Path(f"/proc/{pid}/limits").read_text("ascii").splitlines()
            assert [line.split()[4:6] for line in limits if line.startswith("Max core file size")] == [["0", "0"]]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_sealing_process_that_dies(folder: Path, large: commands.Given, number: signal.Signals) -> None:
    with started(folder, "customer", "import", large.path, "--chunk", 50, "-o", "json") as process:
        assert until(lambda: chunks(folder))
        os.kill(worker(process), number)
        done = ended(process)
        assert alone(process.pid)
    assert (done.status, done.failure["code"], done.out) == (74, "WORKER_DIED", b"")
    resumed(folder, large)


def test_a_sealing_process_that_never_comes_up(make: Any, large: commands.Given) -> None:
    folder = make("sqlite")
    with started(folder, "customer", "import", large.path, "--chunk", 50, "-o", "json") as process:
        assert until(lambda: any("spawn_main" in _line(pid) for pid in members(process.pid)))
        os.kill(worker(process), signal.SIGKILL)
        done = ended(process)
    assert (done.status, done.failure["code"]) == (74, "WORKER_DIED")
    resumed(folder, large)


def test_a_signal_after_the_last_word_comes_too_late(make: Any, small: commands.Given) -> None:
    folder = make("sqlite")
    point = "SIGTERM:before:1:crmctl.sheets.intake:_outcome"
    done = strike(point, folder, "customer", "import", small.path)

    assert done.status == 143
    assert oracle.states(folder) == {1: "done"}
    assert oracle.complaints(folder) == []


def test_a_second_copy_of_the_job_is_told_who_has_it(make: Any, kind: str, large: commands.Given) -> None:
    folder = make(kind)
    with started(folder, "customer", "import", large.path, "--chunk", 20) as process:
        assert until(lambda: chunks(folder))
        os.killpg(process.pid, signal.SIGSTOP)
        words = ("customer", "import", large.path, "--lock-timeout", 0.2, "-o", "json")
        second = crmctl(folder, *words)
        os.killpg(process.pid, signal.SIGCONT)
        first = ended(process)
    assert first.status == 3, first.err
    assert (second.status, second.failure["code"]) == (11, "LOCKED")
    assert f"pid {process.pid}" in second.failure["message"]
    assert "customer import" in second.failure["message"]
    assert oracle.complaints(folder) == []


@pytest.mark.parametrize("mode", ["create", "upsert"])
def test_unfinished_bytes_are_not_begun_twice(make: Any, small: commands.Given, mode: str, tmp_path: Path) -> None:
    folder, copy = make("sqlite"), tmp_path / "another name.csv"
    copy.write_bytes(small.path.read_bytes())
    point = "SIGTERM:after:2:crmctl.customers.apply:apply"
    assert strike(point, folder, "customer", "import", small.path, "--chunk", 100).status == 143

    for words in ((copy,), (copy, "--dry-run"), ("-",)):
        line = ("customer", "import", *words, "--mode", mode, "-o", "json")
        done = crmctl(folder, *line, stdin=copy.read_bytes()) if words == ("-",) else inside(folder, *line)
        assert (done.status, done.failure["details"]) == (1, {"batch": 1})
        assert "crmctl batch resume 1" in done.failure["hint"]
    assert inside(folder, "batch", "list", "-o", "json").document["batches"][0]["batch"] == 1
    resumed(folder, small)
