"""What a driver's error means to people: busy, full, lost, damaged, missing. One translation for both databases.

Told apart by the codes the drivers carry (SQLite result codes, PostgreSQL SQLSTATE), by the text, which may be in
another language or hold values, only where there is none.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmctl.errors import (
    CrmctlError,
    DatabaseMissing,
    IntegrityFailed,
    Interrupted,
    Locked,
    PermissionMissing,
    StorageFailed,
)
from crmctl.i18n import N_, _

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

SQLITE_BUSY, SQLITE_LOCKED, SQLITE_READONLY, SQLITE_IOERR, SQLITE_CORRUPT = 5, 6, 8, 10, 11
SQLITE_FULL, SQLITE_CANTOPEN, SQLITE_PROTOCOL, SQLITE_CONSTRAINT = 13, 14, 15, 19
SQLITE_MISMATCH, SQLITE_NOTADB = 20, 26

_SQLITE_STORAGE = {
    SQLITE_FULL: N_("no space left"),
    SQLITE_IOERR: N_("input/output error"),
    SQLITE_READONLY: N_("not writable"),
    SQLITE_CANTOPEN: N_("cannot be opened"),
}
# What the driver itself says of text it cannot read: no result code of SQLite's, so the words have to do.
_NOT_UTF8 = "Could not decode to UTF-8"
# By SQLSTATE, else by its class (the first two characters); PostgreSQL manual, appendix A.
_POSTGRES_BUSY = {"55P03", "40001", "40P01", "53300"}
_POSTGRES_STORAGE = {
    "53100": N_("no space left"),
    "53": N_("out of resources"),
    "58": N_("input/output error"),
    "08": N_("connection lost"),
    "57": N_("connection lost"),
    "25006": N_("not writable"),
}

# What the server itself answered to an attempt to connect, behind its severity, and whether it said more about it.
_ANSWER = re.compile(r"failed: [^\s:]+:  (?P<words>[^\n]*)(?P<more>\n[^\s:-]+:  )?")
_NO_DATABASE = re.compile(r'database "[^"]*" does not exist')


class RowRefused(Exception):
    """The database refused a row: a constraint, or a value its column cannot hold. Names the rule, never the value.

    Not an expected failure: the program should have known. Whoever may meet it on purpose catches it.
    """


@contextlib.contextmanager
def translated(place: URL | Path, timeout: float) -> Iterator[None]:
    """Turn the drivers' errors raised inside into the program's own; others pass. `place`: a URL, or SQLite's file.

    Raises Locked 11, StorageFailed 74, IntegrityFailed 13, DatabaseMissing 10, PermissionMissing 6, RowRefused.
    """
    try:
        yield
    except CrmctlError:
        raise
    except Exception as error:
        interrupt = interrupt_behind(error)
        if interrupt is not None:
            raise interrupt from None
        failure = translate(error, place, timeout)
        if failure is None:
            raise
        raise failure from None


def interrupt_behind(error: BaseException) -> Interrupted | None:
    """Return the signal that a driver was interrupted by, when all it says is that its connection is now unusable."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, Interrupted):
            return cause
        cause = cause.__context__
    return None


def translate(error: Exception, place: URL | Path, timeout: float) -> Exception | None:
    """Return what `error` (of SQLAlchemy or of a driver) means, or None when it is nothing of a database's making."""
    cause: Any = getattr(error, "orig", None) or error
    code = getattr(cause, "sqlite_errorcode", None)
    if code is not None:
        return _of_sqlite(code & 0xFF, cause, _file(place), timeout)
    if str(cause).startswith(_NOT_UTF8) and _is(cause, "OperationalError"):
        return _damaged(_("{database}: holds text that is not UTF-8"), _file(place))
    if type(cause).__module__.split(".")[0] == "psycopg" and not isinstance(place, Path):
        return _of_postgres(cause, place, timeout)
    return None


def _file(place: URL | Path) -> Path:
    return place if isinstance(place, Path) else Path(place.database or "")


def _of_sqlite(code: int, cause: Exception, path: Path, timeout: float) -> Exception | None:
    if code in (SQLITE_BUSY, SQLITE_LOCKED, SQLITE_PROTOCOL):
        return _busy(str(path), timeout)
    if code == SQLITE_CANTOPEN and not path.exists():
        return missing(str(path))
    if code in _SQLITE_STORAGE:
        return _storage(str(path), _(_SQLITE_STORAGE[code]))
    if code in (SQLITE_CORRUPT, SQLITE_NOTADB):
        return _damaged(_("{database}: the file is damaged or no database"), path)
    if code in (SQLITE_CONSTRAINT, SQLITE_MISMATCH):
        return RowRefused(str(cause))  # "UNIQUE constraint failed: table.column": SQLite names no values
    return None


def _of_postgres(cause: Any, url: URL, timeout: float) -> Exception | None:
    name = url.render_as_string(hide_password=True)
    state = cause.sqlstate or ""
    if state in _POSTGRES_BUSY:
        return _busy(name, timeout)
    reason = _POSTGRES_STORAGE.get(state) or _POSTGRES_STORAGE.get(state[:2])
    if reason is not None:
        return _storage(name, _(reason))
    if state[:2] in ("22", "23") or (not state and _is(cause, "DataError")):
        return RowRefused(f"{state or type(cause).__name__} {cause.diag.table_name}.{cause.diag.constraint_name}")
    if state.startswith("XX"):
        return _damaged(_("{database}: the server reports damaged data"), name)
    if state == "42501":
        return PermissionMissing(
            _("{database}: the database role lacks a permission").format(database=name),
            hint=_("ask the database administrator to grant it"),
            code="DATABASE_ROLE",
        )
    if not state and (_is(cause, "OperationalError") or _is(cause, "InterfaceError")):
        return _not_connected(cause, url, name)
    return None


def _not_connected(cause: Any, url: URL, name: str) -> CrmctlError:
    """Return why there is no connection. It carries no SQLSTATE: what the server refused by name has to tell.

    A server may speak any language, so that words are looked at only for what is quoted in them.
    """
    answer = _ANSWER.search(str(cause))
    if getattr(cause.pgconn, "needs_password", False):
        return _refused(name, _("it wants a password"), password=True)
    if answer is None:
        return _unreachable(name)
    words, more = answer["words"], answer["more"]
    if _NO_DATABASE.search(words):
        return missing(name)
    if f'"{_role(cause, url)}"' in words or more:
        return _refused(name, words, password=bool(getattr(cause.pgconn, "used_password", False)))
    if f'"{url.database}"' in words and "not currently accepting" not in words:
        return missing(name)
    return _storage(name, words)


def _role(cause: Any, url: URL) -> str:
    user = getattr(cause.pgconn, "user", b"") or b""
    return url.username or user.decode(errors="replace")


def _refused(name: str, words: str, *, password: bool) -> PermissionMissing:
    return PermissionMissing(
        _("{database}: the server refuses the role: {reason}").format(database=name, reason=words),
        hint=_("correct the password in the file that `database_password_file` of crmctl.yaml names, or in ~/.pgpass")
        if password
        else _("correct the role in the URL in crmctl.yaml, or ask the database administrator to admit it"),
        code="DATABASE_REFUSED",
    )


def _unreachable(name: str) -> StorageFailed:
    return StorageFailed(
        _("{database}: the server cannot be reached or the connection was lost").format(database=name),
        hint=_("check that the server runs and that its URL in crmctl.yaml is right, then run it again"),
        code="DATABASE_LOST",
    )


def _is(cause: object, name: str) -> bool:
    return any(parent.__name__ == name for parent in type(cause).__mro__)


def _busy(name: str, timeout: float) -> Locked:
    return Locked(
        _("{database}: busy for longer than {seconds} s").format(database=name, seconds=f"{timeout:g}"),
        hint=_("another command is writing; run it again later, or wait longer with --lock-timeout"),
        code="DATABASE_BUSY",
    )


def _damaged(message: str, name: object) -> IntegrityFailed:
    return IntegrityFailed(
        message.format(database=name),
        hint=_("restore it from a backup; `crmctl doctor` says more"),
        code="DATABASE_DAMAGED",
    )


def _storage(name: str, reason: str) -> StorageFailed:
    return StorageFailed(
        _("{database}: {reason}").format(database=name, reason=reason),
        hint=_("nothing of this step was kept; correct it, then run the same command again"),
        code="STORAGE_FAILED",
    )


def missing(name: str) -> DatabaseMissing:
    """Return the error that says there is no database of this name."""
    return DatabaseMissing(
        _("{database}: there is no such database").format(database=name),
        hint=_("`crmctl init` makes one; `crmctl config show` says where it is looked for"),
        code="DATABASE_MISSING",
    )
