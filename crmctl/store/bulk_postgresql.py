"""Bulk work on PostgreSQL: binary COPY in, arrays for look-ups, one set-based statement for changes.

Look-ups switch the planner away from whole-table scans for their one statement: digests have no statistics (so that
purged values do not live on in `pg_stats`), and without them the planner would read the table for every chunk.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import count
from typing import Any, LiteralString

from psycopg import Connection as Raw
from psycopg import sql
from sqlalchemy import BigInteger, Integer, LargeBinary, SmallInteger, Table, Text
from sqlalchemy.engine import Connection

from crmctl.clock import parse_stamp, stamp
from crmctl.store.metadata import JsonText, UtcTime

Row = tuple[Any, ...]
_stages = count(1)
_PLANNER = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin")
_INDEXES_ONLY, _AS_IT_WAS = (
    sql.SQL("SELECT {}").format(
        sql.SQL(", ").join(sql.SQL("set_config({}, {}, true)").format(name, value) for name in _PLANNER)
    )
    for value in ("off", "on")
)


def insert_rows(conn: Connection, table: Table, columns: tuple[str, ...], rows: Iterable[Row]) -> int:
    """See `bulk.insert_rows`."""
    if _row_policies(conn, table):  # PostgreSQL takes no COPY into such a table
        statement = sql.SQL("INSERT INTO {table} ({names}) SELECT {names} FROM {stage}")
        return _by_stage(_raw(conn), table, columns, rows, statement, names=_names(columns))
    return _copy(_raw(conn), sql.Identifier(table.name), table, columns, rows)


def update_rows(
    conn: Connection, table: Table, key_columns: tuple[str, ...], columns: tuple[str, ...], rows: Iterable[Row]
) -> int:
    """See `bulk.update_rows`."""
    statement = sql.SQL("UPDATE {table} AS t SET {sets} FROM {stage} AS s WHERE {match}")
    sets = _list(sql.SQL("{0} = s.{0}").format(sql.Identifier(name)) for name in columns)
    return _by_stage(_raw(conn), table, key_columns + columns, rows, statement, match=_match(key_columns), sets=sets)


def delete_rows(conn: Connection, table: Table, key_columns: tuple[str, ...], rows: Iterable[Row]) -> int:
    """See `bulk.delete_rows`."""
    given = list(zip(*rows, strict=True))
    if not given:
        return 0
    listed = [_listed(table, name, column) for name, column in zip(key_columns, given, strict=True)]
    statement = sql.SQL("DELETE FROM {} AS t USING unnest({}) AS s({}) WHERE {}").format(
        sql.Identifier(table.name),
        _list(array for array, _values in listed),
        _names(key_columns),
        _match(key_columns),
    )
    raw = _raw(conn)
    with _by_index(raw):
        return raw.execute(statement, [values for _array, values in listed]).rowcount


def remove_rows(
    conn: Connection, table: Table, key_column: str, keys: Collection[Any], columns: tuple[str, ...]
) -> list[Row]:
    """See `bulk.remove_rows`."""
    array, given = _listed(table, key_column, keys)
    statement = sql.SQL("DELETE FROM {} AS t WHERE t.{} = ANY({}) RETURNING {}").format(
        sql.Identifier(table.name), sql.Identifier(key_column), array, _names(columns)
    )
    return _look_up(_raw(conn), statement, [given], table, columns)


def empty_rows(
    conn: Connection,
    table: Table,
    key_column: str,
    keys: Collection[Any],
    emptied: tuple[str, ...],
    columns: tuple[str, ...],
) -> list[Row]:
    """See `bulk.empty_rows`."""
    array, given = _listed(table, key_column, keys)
    statement = sql.SQL("UPDATE {} AS t SET {} WHERE t.{} = ANY({}) RETURNING {}").format(
        sql.Identifier(table.name),
        _list(sql.SQL("{} = NULL").format(sql.Identifier(name)) for name in emptied),
        sql.Identifier(key_column),
        array,
        _names(columns),
    )
    return _look_up(_raw(conn), statement, [given], table, columns)


def replace_rows(conn: Connection, table: Table, columns: tuple[str, ...], rows: Iterable[Row]) -> int:
    """See `bulk.replace_rows`."""
    keys = tuple(column.name for column in table.primary_key)
    statement = sql.SQL(
        "INSERT INTO {table} ({names}) SELECT {names} FROM {stage} ON CONFLICT ({keys}) DO UPDATE SET {sets}"
    )
    others = (sql.Identifier(name) for name in columns if name not in keys)
    sets = _list(sql.SQL("{0} = excluded.{0}").format(name) for name in others)
    return _by_stage(_raw(conn), table, columns, rows, statement, keys=_names(keys), names=_names(columns), sets=sets)


def fetch_by_keys(
    conn: Connection,
    table: Table,
    key_column: str,
    keys: Collection[Any],
    columns: tuple[str, ...],
    extra: Mapping[str, tuple[Any, ...]],
    locked: bool,
) -> list[Row]:
    """See `bulk.fetch_by_keys`."""
    listed = {name: _listed(table, name, values) for name, values in {key_column: keys, **extra}.items()}
    conditions = sql.SQL(" AND ").join(
        sql.SQL("t.{} = ANY({})").format(sql.Identifier(name), array) for name, (array, _given) in listed.items()
    )
    statement = sql.SQL("SELECT {} FROM {} AS t WHERE {}{}").format(
        _names(columns), sql.Identifier(table.name), conditions, _lock(locked)
    )
    return _look_up(_raw(conn), statement, [given for _array, given in listed.values()], table, columns)


def count_by_keys(conn: Connection, tables: Sequence[Table], key_column: str, keys: Collection[Any]) -> int:
    """See `bulk.count_by_keys`."""
    return int(sum(row[1] for row in _of_each(conn, tables, key_column, keys, "SELECT {}, count(*) FROM {} AS t {}")))


def with_keys(conn: Connection, tables: Sequence[Table], key_column: str, keys: Collection[Any]) -> list[Table]:
    """See `bulk.with_keys`."""
    rows = _of_each(conn, tables, key_column, keys, "SELECT {}, EXISTS (SELECT FROM {} AS t {})")
    return [tables[place] for place, found in sorted(rows) if found]


def _of_each(
    conn: Connection, tables: Sequence[Table], key_column: str, keys: Collection[Any], question: LiteralString
) -> list[Row]:
    """Return place and answer of each table to a question about its rows that have one of the keys; one statement."""
    array, given = _listed(tables[0], key_column, keys)
    matching = sql.SQL("JOIN given ON t.{} = given.key").format(sql.Identifier(key_column))
    questions = (
        sql.SQL(question).format(sql.Literal(place), sql.Identifier(table.name), matching)
        for place, table in enumerate(tables)
    )
    statement = sql.SQL("WITH given AS MATERIALIZED (SELECT DISTINCT unnest({}) AS key) {}").format(
        array, sql.SQL(" UNION ALL ").join(questions)
    )
    return _look_up(_raw(conn), statement, [given], tables[0], ())


def fetch_range(
    conn: Connection, table: Table, key_column: str, first: int, last: int, columns: tuple[str, ...], locked: bool
) -> list[Row]:
    """See `bulk.fetch_range`."""
    statement = sql.SQL("SELECT {} FROM {} AS t WHERE t.{} BETWEEN %b AND %b{}").format(
        _names(columns), sql.Identifier(table.name), sql.Identifier(key_column), _lock(locked)
    )
    return _look_up(_raw(conn), statement, (first, last), table, columns)


def _lock(locked: bool) -> sql.SQL:
    return sql.SQL(" FOR UPDATE" if locked else "")


def fetch_pairs(
    conn: Connection, table: Table, key_columns: tuple[str, ...], pairs: Collection[Row], columns: tuple[str, ...]
) -> list[Row]:
    """See `bulk.fetch_pairs`."""
    given = zip(*set(pairs), strict=True)
    listed = [_listed(table, name, column) for name, column in zip(key_columns, given, strict=True)]
    statement = sql.SQL("SELECT {} FROM unnest({}) AS s({}) JOIN {} AS t ON {}").format(
        _list(sql.SQL("t.{}").format(sql.Identifier(name)) for name in columns),
        _list(array for array, _values in listed),
        _names(key_columns),
        sql.Identifier(table.name),
        _match(key_columns),
    )
    return _look_up(_raw(conn), statement, [values for _array, values in listed], table, columns)


def _row_policies(conn: Connection, table: Table) -> bool:
    """Say whether row policies apply to this login (mode server); asked once for a connection and table."""
    known = conn.info.setdefault("crmctl_row_policies", {})
    if table.name not in known:
        found = _raw(conn).execute("SELECT row_security_active(%s::regclass)", (table.name,)).fetchone()
        known[table.name] = bool(found and found[0])
    return bool(known[table.name])


def _raw(conn: Connection) -> Raw[Row]:
    raw: Raw[Row] = conn.connection.driver_connection  # type: ignore[assignment]
    return raw


def _copy(raw: Raw[Row], target: sql.Identifier, table: Table, columns: tuple[str, ...], rows: Iterable[Row]) -> int:
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(target, _names(columns))
    with raw.cursor() as cursor:
        with cursor.copy(statement) as copy:
            copy.set_types([_type(table, name) for name in columns])
            write = copy.write_row
            for row in _times_converted(table, columns, rows, parse_stamp):
                write(row)
        return cursor.rowcount


def _by_stage(
    raw: Raw[Row],
    table: Table,
    columns: tuple[str, ...],
    rows: Iterable[Row],
    statement: sql.SQL,
    **parts: sql.Composable,
) -> int:
    """Copy `rows` into a temporary table, run `statement` over it, return how many rows that touched."""
    stage, target = sql.Identifier(f"crmctl_stage_{next(_stages)}"), sql.Identifier(table.name)
    shape = sql.SQL("CREATE TEMPORARY TABLE {} ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA")
    raw.execute(shape.format(stage, _names(columns), target))
    if not _copy(raw, stage, table, columns, rows):
        return 0
    raw.execute(sql.SQL("ANALYZE {}").format(stage))
    return raw.execute(statement.format(table=target, stage=stage, **parts)).rowcount


def _look_up(
    raw: Raw[Row], statement: sql.Composed, values: Sequence[object], table: Table, columns: tuple[str, ...]
) -> list[Row]:
    with _by_index(raw), raw.cursor(binary=True) as cursor:
        found = cursor.execute(statement, values).fetchall()
    return list(_times_converted(table, columns, found, stamp))


@contextlib.contextmanager
def _by_index(raw: Raw[Row]) -> Iterator[None]:
    """Keep the planner to indexes for the statements inside; the settings end with the transaction at the latest."""
    raw.execute(_INDEXES_ONLY)
    yield
    raw.execute(_AS_IT_WAS)


def _times_converted(
    table: Table, columns: tuple[str, ...], rows: Iterable[Row], convert: Callable[[Any], Any]
) -> Iterable[Row]:
    """Return `rows` with the moments of UtcTime columns converted; untouched when there are none."""
    places = [place for place, name in enumerate(columns) if isinstance(table.c[name].type, UtcTime)]
    if not places:
        return rows
    once = cache(convert)  # most rows of a chunk carry the same few moments

    def converted() -> Iterator[Row]:
        for row in rows:
            values = list(row)
            for place in places:
                if values[place] is not None:
                    values[place] = once(values[place])
            yield tuple(values)

    return converted()


def _listed(table: Table, name: str, values: Iterable[Any]) -> tuple[sql.Composable, object]:
    """Return the placeholder for an array of a column's values, and what to give for it.

    Numbers go as text, which the server reads in no time: the driver takes half a microsecond for each otherwise.
    """
    kind = table.c[name].type
    cast = sql.SQL("::" + _type(table, name) + "[]")
    if isinstance(kind, Integer):
        return sql.SQL("%s") + cast, "{" + ",".join(map(str, values)) + "}"
    return sql.SQL("%b") + cast, list(map(parse_stamp, values) if isinstance(kind, UtcTime) else values)


def _type(table: Table, name: str) -> str:
    kind = table.c[name].type
    for sort, server_type in _TYPES:
        if isinstance(kind, sort):
            return server_type
    raise TypeError(f"{table.name}.{name}: no binary form for {kind!r}")


_TYPES: tuple[tuple[type, str], ...] = (
    (UtcTime, "timestamptz"),
    (BigInteger, "int8"),
    (SmallInteger, "int2"),
    (Integer, "int4"),
    (LargeBinary, "bytea"),
    (JsonText, "text"),
    (Text, "text"),
)


def _names(columns: Iterable[str]) -> sql.Composed:
    return _list(sql.Identifier(name) for name in columns)


def _list(parts: Iterable[sql.Composable]) -> sql.Composed:
    return sql.SQL(", ").join(parts)


def _match(key_columns: Iterable[str]) -> sql.Composed:
    return sql.SQL(" AND ").join(sql.SQL("t.{0} = s.{0}").format(sql.Identifier(name)) for name in key_columns)
