"""SQLite as design §6 wants it: a current library, durable pragmas on every connection, writers taking turns.

The WAL-reset bug (3.7.0 to 3.51.2) can lose committed transactions of a WAL database under load. WAL is therefore used
only with a library that has the fix; else a rollback journal with `synchronous=EXTRA`.

A waiting writer must not starve while an import commits chunk after chunk: SQLite gives the lock to whoever asks in
the right microsecond, and its own busy handler asks ever more seldom, up to 100 ms apart. So writers pass a turnstile
first, a kernel lock on the file `NAME-turn`: whoever holds it is next, and the importer queues behind. A killed process
frees it at once.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import sqlite3 as _stdlib
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote

from crmctl.files import OWNER_FILE, storage_failure, sync_folder

PAGE_SIZE = 8192  # bytes; identity pages are random, larger ones cost a fifth less at a million customers
CACHE_KIB = 32_000
CHECKPOINT_PAGES = 8_000  # 64 MB of log before it is copied back: 12 % less time than 1,000 for random keys
JOURNAL_LIMIT = 128 * 1024 * 1024  # bytes of log file kept after a checkpoint; one chunk over 64 MB stays within
_FIXED_BRANCHES = {(3, 44): 6, (3, 50): 7, (3, 51): 3}
_BUSY, _CANTOPEN = 5, 14  # SQLITE_BUSY, SQLITE_CANTOPEN, primary codes
_SETTLED = 2.0  # seconds within which a database that others make, or leave, at this moment can be opened


def wal_is_safe(version: tuple[int, ...]) -> bool:
    """Say whether a library of this version has the WAL-reset fix (≥ 3.51.3, and 3.50.7, 3.44.6 of their branches)."""
    fixed = _FIXED_BRANCHES.get((version[0], version[1]))
    return version >= (3, 52) or (fixed is not None and version[2] >= fixed)


@cache
def driver() -> ModuleType:
    """Return the DB-API module to use: pysqlite3 with its own current library, else the standard one.

    It is told how None and bytes are bound: as they are. Otherwise it looks for an adapter of every single one, in
    vain, at 1.1 µs each: a change with 18 values, 10 of which are such, took 12 µs to insert instead of 2.5.
    """
    module = _driver()
    module.register_adapter(bytes, bytes)
    module.register_adapter(type(None), {}.get)  # None for None, without a Python frame
    return module


def _driver() -> ModuleType:
    try:
        from pysqlite3 import dbapi2
    except ImportError:
        return _stdlib
    if wal_is_safe(_stdlib.sqlite_version_info) and not wal_is_safe(dbapi2.sqlite_version_info):
        return _stdlib
    module: ModuleType = dbapi2
    return module


def connector(path: Path, timeout: float, read_only: bool) -> Callable[[], Any]:
    """Return what opens one connection to an existing database file; `timeout` in seconds.

    A missing file is an error of the driver (SQLITE_CANTOPEN), never a new empty database. Where the file is there by
    the time the error is, another process made it that moment, or was the last to use it and took the journal away
    between two looks of the library: it is tried again.
    """
    module = driver()
    uri = "file:" + quote(str(path)) + "?mode=rw"
    safe = wal_is_safe(module.sqlite_version_info)
    pragmas = _pragmas(safe, timeout, read_only)

    def connect() -> Any:
        begun = time.monotonic()
        while True:
            try:
                return opened()
            except Exception as error:
                code = getattr(error, "sqlite_errorcode", 0) & 0xFF
                if code != _CANTOPEN or time.monotonic() - begun > _SETTLED or not os.access(path, os.R_OK | os.W_OK):
                    raise
            _pause()

    def opened() -> Any:
        raw = module.connect(
            uri, uri=True, timeout=timeout, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        try:
            patiently(lambda: [raw.execute(pragma) for pragma in pragmas], timeout)
        except BaseException:
            raw.close()
            raise
        return raw

    return connect


def _pragmas(safe: bool, timeout: float, read_only: bool) -> list[str]:
    settings = {
        "busy_timeout": int(timeout * 1000),
        "page_size": PAGE_SIZE,  # counts only while the file is empty
        "journal_mode": "WAL" if safe else "DELETE",
        "synchronous": "FULL" if safe else "EXTRA",
        "wal_autocheckpoint": CHECKPOINT_PAGES,
        "journal_size_limit": JOURNAL_LIMIT,
        "foreign_keys": "ON",
        "secure_delete": "ON",
        "temp_store": "MEMORY",
        "cache_size": -CACHE_KIB,
        "trusted_schema": "OFF",
        "cell_size_check": "ON",
        "query_only": "ON" if read_only else "OFF",
    }
    return ["PRAGMA {}={}".format(*pair) for pair in settings.items()]


def create_file(path: Path) -> None:
    """Create an empty owner-only database file; an existing one stays. Raises StorageFailed when the disk refuses."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, OWNER_FILE))
        sync_folder(path.parent)
    except OSError as error:
        raise storage_failure(path, error) from error


def begin_write(raw: Any, path: Path, timeout: float) -> None:
    """Begin a writing transaction on the driver connection `raw`, in turn, within `timeout` seconds.

    Raises the driver's SQLITE_BUSY beyond it.
    """
    deadline = time.monotonic() + timeout
    with _turn(path.with_name(path.name + "-turn"), deadline):
        raw.execute("PRAGMA busy_timeout=0")  # the loop below asks more often than SQLite's own would
        try:
            patiently(lambda: raw.execute("BEGIN IMMEDIATE"), deadline - time.monotonic())
        finally:
            raw.execute(f"PRAGMA busy_timeout={int(timeout * 1000):d}")


@contextlib.contextmanager
def _turn(path: Path, deadline: float) -> Iterator[None]:
    """Hold the turnstile; past the deadline go on without it, so that the database itself says it is busy."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, OWNER_FILE)
    except OSError as error:
        raise storage_failure(path, error) from error
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    break
                _pause()
        yield
    finally:
        os.close(handle)


def patiently(action: Callable[[], object], timeout: float) -> None:
    """Do `action`, again while the database is busy, at short uneven intervals, for up to `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            action()
            return
        except Exception as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF != _BUSY or time.monotonic() >= deadline:
                raise
        _pause()


def _pause() -> None:
    time.sleep(random.uniform(0.0005, 0.003))  # noqa: S311 - not a secret; unevenness keeps waiters from marching in step
