"""Read a million rows in flat memory, as the driver gives them: int, str, bytes, None; the same on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

from sqlalchemy import ColumnElement, Connection, LargeBinary, Select, cast, func

BATCH = 2048  # a power of two: the tree takes whole blocks
_names = count(1)
Row = tuple[Any, ...]


def batches(conn: Connection, statement: Select[Any], size: int = BATCH) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the rows of `statement` in lists of up to `size`, within the connection's transaction.

    Past SQLAlchemy's rows, which cost as much as hashing what is in them: the driver's own cursor on SQLite, a binary
    server-side cursor on PostgreSQL. Several may be read at once. Types are those of the database: select times
    through `objects.primitive`. Text that is not UTF-8 (SQLite takes any) comes with surrogates, equal to no hash.
    """
    text = str(statement.compile(dialect=conn.dialect, compile_kwargs={"literal_binds": True}))
    raw: Any = conn.connection.driver_connection
    if conn.dialect.name == "postgresql":
        cursor = raw.cursor(f"audit_{next(_names)}", binary=True)
        yield from _fetched(cursor, text.replace("%%", "%"), size)  # doubled for a call with parameters; there are none
        return
    done = 0
    try:
        for batch in _fetched(raw.cursor(), text, size):
            done += len(batch)
            yield batch
    except Exception as error:
        if "decode to UTF-8" not in str(error):
            raise
        raw.text_factory, factory = _lenient, raw.text_factory
        try:
            for batch in _fetched(raw.cursor(), text, size):
                if fresh := batch[done:]:
                    yield fresh
                done = max(done - len(batch), 0)
        finally:
            raw.text_factory = factory


def _fetched(cursor: Any, text: str, size: int) -> Iterator[list[tuple[Any, ...]]]:  # noqa: ANN401 - either driver's
    try:
        cursor.execute(text)
        while rows := cursor.fetchmany(size):
            yield rows
    finally:
        cursor.close()


def _lenient(data: bytes) -> str:
    return data.decode(errors="surrogateescape")


def rows(conn: Connection, statement: Select[Any], size: int = BATCH) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of `statement` one by one; see `batches`."""
    for batch in batches(conn, statement, size):
        yield from batch


def as_bytes(conn: Connection, column: ColumnElement[str]) -> ColumnElement[bytes]:
    """Return what selects a text column as its bytes."""
    if conn.dialect.name == "postgresql":
        return func.convert_to(column, "UTF8", type_=LargeBinary)
    return cast(column, LargeBinary)
