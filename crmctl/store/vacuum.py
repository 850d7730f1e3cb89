"""VACUUM: the room that rows left behind is given back, on a server to its own tables (security.md 2(g)).

Maintenance, apart from every purge: on SQLite it writes the whole file anew, and nobody else writes meanwhile.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from sqlalchemy import Engine, text

from crmctl.errors import StorageFailed
from crmctl.i18n import _
from crmctl.store import hygiene, schema
from crmctl.store.engine import read
from crmctl.store.failures import translated


def size(engine: Engine) -> int:
    """Return how many bytes the database takes: its files on SQLite, the program's tables with indexes on a server."""
    if engine.dialect.name == "sqlite":
        return sum(path.stat().st_size for path in _files(engine) if path.exists())
    query = text("SELECT sum(pg_total_relation_size(to_regclass(name))) FROM unnest(CAST(:names AS text[])) AS name")
    with read(engine) as conn:
        names = [str(table.name) for table in schema.load_all().sorted_tables]
        return int(conn.execute(query, {"names": names}).scalar_one() or 0)


def vacuum(engine: Engine, timeout: float) -> bool:
    """Rebuild a SQLite database; let a server reuse what rows left, and look at its tables anew.

    Returns False while somebody still reads what was before, so that SQLite's log is not cut back yet. Raises
    Locked while others keep it busy. Ask `require_room` first.
    """
    if engine.dialect.name == "sqlite":
        _rebuild(engine, timeout)
        return hygiene.settle(engine)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn, translated(engine.url, timeout):
        for table in schema.load_all().sorted_tables:
            conn.exec_driver_sql(f"VACUUM (ANALYZE) {table.name}")
    return True


def _rebuild(engine: Engine, timeout: float) -> None:
    """Write the file anew; what SQLite keeps beside it meanwhile lies in the same folder, unnamed from the start."""
    path = _files(engine)[0]
    raw = engine.raw_connection()
    before = os.environ.get("SQLITE_TMPDIR")
    os.environ["SQLITE_TMPDIR"] = str(path.parent)
    try:
        with translated(path, timeout):
            connection = raw.driver_connection
            assert connection is not None
            connection.execute("PRAGMA temp_store = FILE")  # in memory it would be the whole database
            connection.execute("VACUUM")
            connection.execute("PRAGMA temp_store = MEMORY")
    finally:
        if before is None:
            del os.environ["SQLITE_TMPDIR"]
        else:
            os.environ["SQLITE_TMPDIR"] = before
        raw.close()


def require_room(engine: Engine) -> None:
    """Raise StorageFailed where a second copy of a SQLite database has no room; of a server's disk nothing is known."""
    if engine.dialect.name != "sqlite":
        return
    path = _files(engine)[0]
    needed, free = 2 * path.stat().st_size, shutil.disk_usage(path.parent).free
    if free < needed:
        raise StorageFailed(
            _("{path}: {free} MB are free, rebuilding it takes {needed} MB").format(
                path=path, free=free >> 20, needed=(needed >> 20) + 1
            ),
            hint=_("make room on that disk, then run it again; nothing was changed"),
            code="DISK_FULL",
        )


def _files(engine: Engine) -> tuple[Path, ...]:
    database = Path(str(engine.url.database))
    return database, *(database.with_name(database.name + suffix) for suffix in ("-wal", "-journal"))
