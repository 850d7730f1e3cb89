"""Read a million rows in flat memory, as the driver gives them: int, str, bytes, None; the same on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

from sqlalchemy import Connection, Select

BATCH = 2048  # a power of two: the tree takes whole blocks
_names = count(1)


def batches(conn: Connection, statement: Select[Any], size: int = BATCH) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the rows of `statement` in lists of up to `size`, within the connection's transaction.

    Past SQLAlchemy's rows, which cost as much as hashing what is in them: the driver's own cursor on SQLite, a binary
    server-side cursor on PostgreSQL. Several may be read at once. Types are those of the database: select times
    through `objects.primitive`.
    """
    text = str(statement.compile(dialect=conn.dialect, compile_kwargs={"literal_binds": True}))
    raw: Any = conn.connection.driver_connection
    if conn.dialect.name == "postgresql":
        cursor = raw.cursor(f"audit_{next(_names)}", binary=True)
        text = text.replace("%%", "%")  # doubled for a call with parameters; there are none
    else:
        cursor = raw.cursor()
    try:
        cursor.execute(text)
        while rows := cursor.fetchmany(size):
            yield rows
    finally:
        cursor.close()


def rows(conn: Connection, statement: Select[Any], size: int = BATCH) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of `statement` one by one; see `batches`."""
    for batch in batches(conn, statement, size):
        yield from batch
