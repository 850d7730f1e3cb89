"""Database revisions: one SELECT to know where a database stands; Alembic is imported only to move or compare it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DatabaseError

from crmctl.errors import DatabaseMissing
from crmctl.i18n import _
from crmctl.locate import shipped
from crmctl.store import sqlite
from crmctl.store.engine import read, write
from crmctl.store.failures import missing

HEAD = "0011"  # the revision this program works with; tested against alembic/versions
_LOCK = 0x63726D63746C  # "crmctl": the advisory lock of an upgrade


def current(engine: Engine) -> str | None:
    """Return the revision of the database, None when it holds no tables of ours. Raises DatabaseMissing without one."""
    try:
        with read(engine) as connection:
            found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
            return None if found is None else str(found)
    except DatabaseError as error:
        if not _no_such_table(error.orig):
            raise
        return None


def _no_such_table(cause: BaseException | None) -> bool:
    return getattr(cause, "sqlstate", "") == "42P01" or getattr(cause, "sqlite_errorcode", 0) == 1


def require_head(engine: Engine) -> None:
    """Raise DatabaseMissing (10) unless the database is at the revision this program works with; say what to do."""
    found = current(engine)
    if found == HEAD:
        return
    name = _name(engine)
    if found is None:
        raise DatabaseMissing(
            _("{database}: holds no tables of crmctl yet").format(database=name),
            hint=_("run `crmctl db upgrade`"),
            code="DATABASE_EMPTY",
        )
    if found < HEAD:
        raise DatabaseMissing(
            _("{database}: at revision {found}, this program needs {head}").format(
                database=name, found=found, head=HEAD
            ),
            hint=_("make a backup, then run `crmctl db upgrade`"),
            code="DATABASE_OLDER",
        )
    raise DatabaseMissing(
        _("{database}: at revision {found}, newer than this program's {head}").format(
            database=name, found=found, head=HEAD
        ),
        hint=_("install a newer crmctl"),
        code="DATABASE_NEWER",
    )


def _name(engine: Engine) -> str:
    if engine.dialect.name == "sqlite":
        return str(engine.url.database)
    return engine.url.render_as_string(hide_password=True)


@contextlib.contextmanager
def locked(engine: Engine) -> Iterator[Connection]:
    """Yield a connection in one transaction that nobody else can migrate in; make the SQLite file when it is missing.

    Raises DatabaseMissing when its folder is missing.
    """
    if engine.dialect.name == "sqlite":
        path = Path(str(engine.url.database))
        if not path.parent.is_dir():
            raise missing(str(path))
        sqlite.create_file(path)
    with write(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        yield connection


def upgrade(engine: Engine) -> None:
    """Bring the database to HEAD in one transaction; nothing to do when it is there.

    Killed, it leaves the former state. Two at once: the second waits (up to the engine's timeout), then finds nothing
    to do. Raises DatabaseMissing when the database is newer than this program.
    """
    if _at_head(engine):
        return
    with locked(engine) as connection:
        _run_alembic(connection)
    require_head(engine)


def _at_head(engine: Engine) -> bool:
    try:
        return current(engine) == HEAD
    except DatabaseMissing:
        return False  # not even a file: it is made


def _run_alembic(connection: Connection) -> None:
    from alembic import command
    from alembic.util import CommandError

    try:
        command.upgrade(_config(connection), HEAD)
    except CommandError:
        # The one thing Alembic refuses here: a revision it does not know. `require_head` says so better.
        if _revision_known(connection):
            raise


def _revision_known(connection: Connection) -> bool:
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return found is None or found <= HEAD


def _config(connection: Connection) -> Any:
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(shipped("alembic")).replace("%", "%%"))
    return config


def check(engine: Engine) -> list[str]:
    """Return how the tables differ from those this program expects, one line each; empty when they do not."""
    from crmctl.store import drift

    with read(engine) as connection:
        return drift.differences(connection)
