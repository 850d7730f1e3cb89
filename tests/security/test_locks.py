"""One holder at a time, the others are told who; a killed holder frees the lock at once, on both databases."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import event

from crmctl.errors import Interrupted, Locked, StorageFailed
from crmctl.security import locks
from crmctl.security.locks import advisory_key, hold
from crmctl.store.engine import open_engine

WHO = "li.na (pid 77, customer import, 2026-11-21T20:31:07+08:00)"


@pytest.fixture(params=["file", "postgresql"])
def taking(request, tmp_path):
    """How to take a lock, beside SQLite and on PostgreSQL."""
    engine = open_engine(request.getfixturevalue("postgres_url")) if request.param == "postgresql" else None

    def take(name="import", timeout=0.0, instance=b""):
        return hold(
            name,
            workspace=tmp_path,
            engine=engine,
            holder=WHO,
            timeout=timeout,
            instance=instance,
            describe=lambda: WHO,
        )

    yield take
    if engine is not None:
        engine.dispose()


def test_a_second_holder_is_refused_and_told_who(taking):
    with taking() as held:
        held.check()
        with pytest.raises(Locked) as failure, taking():
            pytest.fail("two holders")
        assert failure.value.exit_code == 11 and WHO in failure.value.message
        with taking("other"):
            pass
    with taking():
        pass


def test_an_error_inside_frees_it(taking):
    with pytest.raises(RuntimeError), taking():
        raise RuntimeError
    with taking():
        pass


def test_a_waiting_run_gets_its_turn(taking):
    entered, order = threading.Event(), []

    def first():
        with taking():
            entered.set()
            time.sleep(0.15)
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    entered.wait(5)
    with taking(timeout=10):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]


def test_waiting_ends(taking):
    with taking():
        began = time.monotonic()
        with pytest.raises(Locked), taking(timeout=0.2):
            pytest.fail("two holders")
        assert 0.2 <= time.monotonic() - began < 5


def in_child(take):
    """Fork a child that takes the lock and keeps it; return its pid once it has it."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with take():
                os.write(writing, b"x")
                time.sleep(60)
        finally:
            os._exit(1)
    os.close(writing)
    assert os.read(reading, 1) == b"x"
    os.close(reading)
    return child


def test_a_killed_holder_frees_it_at_once(taking):
    for _ in range(3):
        child = in_child(taking)
        with pytest.raises(Locked), taking():
            pytest.fail("two holders")
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with taking(timeout=2):
            pass


def test_a_forked_worker_does_not_keep_it(taking):
    """A worker outlives its killed parent for a moment, with copies of the parent's descriptors."""
    reading, writing = os.pipe()
    holder = os.fork()
    if holder == 0:
        try:
            with taking():
                worker = os.fork()
                if worker == 0:
                    os.write(writing, os.getpid().to_bytes(4, "big"))
                    time.sleep(60)
                    os._exit(0)
                time.sleep(60)
        finally:
            os._exit(1)
    worker = int.from_bytes(os.read(reading, 4), "big")
    os.close(reading)
    os.close(writing)
    try:
        os.kill(holder, signal.SIGKILL)
        os.waitpid(holder, 0)
        with taking(timeout=2):  # Locked when the worker's copy of the descriptor held on
            os.kill(worker, 0)
            assert "Z" not in Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[0], "it lives"
    finally:
        os.kill(worker, signal.SIGKILL)


def test_the_lock_file_is_the_owners_and_no_link_is_followed(tmp_path):
    with hold("import", workspace=tmp_path, holder=WHO):
        path = tmp_path / "locks" / "import.lock"
        assert path.stat().st_mode & 0o777 == 0o600
        assert (tmp_path / "locks").stat().st_mode & 0o777 == 0o700
        assert path.read_text() == WHO
    assert path.read_text() == ""
    path.unlink()
    (tmp_path / "precious").write_text("precious")
    path.symlink_to(tmp_path / "precious")
    with pytest.raises(StorageFailed), hold("import", workspace=tmp_path, holder=WHO):
        pytest.fail("followed a link")
    assert (tmp_path / "precious").read_text() == "precious"


def test_a_replaced_lock_file_is_noticed(tmp_path):
    with hold("import", workspace=tmp_path) as held:
        (tmp_path / "locks" / "import.lock").unlink()
        with pytest.raises(StorageFailed) as failure:
            held.check()
        assert failure.value.code == "LOCK_LOST"


def test_a_lost_server_connection_is_noticed(postgres_url, tmp_path):
    from sqlalchemy import text

    engine = open_engine(postgres_url)
    with hold("import", workspace=tmp_path, engine=engine) as held:
        with engine.connect() as other:
            other.execute(text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"))
        with pytest.raises(StorageFailed):
            held.check()
    with hold("import", workspace=tmp_path, engine=engine, timeout=2):
        pass
    engine.dispose()


def test_a_signal_while_the_lock_is_checked_is_a_signal_not_a_lost_lock(postgres_url, tmp_path):
    engine = open_engine(postgres_url)

    @event.listens_for(engine, "before_cursor_execute")
    def cut(_conn, cursor, statement, *_rest):
        if statement == "SELECT 1":
            cursor.connection.pgconn.send_query(b"SELECT 1")
            try:
                raise Interrupted(2)
            finally:  # what the driver then says of the half-sent command
                cursor.connection.rollback()

    with pytest.raises(Interrupted), hold("import", workspace=tmp_path, engine=engine) as held:
        held.check()
    engine.dispose()


def test_the_pool_gets_no_connection_that_holds_a_lock(postgres_url, tmp_path):
    from sqlalchemy import text

    engine = open_engine(postgres_url)
    with hold("import", workspace=tmp_path, engine=engine):
        pass
    with engine.connect() as conn:
        deadline = time.monotonic() + 5
        query = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
        while conn.execute(query).scalar_one() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert conn.execute(query).scalar_one() == 0
    engine.dispose()


def test_workspaces_sharing_a_server_do_not_meet():
    keys = {advisory_key(instance, name) for instance in (b"", bytes(16), b"\x01" * 16) for name in ("a", "b")}
    assert len(keys) == 6
    assert all(-(2**31) <= half < 2**31 for key in keys for half in key)


def test_escapes_in_a_holders_text_are_not_repeated(tmp_path):
    evil = hold("import", workspace=tmp_path, holder="evil\x1b]52;c\x07\nname" + "x" * 1000)
    with evil, pytest.raises(Locked) as failure, hold("import", workspace=tmp_path):
        pytest.fail("two holders")
    assert "\x1b" not in failure.value.message and "\n" not in failure.value.message
    assert len(failure.value.message) < 500


@pytest.mark.parametrize("name", ["", "../x", "A", "a b", ".hidden"])
def test_lock_names_are_plain(tmp_path, name):
    with pytest.raises(ValueError), hold(name, workspace=tmp_path):
        pytest.fail("took it")
    assert not (tmp_path / "locks").exists()


def test_a_full_disk_does_not_stop_the_note(tmp_path, monkeypatch):
    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(locks.os, "pwrite", full)
    with hold("import", workspace=tmp_path, holder=WHO), pytest.raises(Locked), hold("import", workspace=tmp_path):
        pytest.fail("two holders")
