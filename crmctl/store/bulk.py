"""Many rows at once, as fast as each database can: driver `executemany` on SQLite, binary COPY on PostgreSQL.

Rows are plain tuples of the canonical primitives, the same on both databases: int, str, bytes, None; times as
`clock.stamp` text, dates as text. Reads come back in the same primitives. Everything happens inside the transaction of
the connection given (`store.engine.write`); nothing here commits.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Table, func, literal, select
from sqlalchemy.engine import Connection

Row = tuple[Any, ...]


def _engine_of(conn: Connection) -> ModuleType:
    if conn.dialect.name == "postgresql":
        from crmctl.store import bulk_postgresql

        return bulk_postgresql
    from crmctl.store import bulk_sqlite

    return bulk_sqlite


def insert_rows(conn: Connection, table: Table, columns: Sequence[str], rows: Iterable[Row]) -> int:
    """Insert `rows`, whose values stand in the order of `columns`; return how many. `rows` may be a generator."""
    return int(_engine_of(conn).insert_rows(conn, table, tuple(columns), rows))


def update_rows(
    conn: Connection, table: Table, key_columns: Sequence[str], columns: Sequence[str], rows: Iterable[Row]
) -> int:
    """Set `columns` of the rows found by `key_columns`; each tuple holds the keys first, then the new values.

    Return how many rows were changed: the caller compares it with how many it meant. Keys must not repeat.
    """
    return int(_engine_of(conn).update_rows(conn, table, tuple(key_columns), tuple(columns), rows))


def delete_rows(conn: Connection, table: Table, key_columns: Sequence[str], rows: Iterable[Row]) -> int:
    """Delete the rows found by `key_columns`; each tuple holds the keys. Return how many were deleted."""
    return int(_engine_of(conn).delete_rows(conn, table, tuple(key_columns), rows))


def remove_rows(
    conn: Connection, table: Table, key_column: str, keys: Collection[Any], columns: Sequence[str]
) -> list[Row]:
    """Delete the rows whose `key_column` is one of `keys`; return `columns` of them as they were, in no order."""
    if not keys:
        return []
    rows: list[Row] = _engine_of(conn).remove_rows(conn, table, key_column, keys, tuple(columns))
    return rows


def empty_rows(
    conn: Connection,
    table: Table,
    key_column: str,
    keys: Collection[Any],
    emptied: Sequence[str],
    columns: Sequence[str],
) -> list[Row]:
    """Set `emptied` to NULL in the rows whose `key_column` is one of `keys`; return `columns` of them, in no order."""
    if not keys:
        return []
    rows: list[Row] = _engine_of(conn).empty_rows(conn, table, key_column, keys, tuple(emptied), tuple(columns))
    return rows


def replace_rows(conn: Connection, table: Table, columns: Sequence[str], rows: Iterable[Row]) -> int:
    """Insert `rows`; where the primary key is taken, set the other `columns` instead. Return how many.

    `columns` must hold the primary key; keys must not repeat within `rows`.
    """
    return int(_engine_of(conn).replace_rows(conn, table, tuple(columns), rows))


def fetch_by_keys(
    conn: Connection,
    table: Table,
    key_column: str,
    keys: Collection[Any],
    columns: Sequence[str],
    *,
    extra: Mapping[str, Collection[Any]] | None = None,
    locked: bool = False,
) -> list[Row]:
    """Return `columns` of the rows whose `key_column` is one of `keys`, in no order.

    `extra` narrows by further columns, each to one of a few values: `extra={"epoch": (1, 2)}`. `locked` rows are as
    whoever wrote them last left them, and nobody else writes them until the transaction ends (a writing transaction of
    SQLite is alone anyway). One statement on PostgreSQL, sorted batches on SQLite; tens of thousands of keys are fine.
    """
    if not keys:
        return []
    narrowed = {name: tuple(values) for name, values in (extra or {}).items()}
    rows: list[Row] = _engine_of(conn).fetch_by_keys(conn, table, key_column, keys, tuple(columns), narrowed, locked)
    return rows


def count_by_keys(conn: Connection, tables: Sequence[Table], key_column: str, keys: Collection[Any]) -> int:
    """Return how many rows of several tables have one of `keys` as their `key_column`."""
    return int(_engine_of(conn).count_by_keys(conn, tables, key_column, keys)) if keys else 0


def with_keys(conn: Connection, tables: Sequence[Table], key_column: str, keys: Collection[Any]) -> list[Table]:
    """Return those of the tables that have rows with one of `keys`, in their order; a server is asked once for all.

    In a file, where asking is as much work as doing, all of them.
    """
    found: list[Table] = _engine_of(conn).with_keys(conn, tables, key_column, keys) if keys else []
    return found


def among(conn: Connection, column: ColumnElement[Any], numbers: Collection[int]) -> ColumnElement[bool]:
    """Return the condition that a column is one of `numbers`: one parameter, however many there are."""
    if conn.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import ARRAY

        return column == func.any(literal(list(numbers), ARRAY(BigInteger)))
    each = func.json_each(json.dumps(list(numbers))).table_valued("value")
    return column.in_(select(each.c.value))


def fetch_range(
    conn: Connection,
    table: Table,
    key_column: str,
    first: int,
    last: int,
    columns: Sequence[str],
    *,
    locked: bool = False,
) -> list[Row]:
    """Return `columns` of the rows whose `key_column` is a number from `first` to `last`; see `fetch_by_keys`."""
    rows: list[Row] = _engine_of(conn).fetch_range(conn, table, key_column, first, last, tuple(columns), locked)
    return rows


def fetch_pairs(
    conn: Connection, table: Table, key_columns: Sequence[str], pairs: Collection[Row], columns: Sequence[str]
) -> list[Row]:
    """Return `columns` of the rows whose `key_columns` equal one of the tuples `pairs`, in no order."""
    if not pairs:
        return []
    rows: list[Row] = _engine_of(conn).fetch_pairs(conn, table, tuple(key_columns), pairs, tuple(columns))
    return rows
