"""Opening, reading and writing: safety settings, turns, and what a failing database says."""

from __future__ import annotations

import os
import resource
import sqlite3
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import children
import postgres
import psycopg
import pytest
from sqlalchemy import event, func, select, text
from sqlalchemy.engine import Engine, make_url

from crmctl.errors import (
    DatabaseMissing,
    IntegrityFailed,
    Interrupted,
    InvalidInput,
    Locked,
    PermissionMissing,
    StorageFailed,
)
from crmctl.store import bulk, counters, sqlite
from crmctl.store.counters import counter
from crmctl.store.engine import journal_report, open_engine, read, write
from crmctl.store.failures import translate


def path_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def count_rows(engine: Engine) -> int:
    with read(engine) as conn:
        return int(conn.execute(select(func.count()).select_from(counter)).scalar_one())


def test_every_connection_of_sqlite_is_set_up_alike(sqlite_url: str) -> None:
    engine = open_engine(sqlite_url, timeout=7)
    expected = {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "secure_delete": 1,
        "temp_store": 2,
        "cache_size": -32_000,
        "busy_timeout": 7000,
        "trusted_schema": 0,
        "cell_size_check": 1,
        "page_size": 8192,
    }
    with read(engine) as first, write(engine) as second:
        for conn in (first, second):
            assert {name: conn.exec_driver_sql("PRAGMA " + name).scalar_one() for name in expected} == expected
    report = journal_report(engine)
    assert report["wal_safe"] and report["journal_mode"] == "wal"
    engine.dispose()


def test_an_unfixed_library_gets_no_wal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "driver", lambda: sqlite3)
    monkeypatch.setattr(sqlite, "wal_is_safe", lambda version: False)
    engine = open_engine(f"sqlite:///{tmp_path / 'x.db'}")
    sqlite.create_file(tmp_path / "x.db")
    report = journal_report(engine)
    assert (report["journal_mode"], report["synchronous"], report["wal_safe"]) == ("delete", 3, False)
    with write(engine) as conn:
        conn.execute(text("CREATE TABLE t (a)"))
    engine.dispose()


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 45, 9), False),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 53, 0), True),
        ((4, 0, 0), True),
    ],
)
def test_which_libraries_have_the_fix(version: tuple[int, ...], safe: bool) -> None:
    assert sqlite.wal_is_safe(version) is safe


def test_files_are_the_owners_only(sqlite_url: str) -> None:
    path = path_of(sqlite_url)
    path.unlink()
    before = os.umask(0)
    try:
        sqlite.create_file(path)
        engine = open_engine(sqlite_url)
        with write(engine) as conn:
            conn.execute(text("CREATE TABLE t (a)"))
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        engine.dispose()
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("crmctl.db", "crmctl.db-wal", "crmctl.db-shm", "crmctl.db-turn"), 384)


def test_a_missing_file_is_never_created(tmp_path: Path) -> None:
    engine = open_engine("sqlite:///data/crmctl.db", workspace=tmp_path)
    with pytest.raises(DatabaseMissing) as missing, read(engine):
        pass
    assert str(tmp_path / "data/crmctl.db") in missing.value.message
    assert list(tmp_path.iterdir()) == []


def test_names_that_mean_something_in_a_uri(tmp_path: Path) -> None:
    folder = tmp_path / "客户 100%25 ?mode=memory#x"
    folder.mkdir()
    sqlite.create_file(folder / "50%25#.db")
    for url in ("sqlite:///50%25#.db", f"sqlite:///{folder}/50%25#.db"):
        engine = open_engine(url, workspace=folder)
        with write(engine) as conn:
            conn.execute(text("CREATE TABLE IF NOT EXISTS t (a)"))
        engine.dispose()
    assert (folder / "50%25#.db").stat().st_size > 0


@pytest.mark.parametrize("url", ["mysql://u:hunter2@h/d", "sqlite://", "sqlite:///:memory:", "hunter2", "sqlite:///"])
def test_other_urls_are_refused_without_repeating_a_password(url: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        open_engine(url)
    assert refused.value.exit_code == 4
    assert "hunter2@" not in refused.value.message


def test_a_reader_sees_one_picture(engine: Engine) -> None:
    with read(engine) as conn:
        assert conn.execute(select(counter)).all() == []
        counters.take(engine, "other")
        assert conn.execute(select(counter)).all() == []
    assert count_rows(engine) == 1


def test_a_reader_is_answered_while_somebody_writes(engine: Engine) -> None:
    with write(engine) as conn:
        bulk.insert_rows(conn, counter, ["name", "next_value"], [(str(n), n) for n in range(50_000)])
        assert count_rows(engine) == 0
    assert count_rows(engine) == 50_000


def test_read_only_engines_do_not_write(database_url: str) -> None:
    engine = open_engine(database_url, read_only=True)
    with pytest.raises(StorageFailed, match="not writable"):
        counters.take(engine, "customer")
    engine.dispose()


def hold(url: str, held: Any, release: Any) -> None:
    with write(open_engine(url)) as conn:
        counters.take(conn, "customer")
        held.set()
        release.wait(60)


def test_a_writer_waits_no_longer_than_told(database_url: str) -> None:
    held, release = children.event(), children.event()
    engine = open_engine(database_url, timeout=0.2)
    with children.child(hold, database_url, held, release):
        assert held.wait(30)
        with pytest.raises(Locked) as busy:
            counters.take(engine, "customer")
        release.set()
    assert counters.take(engine, "afterwards") == 1
    assert (busy.value.exit_code, busy.value.code) == (11, "DATABASE_BUSY")
    assert "0.2 s" in busy.value.message
    engine.dispose()


def test_a_killed_writer_frees_its_turn_and_leaves_nothing(database_url: str) -> None:
    held = children.event()
    with children.child(hold, database_url, held, children.event()) as process:
        assert held.wait(30)
        process.kill()
        process.join()
    engine = open_engine(database_url)
    assert counters.take(engine, "customer") == 1
    engine.dispose()


def write_without_pause(path: Path, started: Any) -> None:
    """Commit transaction after transaction with no more than microseconds between them."""
    raw = sqlite.connector(path, 30, False)()
    grow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) SELECT sum(i) FROM n"
    while True:
        sqlite.begin_write(raw, path, 30)
        raw.execute("UPDATE counter SET next_value = next_value + 1 WHERE name = 'chunk'")
        raw.execute(grow).fetchall()
        raw.execute("COMMIT")
        started.set()


def test_a_small_write_gets_its_turn_between_the_chunks_of_a_long_one(sqlite_url: str) -> None:
    """However fast chunk follows chunk, somebody waiting is next: no more than a few chunks pass."""
    started = children.event()
    engine = open_engine(sqlite_url)
    counters.take(engine, "chunk")
    chunk = select(counter.c.next_value).where(counter.c.name == "chunk")
    passed = []
    with children.child(write_without_pause, path_of(sqlite_url), started):
        assert started.wait(30)
        for _ in range(16):
            with read(engine) as conn:
                before = conn.execute(chunk).scalar_one()
            with write(engine) as conn:
                passed.append(conn.execute(chunk).scalar_one() - before)
    engine.dispose()
    assert max(passed) <= 4, passed


def test_the_log_file_stays_bounded(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "CHECKPOINT_PAGES", 100)
    engine = open_engine(sqlite_url)
    log = Path(f"{path_of(sqlite_url)}-wal")
    sizes = []
    for number in range(40):
        with write(engine) as conn:
            bulk.insert_rows(conn, counter, ["name", "next_value"], ((f"{number}-{n}", n) for n in range(2000)))
        sizes.append(log.stat().st_size)
    written = path_of(sqlite_url).stat().st_size
    engine.dispose()
    assert max(sizes) < 250 * sqlite.PAGE_SIZE < written, (max(sizes), written)


def fill_until_refused(url: str, outcome: Any) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))
    try:
        with write(open_engine(url)) as conn:
            rows = ((str(n), n) for n in range(100_000))
            bulk.insert_rows(conn, counter, ["name", "next_value"], rows)
    except StorageFailed as error:
        outcome.put((error.exit_code, error.code))
    else:
        outcome.put("it was written")


def test_a_disk_that_takes_no_more_leaves_the_database_as_it_was(sqlite_url: str) -> None:
    outcome = children.queue()
    with children.child(fill_until_refused, sqlite_url, outcome):
        assert outcome.get(timeout=60) == (74, "STORAGE_FAILED")
    engine = open_engine(sqlite_url)
    assert count_rows(engine) == 0
    assert counters.take(engine, "customer") == 1
    with read(engine) as conn:
        assert conn.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
    engine.dispose()


def test_a_full_database_says_so(sqlite_url: str) -> None:
    engine = open_engine(sqlite_url)
    with pytest.raises(StorageFailed, match="no space left"), write(engine) as conn:
        conn.exec_driver_sql("PRAGMA max_page_count=40")
        bulk.insert_rows(conn, counter, ["name", "next_value"], ((str(n), n) for n in range(100_000)))
    engine.dispose()


@pytest.mark.parametrize("content", [b"no database at all" * 100, None])
def test_a_damaged_file_is_an_integrity_failure(sqlite_url: str, content: bytes | None) -> None:
    path = path_of(sqlite_url)
    pages = bytearray(path.read_bytes())
    pages[8192:] = b"\xff" * (len(pages) - 8192)
    path.write_bytes(content or bytes(pages))
    engine = open_engine(sqlite_url)
    with pytest.raises(IntegrityFailed) as damaged:
        counters.take(engine, "customer")
    assert damaged.value.exit_code == 13
    engine.dispose()


def test_text_that_is_none_is_an_integrity_failure_without_its_value(sqlite_url: str) -> None:
    engine = open_engine(sqlite_url)
    with write(engine) as conn:
        conn.exec_driver_sql("INSERT INTO counter VALUES (CAST(x'63616e617279ff' AS TEXT), 1)")
    with pytest.raises(IntegrityFailed, match="not UTF-8") as damaged, read(engine) as conn:
        conn.execute(select(counter.c.name)).all()
    assert damaged.value.code == "DATABASE_DAMAGED"
    assert "canary" not in damaged.value.message + damaged.value.hint
    engine.dispose()


def test_a_server_that_goes_away_is_a_storage_failure(postgres_server: postgres.Server, postgres_url: str) -> None:
    engine = open_engine(postgres_url)
    with pytest.raises(StorageFailed) as lost, write(engine) as conn:
        counters.take(conn, "customer")
        backend = conn.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with postgres_server.connect() as other:
            other.execute("SELECT pg_terminate_backend(%s)", [backend])
        bulk.insert_rows(conn, counter, ["name", "next_value"], [("x", 1)])
    assert lost.value.code in ("STORAGE_FAILED", "DATABASE_LOST")
    assert counters.take(engine, "customer") == 1
    engine.dispose()


def settled(server: postgres.Server, *, admitted: bool) -> None:
    """Wait until the server goes by the rules that let the role `rejected` in, or by those that do not."""
    for _ in range(600):
        try:
            psycopg.connect(host=str(server.socket_folder), user="rejected", dbname="postgres").close()
        except psycopg.OperationalError:
            if not admitted:
                return
        else:
            if admitted:
                return
        time.sleep(0.05)
    raise AssertionError("the server does not take new rules")


@pytest.fixture
def guarded(postgres_server: postgres.Server) -> Iterator[str]:
    """The URL of a database whose role `guarded` has the password `right`; role `rejected` is kept out by rule."""
    rules = "local all guarded scram-sha-256\nlocal all rejected reject\n"
    name = postgres_server.create()
    with postgres_server.connect() as conn:
        path = Path(conn.execute("SHOW hba_file").fetchone()[0])  # type: ignore[index]
        before = path.read_text()
        conn.execute("CREATE ROLE guarded LOGIN PASSWORD 'right'")
        conn.execute("CREATE ROLE rejected LOGIN")
        path.write_text(rules + before)
        conn.execute("SELECT pg_reload_conf()")
        settled(postgres_server, admitted=False)
        yield postgres_server.url(name)
        path.write_text(before)
        conn.execute("SELECT pg_reload_conf()")
        settled(postgres_server, admitted=True)
        postgres_server.drop(name)
        conn.execute("DROP ROLE guarded")
        conn.execute("DROP ROLE rejected")


@pytest.mark.parametrize(
    ("role", "hint"),
    [
        ("guarded:wrong", "database_password_file"),
        ("guarded", "database_password_file"),
        ("rejected", "the role in the URL"),
        ("nobody_of_this_name", "the role in the URL"),
    ],
)
def test_a_server_that_refuses_the_role(guarded: str, role: str, hint: str) -> None:
    engine = open_engine(guarded.replace("postgres@", f"{role}@"))
    with pytest.raises(PermissionMissing) as refused, read(engine):
        pass
    assert (refused.value.exit_code, refused.value.code) == (6, "DATABASE_REFUSED")
    assert hint in refused.value.hint
    assert "\n" not in refused.value.message and "wrong" not in refused.value.message


def test_the_right_password_opens(guarded: str) -> None:
    engine = open_engine(guarded.replace("postgres@", "guarded:right@"))
    with read(engine) as conn:
        assert conn.execute(text("SELECT current_user")).scalar_one() == "guarded"
    engine.dispose()


def test_a_database_that_admits_nobody_or_not_this_role(postgres_server: postgres.Server) -> None:
    name = postgres_server.create()
    with postgres_server.connect() as conn:
        conn.execute("CREATE ROLE outsider LOGIN")
        conn.execute(f"REVOKE CONNECT ON DATABASE {name} FROM public")
        with (
            pytest.raises(PermissionMissing, match="permission denied"),
            read(open_engine(postgres_server.url(name).replace("postgres@", "outsider@"))),
        ):
            pass
        conn.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        with (
            pytest.raises(StorageFailed, match="not currently accepting"),
            read(open_engine(postgres_server.url(name))),
        ):
            pass
        postgres_server.drop(name)
        conn.execute("DROP ROLE outsider")


class Answer(Exception):
    """What psycopg raises when a server of another language refuses a connection."""

    sqlstate = None
    pgconn = None


Answer.__module__ = "psycopg"
OperationalError = type("OperationalError", (Answer,), {"__module__": "psycopg"})


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ('用户 "crm" Password 认证失败', PermissionMissing),
        ('角色 "crm" 不存在', PermissionMissing),
        ('数据库 "base" 不存在', DatabaseMissing),
        ("对不起, 已经有太多的客户端", StorageFailed),
    ],
)
def test_a_server_may_speak_any_language(words: str, kind: type[Exception]) -> None:
    error = OperationalError(f'connection failed: connection to server on socket "/x" failed: 致命错误:  {words}')
    assert isinstance(translate(error, make_url("postgresql://crm@/base"), 1), kind)


def test_missing_server_and_missing_database(postgres_server: postgres.Server, tmp_path: Path) -> None:
    absent = f"postgresql://postgres:hunter2@/crmctl?host={tmp_path}"
    with pytest.raises(StorageFailed) as lost, read(open_engine(absent)):
        pass
    assert lost.value.code == "DATABASE_LOST" and "hunter2" not in lost.value.message
    with pytest.raises(DatabaseMissing), read(open_engine(postgres_server.url("nobody_made_this"))):
        pass


def test_reports_of_the_server(postgres_url: str) -> None:
    engine = open_engine(postgres_url)
    report = journal_report(engine)
    assert (report["database"], report["server_encoding"], report["timezone"]) == ("postgresql", "UTF8", "UTC")
    engine.dispose()


@pytest.mark.parametrize("at", ["statement", "commit"])
def test_a_signal_in_the_middle_of_a_command_is_told_once(
    postgres_url: str, caplog: pytest.LogCaptureFixture, at: str
) -> None:
    engine = open_engine(postgres_url)

    def cut(conn: Any, *_rest: Any) -> None:
        conn.connection.driver_connection.pgconn.send_query(b"SELECT 1")
        raise Interrupted(2)

    event.listen(engine, "commit" if at == "commit" else "before_cursor_execute", cut)
    with pytest.raises(Interrupted), write(engine) as conn:
        if at == "statement":
            conn.execute(text("SELECT 2"))

    assert caplog.messages == []
    event.remove(engine, "commit" if at == "commit" else "before_cursor_execute", cut)
    with read(engine) as conn:
        assert conn.execute(text("SELECT 1")).scalar_one() == 1
    engine.dispose()
