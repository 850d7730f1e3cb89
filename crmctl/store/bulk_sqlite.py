"""Bulk work on SQLite: statements built once by SQLAlchemy, run by the driver's own executemany."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Table, and_, bindparam, delete, func, null, or_, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Connection
from sqlalchemy.sql import Delete, Insert, Select, Update

Row = tuple[Any, ...]

# Measured at two million random keys: batches of 100 to 30,000, a temporary table and json_each all take about 5 µs a
# key, the time to reach the pages; sorting helps, single look-ups cost double. A few sizes let prepared text be reused.
_BATCHES = (8, 64, 500)
_PAIR_BATCHES = (4, 200)


class _Prepared(NamedTuple):
    text: str
    arrange: Callable[[Row], Row] | None  # from the caller's order of values to the statement's


_dialect = sqlite.dialect(paramstyle="qmark")


def insert_rows(conn: Connection, table: Table, columns: tuple[str, ...], rows: Iterable[Row]) -> int:
    """See `bulk.insert_rows`."""
    return _run(conn, _insertion(table, columns), rows)


def update_rows(
    conn: Connection, table: Table, key_columns: tuple[str, ...], columns: tuple[str, ...], rows: Iterable[Row]
) -> int:
    """See `bulk.update_rows`."""
    return _run(conn, _change(table, key_columns, columns), rows)


def delete_rows(conn: Connection, table: Table, key_columns: tuple[str, ...], rows: Iterable[Row]) -> int:
    """See `bulk.delete_rows`."""
    return _run(conn, _removal(table, key_columns), rows)


def replace_rows(conn: Connection, table: Table, columns: tuple[str, ...], rows: Iterable[Row]) -> int:
    """See `bulk.replace_rows`."""
    return _run(conn, _replacement(table, columns), rows)


def fetch_by_keys(
    conn: Connection,
    table: Table,
    key_column: str,
    keys: Collection[Any],
    columns: tuple[str, ...],
    extra: Mapping[str, tuple[Any, ...]],
    _locked: bool,  # whoever writes here is alone
) -> list[Row]:
    """See `bulk.fetch_by_keys`."""
    execute = conn.connection.driver_connection.execute  # type: ignore[union-attr]
    widths = tuple((name, len(values)) for name, values in extra.items())
    narrowed = [value for values in extra.values() for value in values]
    found: list[Row] = []
    for batch in _batches(sorted(set(keys)), _BATCHES):
        prepared = _selection(table, key_column, len(batch), columns, widths)
        found += execute(prepared.text, [*batch, *narrowed]).fetchall()
    return found


def count_by_keys(conn: Connection, tables: Sequence[Table], key_column: str, keys: Collection[Any]) -> int:
    """See `bulk.count_by_keys`."""
    execute = conn.connection.driver_connection.execute  # type: ignore[union-attr]
    batches = list(_batches(sorted(set(keys)), _BATCHES))
    each = ((table, batch) for table in tables for batch in batches)
    return sum(execute(_count(table, key_column, len(batch)).text, batch).fetchone()[0] for table, batch in each)


def with_keys(conn: Connection, tables: Sequence[Table], key_column: str, keys: Collection[Any]) -> list[Table]:
    """See `bulk.with_keys`."""
    del conn, key_column, keys
    return list(tables)


def remove_rows(
    conn: Connection, table: Table, key_column: str, keys: Collection[Any], columns: tuple[str, ...]
) -> list[Row]:
    """See `bulk.remove_rows`. Read, then deleted: RETURNING takes a third longer, and whoever writes here is alone."""
    execute = conn.connection.driver_connection.execute  # type: ignore[union-attr]
    found: list[Row] = []
    for batch in _batches(sorted(set(keys)), _BATCHES):
        rows = execute(_selection(table, key_column, len(batch), columns, ()).text, batch).fetchall()
        if rows:
            execute(_removing(table, key_column, len(batch)).text, batch)
            found += rows
    return found


def empty_rows(
    conn: Connection,
    table: Table,
    key_column: str,
    keys: Collection[Any],
    emptied: tuple[str, ...],
    columns: tuple[str, ...],
) -> list[Row]:
    """See `bulk.empty_rows`."""
    execute = conn.connection.driver_connection.execute  # type: ignore[union-attr]
    found: list[Row] = []
    for batch in _batches(sorted(set(keys)), _BATCHES):
        found += execute(_emptying(table, key_column, len(batch), emptied, columns).text, batch).fetchall()
    return found


def fetch_range(
    conn: Connection, table: Table, key_column: str, first: int, last: int, columns: tuple[str, ...], _locked: bool
) -> list[Row]:
    """See `bulk.fetch_range`."""
    execute = conn.connection.driver_connection.execute  # type: ignore[union-attr]
    found: list[Row] = execute(_span(table, key_column, columns).text, (first, last)).fetchall()
    return found


def fetch_pairs(
    conn: Connection, table: Table, key_columns: tuple[str, ...], pairs: Collection[Row], columns: tuple[str, ...]
) -> list[Row]:
    """See `bulk.fetch_pairs`."""
    execute = conn.connection.driver_connection.execute  # type: ignore[union-attr]
    found: list[Row] = []
    for batch in _batches(sorted(set(pairs)), _PAIR_BATCHES):
        prepared = _pair_selection(table, key_columns, len(batch), columns)
        found += execute(prepared.text, [value for pair in batch for value in pair]).fetchall()
    return found


def _run(conn: Connection, prepared: _Prepared, rows: Iterable[Row]) -> int:
    if prepared.arrange is not None:
        rows = map(prepared.arrange, rows)
    cursor = conn.connection.driver_connection.executemany(prepared.text, rows)  # type: ignore[union-attr]
    return max(int(cursor.rowcount), 0)  # -1 when there were no rows


def _batches(keys: Sequence[Any], sizes: tuple[int, ...]) -> Iterator[Sequence[Any]]:
    """Yield `keys` in batches of a few fixed sizes; the last is filled by repeating its last key."""
    for start in range(0, len(keys), sizes[-1]):
        batch = keys[start : start + sizes[-1]]
        size = next(size for size in sizes if len(batch) <= size)
        yield [*batch, *[batch[-1]] * (size - len(batch))]


def _prepare(statement: Insert | Update | Delete | Select[Any], given: Sequence[str]) -> _Prepared:
    """Compile `statement`, whose parameters are named `given` in the caller's order."""
    compiled = statement.compile(dialect=_dialect)
    wanted = list(compiled.positiontup or ())
    if wanted == list(given):
        return _Prepared(str(compiled), None)
    places = [given.index(name) for name in wanted]
    if len(places) == 1:
        return _Prepared(str(compiled), lambda row: (row[places[0]],))
    return _Prepared(str(compiled), itemgetter(*places))


@lru_cache(maxsize=256)
def _insertion(table: Table, columns: tuple[str, ...]) -> _Prepared:
    return _prepare(table.insert().values({name: bindparam(name) for name in columns}), columns)


@lru_cache(maxsize=64)
def _replacement(table: Table, columns: tuple[str, ...]) -> _Prepared:
    insertion = sqlite.insert(table).values({name: bindparam(name) for name in columns})
    keys = [column.name for column in table.primary_key]
    others = {name: insertion.excluded[name] for name in columns if name not in keys}
    return _prepare(insertion.on_conflict_do_update(index_elements=keys, set_=others), columns)


@lru_cache(maxsize=64)
def _change(table: Table, key_columns: tuple[str, ...], columns: tuple[str, ...]) -> _Prepared:
    keys = [f"key_{name}" for name in key_columns]
    values = [f"new_{name}" for name in columns]
    statement = (
        update(table)
        .where(*(table.c[name] == bindparam(key) for name, key in zip(key_columns, keys, strict=True)))
        .values({name: bindparam(value) for name, value in zip(columns, values, strict=True)})
    )
    return _prepare(statement, [*keys, *values])


@lru_cache(maxsize=64)
def _removal(table: Table, key_columns: tuple[str, ...]) -> _Prepared:
    keys = [f"key_{name}" for name in key_columns]
    statement = delete(table).where(
        *(table.c[name] == bindparam(key) for name, key in zip(key_columns, keys, strict=True))
    )
    return _prepare(statement, keys)


@lru_cache(maxsize=256)
def _selection(
    table: Table, key_column: str, size: int, columns: tuple[str, ...], extra: tuple[tuple[str, int], ...]
) -> _Prepared:
    given = [f"key_{number}" for number in range(size)]
    conditions = [table.c[key_column].in_([bindparam(name) for name in given])]
    for column, width in extra:
        names = [f"{column}_{number}" for number in range(width)]
        conditions.append(table.c[column].in_([bindparam(name) for name in names]))
        given += names
    return _prepare(select(*(table.c[name] for name in columns)).where(*conditions), given)


@lru_cache(maxsize=64)
def _count(table: Table, key_column: str, size: int) -> _Prepared:
    given = [f"key_{number}" for number in range(size)]
    condition = table.c[key_column].in_([bindparam(name) for name in given])
    return _prepare(select(func.count()).select_from(table).where(condition), given)


@lru_cache(maxsize=64)
def _removing(table: Table, key_column: str, size: int) -> _Prepared:
    given = [f"key_{number}" for number in range(size)]
    return _prepare(delete(table).where(table.c[key_column].in_([bindparam(name) for name in given])), given)


@lru_cache(maxsize=64)
def _emptying(
    table: Table, key_column: str, size: int, emptied: tuple[str, ...], columns: tuple[str, ...]
) -> _Prepared:
    given = [f"key_{number}" for number in range(size)]
    condition = table.c[key_column].in_([bindparam(name) for name in given])
    statement = update(table).where(condition).values(dict.fromkeys(emptied, null()))
    return _prepare(statement.returning(*(table.c[name] for name in columns)), given)


@lru_cache(maxsize=64)
def _span(table: Table, key_column: str, columns: tuple[str, ...]) -> _Prepared:
    inside = table.c[key_column].between(bindparam("first"), bindparam("last"))
    return _prepare(select(*(table.c[name] for name in columns)).where(inside), ("first", "last"))


@lru_cache(maxsize=64)
def _pair_selection(table: Table, key_columns: tuple[str, ...], size: int, columns: tuple[str, ...]) -> _Prepared:
    names = [[f"{column}_{number}" for column in key_columns] for number in range(size)]
    alternatives = [
        and_(*(table.c[column] == bindparam(name) for column, name in zip(key_columns, group, strict=True)))
        for group in names
    ]
    statement = select(*(table.c[name] for name in columns)).where(or_(*alternatives))
    return _prepare(statement, [name for group in names for name in group])
