"""A consistent copy of a SQLite database, made while others go on working, without the rows of some tables.

One read transaction sees one moment; what others write meanwhile goes to the log beside the file. Tables are copied as
VACUUM copies them, page by page without looking into rows, because both sides have the same schema.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from crmctl.errors import Locked
from crmctl.i18n import _
from crmctl.store import sqlite
from crmctl.store.failures import SQLITE_FULL, translate, translated

_ATTEMPTS = 5
_SCHEMA = (
    "SELECT type, name, sql FROM main.sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
)


def copy(source: Path, target: Path, empty: Collection[str], timeout: float) -> None:
    """Copy `source` into the new owner-only file `target`; the tables in `empty` stay without rows.

    `timeout` in seconds for a busy database. Raises StorageFailed, Locked, IntegrityFailed as the store does; `target`
    is then to be thrown away.
    """
    with translated(source, timeout):
        for _attempt in range(_ATTEMPTS):
            target.unlink(missing_ok=True)
            with _connected(sqlite.connector(source, timeout, False)()) as raw:
                schema = raw.execute(_SCHEMA).fetchall()
                with translated(target, timeout):
                    _prepare(target, schema)
                if _filled(raw, target, schema, empty):
                    return
    raise Locked(  # somebody upgrades it over and over
        _("{path}: its tables change all the time").format(path=source),
        hint=_("run it again when nobody upgrades the database"),
        code="DATABASE_BUSY",
    )


def _prepare(target: Path, schema: list[Any]) -> None:
    """Make the file with its tables and indexes; what fires on insertion comes when the rows are in."""
    sqlite.create_file(target)
    with _connected(sqlite.driver().connect(str(target), isolation_level=None)) as raw:
        raw.execute(f"PRAGMA page_size={sqlite.PAGE_SIZE:d}")
        _make(raw, schema, ("table", "index"))


def _make(raw: Any, schema: list[Any], kinds: tuple[str, ...]) -> None:
    for wanted in kinds:
        for kind, _name, statement in schema:
            if kind == wanted:
                raw.execute(statement)


def _filled(raw: Any, target: Path, schema: list[Any], empty: Collection[str]) -> bool:
    """Copy the rows as of one moment; False where the schema is not the one that was prepared any more."""
    raw.execute("PRAGMA foreign_keys=OFF")  # nothing is checked that was checked when it was written
    raw.execute("ATTACH ? AS copy", (str(target),))
    raw.execute("PRAGMA copy.journal_mode=OFF")
    raw.execute("PRAGMA copy.synchronous=OFF")
    raw.execute("BEGIN")
    if raw.execute(_SCHEMA).fetchall() != schema:
        raw.execute("ROLLBACK")
        return False
    for kind, name, _statement in schema:
        if kind == "table" and name not in empty:
            quoted = '"{}"'.format(name.replace('"', '""'))
            with _full_is(target):
                raw.execute(f"INSERT INTO copy.{quoted} SELECT * FROM main.{quoted}")  # noqa: S608 - its own names
    raw.execute("COMMIT")
    raw.execute("DETACH copy")
    with _connected(sqlite.driver().connect(str(target), isolation_level=None)) as copied:
        _make(copied, schema, ("view", "trigger"))
    return True


@contextlib.contextmanager
def _full_is(target: Path) -> Iterator[None]:
    """Say that it was the copy which had no room: SQLite does not say which of two files it was."""
    try:
        yield
    except sqlite.driver().Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF != SQLITE_FULL:
            raise
        raise translate(error, target, 0) or error from None


@contextlib.contextmanager
def _connected(raw: Any) -> Iterator[Any]:
    try:
        yield raw
    finally:
        raw.close()


def damage(path: Path) -> list[str]:
    """Return what SQLite finds wrong with a file, the first lines; empty when it is sound."""
    try:
        with _connected(sqlite.driver().connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)) as raw:
            found = [str(row[0]) for row in raw.execute("PRAGMA integrity_check(20)").fetchall()]
            found += [_("rows that point nowhere") for _row in raw.execute("PRAGMA foreign_key_check").fetchmany(1)]
    except sqlite.driver().DatabaseError as error:
        return [type(error).__name__]
    return [line for line in found if line != "ok"]
