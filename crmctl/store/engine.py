"""Open the database, write in one transaction, read one consistent picture. The same three calls on both databases."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from math import ceil
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool

from crmctl.errors import InvalidInput
from crmctl.i18n import _
from crmctl.process import patience
from crmctl.store import sqlite
from crmctl.store.failures import interrupt_behind, translated

_WRITES = "crmctl_writes"


def open_engine(url: str, *, timeout: float = 30.0, workspace: Path | None = None, read_only: bool = False) -> Engine:
    """Return the engine of the database at `url`; nothing is opened or created yet.

    `sqlite:///data/crmctl.db` is a path, taken literally, relative to `workspace`; `postgresql://` means psycopg 3.
    `timeout` is how many seconds a writer waits for its turn; once a signal has come, only a moment
    (`process.patience`). Do not share an engine with a forked child: dispose it there, or spawn.
    Raises InvalidInput for a URL of another kind.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(url, timeout, workspace, read_only)
    if parsed.get_backend_name() == "postgresql":
        return _postgresql(parsed, timeout, read_only)
    raise _unusable(parsed.get_backend_name())


def _parse(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError:
        raise _unusable(url.partition(":")[0]) from None  # the rest may hold a password


def _unusable(kind: str) -> InvalidInput:
    return InvalidInput(
        _("{kind}: not a database this program knows").format(kind=kind),
        hint=_("give sqlite:///PATH or postgresql://USER@HOST/NAME"),
        code="DATABASE_URL",
    )


def _sqlite(url: str, timeout: float, workspace: Path | None, read_only: bool) -> Engine:
    # The path is taken literally: what % and ? mean in one depends on the version of SQLAlchemy.
    name = url.partition(":///")[2]
    if not name or name == ":memory:":
        raise _unusable(url)
    path = (workspace or Path()).absolute() / name
    parsed = URL.create("sqlite+pysqlite", database=str(path))
    engine = create_engine(
        parsed,
        module=sqlite.driver(),
        creator=sqlite.connector(path, timeout, read_only),
        poolclass=QueuePool,
        pool_use_lifo=True,  # the connection whose page cache is warm
        hide_parameters=True,
    )

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        raw = connection.connection.driver_connection
        if connection.get_execution_options().get(_WRITES):
            _leave_to_owner(path)
            sqlite.begin_write(raw, path, patience(timeout))
        else:
            connection.exec_driver_sql("BEGIN")

    return _remember(engine, timeout)


def _leave_to_owner(path: Path) -> None:
    """Give the turnstile that root would make to the database's owner, whom it would keep out; SQLite does the same."""
    turn = path.with_name(path.name + "-turn")
    if os.geteuid() == 0 and path.exists() and not turn.exists():
        sqlite.create_file(turn)
        owner = path.stat()
        os.chown(turn, owner.st_uid, owner.st_gid)


def _postgresql(url: URL, timeout: float, read_only: bool) -> Engine:
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_use_lifo=True,
        hide_parameters=True,
        connect_args={"application_name": "crmctl", **_patience(url, timeout)},
    )
    settings = {
        "TimeZone": "UTC",
        "lock_timeout": f"{timeout * 1000:.0f}",
        "default_transaction_read_only": "on" if read_only else "off",
        # Conditions of policies become long CASE expressions: compiling them took 3.6 of 12.8 s of a question over a
        # million customers, in each of the server's processes, and was never earned back.
        "jit": "off",
    }

    @event.listens_for(engine, "connect")
    def _connected(raw: Any, _record: object) -> None:
        for name, value in settings.items():
            raw.execute("SELECT set_config(%s, %s, false)", (name, value))
        raw.commit()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if patience(timeout) < timeout:
            value = f"{patience(timeout) * 1000:.0f}"
            connection.exec_driver_sql("SELECT set_config('lock_timeout', %s, true)", (value,))

    return _remember(engine, timeout)


def _patience(url: URL, timeout: float) -> dict[str, int]:
    """Return how long to wait for a server that does not answer, unless the URL says so; left alone it is minutes."""
    return {} if "connect_timeout" in url.query else {"connect_timeout": max(2, ceil(timeout))}


def _remember(engine: Engine, timeout: float) -> Engine:
    engine.update_execution_options(crmctl_timeout=timeout)
    return engine


def timeout_of(engine: Engine) -> float:
    """Return how many seconds a writer of this engine waits for its turn."""
    return float(engine.get_execution_options()["crmctl_timeout"])


@contextlib.contextmanager
def _connected(engine: Engine) -> Iterator[Connection]:
    """Yield a connection; thrown away where a signal came in the middle of a command, so that none can roll it back."""
    with engine.connect() as connection:
        try:
            yield connection
        except BaseException as error:
            if interrupt_behind(error) is not None and not connection.invalidated:
                connection.invalidate()
            raise


@contextlib.contextmanager
def write(engine: Engine) -> Iterator[Connection]:
    """Yield a connection inside one writing transaction: committed when the block ends well, else rolled back.

    Raises Locked, StorageFailed, IntegrityFailed, DatabaseMissing in place of the drivers' errors.
    """
    with translated(engine.url, timeout_of(engine)), _connected(engine) as connection:
        connection = connection.execution_options(**{_WRITES: True})
        with connection.begin():
            yield connection


@contextlib.contextmanager
def read(engine: Engine) -> Iterator[Connection]:
    """Yield a connection that sees one consistent picture of the database and cannot write on PostgreSQL.

    Raises as `write` does.
    """
    with translated(engine.url, timeout_of(engine)), _connected(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with connection.begin():
            yield connection


def journal_report(engine: Engine) -> dict[str, Any]:
    """Return how safely the database keeps what it is given, for `doctor`: library, journal, synchronisation."""
    with read(engine) as connection:
        if engine.dialect.name == "sqlite":
            return _sqlite_report(connection)
        settings = ("server_version", "server_encoding", "fsync", "synchronous_commit", "full_page_writes", "TimeZone")
        asked = {name: connection.execute(text("SELECT current_setting(:name)"), {"name": name}) for name in settings}
        return {"database": "postgresql", **{name.lower(): result.scalar_one() for name, result in asked.items()}}


def _sqlite_report(connection: Connection) -> dict[str, Any]:
    module = sqlite.driver()
    names = ("journal_mode", "synchronous", "page_size", "secure_delete", "foreign_keys", "cache_size", "temp_store")
    pragmas = {name: connection.exec_driver_sql("PRAGMA " + name).scalar_one() for name in names}
    return {
        "database": "sqlite",
        "library": module.sqlite_version,
        "module": module.__name__,
        "wal_safe": sqlite.wal_is_safe(module.sqlite_version_info),
        **pragmas,
    }
