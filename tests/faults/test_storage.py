"""A writer that fails: a full disk, a database that refuses a row, a server that goes away. Nothing is half-written."""

from __future__ import annotations

import resource
from typing import Any

import commands
import oracle
import pytest
from commands import crmctl, ended, inside, started, until
from storage import direct

SQLITE_TRIGGER = """CREATE TRIGGER fault BEFORE INSERT ON change WHEN NEW.chunk = {chunk} AND NEW.position = 7
BEGIN SELECT RAISE(ABORT, 'refused'); END"""
POSTGRES_TRIGGER = """CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN IF NEW.chunk = {chunk} AND NEW.position = 7 THEN RAISE EXCEPTION 'refused'; END IF; RETURN NEW; END $$;
CREATE TRIGGER fault BEFORE INSERT ON change FOR EACH ROW EXECUTE FUNCTION refuse()"""
REMOVE = {"sqlite": "DROP TRIGGER fault", "postgresql": "DROP TRIGGER fault ON change; DROP FUNCTION refuse()"}


@pytest.mark.parametrize(("size", "chunk"), [("small", 100), ("large", 1000)])
def test_a_database_that_refuses_a_row(
    make: Any, kind: str, size: str, chunk: int, request: pytest.FixtureRequest
) -> None:
    given, folder = request.getfixturevalue(size), make(kind)
    trigger = SQLITE_TRIGGER if kind == "sqlite" else POSTGRES_TRIGGER
    with direct(folder) as raw:
        raw.execute(trigger.format(chunk=2))

    done = crmctl(folder, "customer", "import", given.path, "--chunk", chunk, "-o", "json")

    assert done.out == b""
    assert done.failure["exit_code"] == done.status
    assert done.status in (11, 13, 70, 74)
    with oracle.opened(folder) as run:
        assert oracle.chunks(run) == [2]
    with direct(folder) as raw:
        raw.execute(REMOVE[kind])
    done = inside(folder, "batch", "resume", 1, "-o", "json")
    assert (done.status, done.counts) == (3, given.counts), done.err
    assert oracle.complaints(folder) == []


@pytest.mark.parametrize(("size", "chunk"), [("small", 50), ("large", 200)])
def test_a_full_disk(make: Any, size: str, chunk: int, request: pytest.FixtureRequest) -> None:
    """A limit on the size of files stands in for it: SQLite says it is an input/output error."""
    given, folder = request.getfixturevalue(size), make("sqlite")
    limit = 300_000 if size == "small" else 1_000_000

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = crmctl(folder, "customer", "import", given.path, "--chunk", chunk, "-o", "json", preexec_fn=limited)

    assert (done.status, done.failure["code"], done.out) == (74, "STORAGE_FAILED", b""), done.err
    assert set(oracle.states(folder).values()) <= {"interrupted", "running"}
    done = inside(folder, "batch", "resume", 1, "-o", "json")
    assert (done.status, done.counts) == (3, given.counts), done.err
    assert oracle.complaints(folder) == []


def test_a_disk_too_full_to_keep_standard_input(make: Any, large: commands.Given) -> None:
    folder = make("sqlite")

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    done = crmctl(folder, "customer", "import", "-", "-o", "json", stdin=large.path.read_bytes(), preexec_fn=limited)

    assert (done.status, done.failure["code"], done.out) == (74, "STORAGE_FAILED", b""), done.err
    assert oracle.states(folder) == {}
    assert oracle.complaints(folder) == []


def test_a_server_that_drops_the_connection(make: Any, large: commands.Given) -> None:
    folder = make("postgresql")
    with (
        direct(folder) as raw,
        started(folder, "customer", "import", large.path, "--chunk", 50, "-o", "json") as process,
    ):
        assert until(lambda: raw.execute("SELECT max(chunks) FROM batch").fetchone()[0])
        raw.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        done = ended(process)
    assert (done.status, done.out) == (74, b""), done.err
    done = inside(folder, "batch", "resume", 1, "-o", "json")
    assert (done.status, done.counts) == (3, large.counts), done.err
    assert oracle.complaints(folder) == []


SLOW_COMMIT = """CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0 AS $$
BEGIN IF NEW.chunks = 2 THEN PERFORM pg_advisory_xact_lock(4711); END IF; RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER slow AFTER UPDATE ON batch DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION dawdle()"""
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


def test_a_commit_that_outlives_its_killed_client(make: Any, small: commands.Given) -> None:
    """The server finishes a COMMIT it has been sent, whoever is left to hear of it; `resume` must wait for that."""
    folder = make("postgresql")
    with direct(folder) as raw:
        raw.execute(SLOW_COMMIT)
        raw.execute("SELECT pg_advisory_lock(4711)")
        with started(folder, "customer", "import", small.path, "--chunk", 100) as process:
            assert until(lambda: raw.execute(f"{WAITING} AND query = 'COMMIT'").fetchone()[0])
            process.kill()
            ended(process)
        with started(folder, "batch", "resume", 1, "-o", "json") as process:
            assert until(lambda: raw.execute(WAITING).fetchone()[0] == 2 or process.poll() is not None)
            raw.execute("SELECT pg_advisory_unlock(4711)")
            done = ended(process)

    assert (done.status, done.err) == (3, b"")
    assert done.counts == small.counts
    assert oracle.complaints(folder) == []
