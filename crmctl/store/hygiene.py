"""What databases keep of rows that are gone, and how to be rid of it (security.md 2(g))."""

from __future__ import annotations

from sqlalchemy import Engine

from crmctl.store.engine import read


def settle(engine: Engine) -> bool:
    """Bring SQLite's write-ahead log into the database and cut it to nothing, so that no page of before is left in it.

    Freed pages are zeros already (`secure_delete`). Returns False while somebody still reads an older picture; the next
    one does it. On PostgreSQL there is nothing to do here: sealed columns hold random bytes, rows go with VACUUM.
    """
    if engine.dialect.name != "sqlite":
        return True
    raw = engine.raw_connection()
    try:
        busy, _pages, _moved = raw.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()  # type: ignore[union-attr]
        return not busy
    finally:
        raw.close()


def kept_by_server(engine: Engine) -> dict[str, str]:
    """Return what a PostgreSQL server keeps of its past, for the record: settings of WAL and archive, oldest segment.

    Empty for SQLite. A server that does not tell its segments to this role says so by leaving them out.
    """
    if engine.dialect.name == "sqlite":
        return {}
    from sqlalchemy import text
    from sqlalchemy.exc import DBAPIError

    asked = ("archive_mode", "wal_level", "wal_keep_size", "max_wal_size")
    with read(engine) as conn:
        setting = text("SELECT current_setting(:name)")
        found = {name: str(conn.execute(setting, {"name": name}).scalar_one()) for name in asked}
        try:
            with conn.begin_nested():
                query = text("SELECT min(modification)::timestamptz(0)::text, count(*)::text FROM pg_ls_waldir()")
                oldest, number = conn.execute(query).one()
        except DBAPIError:  # only superusers and pg_monitor may look
            return found
    return {**found, "oldest_wal": oldest, "wal_segments": number}
