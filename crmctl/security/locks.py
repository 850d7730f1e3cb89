"""One run at a time: kernel locks beside SQLite, session advisory locks on PostgreSQL. A killed holder frees them.

A lock of the kernel lives in an open file and so would pass to a forked child and outlive its holder there; children
let go of it at once.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import random
import re
import struct
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from crmctl.errors import Locked, StorageFailed
from crmctl.files import OWNER_FILE, make_folder, storage_failure
from crmctl.i18n import _

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

FOLDER = "locks"
_MOST_TEXT = 400
_MOST_SERVER_TEXT = 63  # bytes: NAMEDATALEN of PostgreSQL, less one
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}\Z")
_pair = struct.Struct(">ii").unpack
_descriptors: set[int] = set()


@contextlib.contextmanager
def hold(
    name: str,
    *,
    workspace: Path,
    engine: Engine | None = None,
    holder: str = "",
    timeout: float = 0.0,
    instance: bytes = b"",
    describe: Callable[[], str] | None = None,
) -> Iterator[Held]:
    """Hold the lock `name` inside the block, waiting up to `timeout` seconds for it.

    With a PostgreSQL `engine` the lock is the database's, keyed by `instance` and name, on a connection of its own;
    else it is a file in WORKSPACE/locks. `holder` (person, pid, since) is what others are told, unless `describe` says
    it better. Raises Locked naming the holder.
    """
    if not _NAME.match(name):
        raise ValueError(f"not a lock name: {name!r}")
    if engine is not None and engine.dialect.name == "postgresql":
        taken = _advisory(name, engine, timeout, instance, holder, describe)
    else:
        taken = _file(name, workspace, holder, timeout)
    with taken as held:
        yield held


class Held:
    """A lock that is held; long runs ask `check` between chunks whether they still hold it."""

    def __init__(self, check: Callable[[], bool]) -> None:
        self._check = check

    def check(self) -> None:
        """Raise StorageFailed when the lock was lost: its file replaced, its server connection gone."""
        if not self._check():
            raise StorageFailed(
                _("the lock of this run was lost; nothing more is written"),
                hint=_("check the server and the locks folder, then run the same command again"),
                code="LOCK_LOST",
            )


@contextlib.contextmanager
def _file(name: str, workspace: Path, holder: str, timeout: float) -> Iterator[Held]:
    make_folder(workspace / FOLDER)
    path = workspace / FOLDER / f"{name}.lock"
    descriptor = _open(path)
    _descriptors.add(descriptor)
    try:
        if not _patiently(lambda: _try_file(descriptor), timeout):
            raise _locked(name, os.pread(descriptor, _MOST_TEXT, 0).decode("utf-8", "replace"))
        _write_holder(descriptor, holder)
        try:
            yield Held(lambda: _same_file(descriptor, path))
        finally:
            _write_holder(descriptor, "")
    finally:
        _descriptors.discard(descriptor)
        os.close(descriptor)


def _open(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    try:
        return os.open(path, flags, OWNER_FILE)
    except OSError as error:
        raise storage_failure(path, error) from error


def _try_file(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write_holder(descriptor: int, text: str) -> None:
    """Note who holds the lock. It is a courtesy to whoever waits: a full disk must not stop the run here."""
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text.encode()[:_MOST_TEXT], 0)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            raise


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        named = path.lstat()
    except OSError:
        return False
    mine = os.fstat(descriptor)
    return (named.st_dev, named.st_ino) == (mine.st_dev, mine.st_ino)


@contextlib.contextmanager
def _advisory(
    name: str, engine: Engine, timeout: float, instance: bytes, holder: str, describe: Callable[[], str] | None
) -> Iterator[Held]:
    from crmctl.store.failures import translated

    key = advisory_key(instance, name)
    with contextlib.ExitStack() as stack:
        with translated(engine.url, timeout):
            conn = stack.enter_context(engine.connect()).execution_options(isolation_level="AUTOCOMMIT")
            stack.callback(conn.invalidate)  # closes the connection instead of lending it on with the lock
            descriptor = _socket(conn)
            _descriptors.add(descriptor)
            stack.callback(_descriptors.discard, descriptor)
            if not _patiently(lambda: _try_server(conn, key), timeout):
                raise _locked(name, describe() if describe is not None else _server_holder(conn, key))
            _tell_server(conn, holder)
        yield Held(lambda: _server_answers(conn))


def advisory_key(instance: bytes, name: str) -> tuple[int, int]:
    """Return the two int4 of the PostgreSQL advisory lock `name` of a workspace."""
    first, second = _pair(sha256(b"crmctl/v1/lock" + instance + b"\0" + name.encode()).digest()[:8])
    return first, second


def _socket(conn: Connection) -> int:
    raw = conn.connection.driver_connection
    assert raw is not None
    return int(raw.fileno())


def _try_server(conn: Connection, key: tuple[int, int]) -> bool:
    return bool(conn.exec_driver_sql("SELECT pg_try_advisory_lock(%s, %s)", key).scalar_one())


def _tell_server(conn: Connection, holder: str) -> None:
    """Note on the lock's own connection who holds it; it is gone with the connection, as the lock is."""
    text = holder.encode()[:_MOST_SERVER_TEXT].decode(errors="ignore")
    conn.exec_driver_sql("SELECT set_config('application_name', %s, false)", (text,))


def _server_holder(conn: Connection, key: tuple[int, int]) -> str:
    holder = (
        "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
        " WHERE l.locktype = 'advisory' AND l.granted"
        " AND l.classid = (%s::bigint & 4294967295)::oid AND l.objid = (%s::bigint & 4294967295)::oid"
        " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    return str(conn.exec_driver_sql(holder, key).scalar() or "")


def _server_answers(conn: Connection) -> bool:
    from crmctl.store.failures import interrupt_behind

    try:
        return bool(conn.exec_driver_sql("SELECT 1").scalar_one() == 1)
    except Exception as error:  # whatever the driver says: without an answer the lock is not known to be held
        interrupt = interrupt_behind(error)
        if interrupt is not None:
            raise interrupt from None
        return False


def _patiently(attempt: Callable[[], bool], timeout: float) -> bool:
    """Repeat `attempt` until it succeeds or `timeout` seconds are over, at uneven intervals up to a quarter second."""
    deadline, pause = time.monotonic() + timeout, 0.005
    while not attempt():
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(left, pause * random.uniform(0.5, 1.5)))  # noqa: S311 - not a secret
        pause = min(pause * 2, 0.25)
    return True


def _locked(name: str, holder: str) -> Locked:
    who = "".join(sign if sign.isprintable() else " " for sign in holder).strip()
    return Locked(
        _("{name}: held by {holder}").format(name=name, holder=who or _("another run")),
        hint=_("wait for it to end, or give it longer with --lock-timeout"),
        code="LOCKED",
    )


def _forget_in_child() -> None:
    for descriptor in _descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    _descriptors.clear()


os.register_at_fork(after_in_child=_forget_in_child)
