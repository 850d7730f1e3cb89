"""Third level: every live row against the last change of it, so that an edit behind the program's back shows.

Changes and rows are read side by side in the order of customers; what belongs to one customer is compared at a time.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, Integer, Select, literal, select

from crmctl.audit.objects import ProtectedTable, primitive
from crmctl.audit.problems import Problems
from crmctl.audit.reading import batches
from crmctl.audit.tables import change
from crmctl.i18n import _

Key = tuple[str, int]  # code of the table, the object's number
Hashes = tuple[bytes | None, bytes | None]  # of the clear columns, of the envelope
NOTHING: Hashes = (None, None)


class _Change(NamedTuple):
    version: int
    operation: str
    salted: bool
    before: Hashes
    after: Hashes


class _Found(NamedTuple):
    """A live row: what it hashes to now; `stored` is the hash of the envelope that stands beside it."""

    now: Hashes
    stored: bytes | None


def check_rows(
    conn: Connection, problems: Problems, tables: Sequence[ProtectedTable], progress: Callable[[int], None]
) -> int:
    """Compare every row of `tables` with its last change, and every object's changes among each other.

    Returns the number of rows.
    """
    known = {table.code for table in tables}
    streams: list[Iterator[tuple[int, Key, Any]]] = [
        _changes(conn, problems),
        *(_rows(conn, table, problems) for table in tables),
    ]
    total = 0
    for owner, items in groupby(heapq.merge(*streams, key=itemgetter(0)), key=itemgetter(0)):
        history: dict[Key, list[_Change]] = {}
        live: dict[Key, _Found] = {}
        for _owner, key, item in items:
            if isinstance(item, _Change):
                history.setdefault(key, []).append(item)
            else:
                live[key] = item
        for key, changes in history.items():
            _check_object(_subject(key, owner), changes, live.get(key), problems, key[0] in known)
        for key in live.keys() - history.keys():
            problems.add("ROW_UNLOGGED", _subject(key, owner), _("no change ever made this row"))
        total += len(live)
        progress(len(live))
    return total


def _subject(key: Key, owner: int) -> str:
    code, number = key
    return f"{code}:{number}" if number == owner or not owner else f"{code}:{owner}/{number}"


def _check_object(subject: str, changes: list[_Change], row: _Found | None, problems: Problems, known: bool) -> None:
    """Compare one object's changes with each other and with its row."""
    changes.sort(key=itemgetter(0))
    before: Hashes = NOTHING
    expected = 1
    for entry in changes:
        if entry.version != expected:
            message = _("change {version} follows change {last}").format(version=entry.version, last=expected - 1)
            problems.add("VERSION_GAP", subject, message)
        elif entry.before != before:
            message = _("change {version} began from something else than the change before left").format(
                version=entry.version
            )
            problems.add("CHANGE_CHAIN", subject, message)
        if (entry.operation == "create") != (entry.before == NOTHING) or (entry.operation == "destroy") != (
            entry.after == NOTHING
        ):
            message = _("change {version} is no {operation}").format(version=entry.version, operation=entry.operation)
            problems.add("CHANGE_OPERATION", subject, message)
        before, expected = entry.after, entry.version + 1
    last = changes[-1]
    if not known:
        problems.add("OBJECT_UNKNOWN", subject, _("nobody knows where its row is"))
    elif last.operation == "destroy":
        if row is not None:
            problems.add("ROW_DESTROYED", subject, _("its last change removed this row, yet it is there"))
    elif row is None:
        problems.add("ROW_MISSING", subject, _("its row is gone without a change"))
    else:
        _check_row(subject, last, row, problems)
    if last.operation != "destroy" and not all(entry.salted for entry in changes):
        problems.add("SALT_MISSING", subject, _("the salt of a change is gone though nothing was purged"))


def _check_row(subject: str, last: _Change, row: _Found, problems: Problems) -> None:
    clear, sealed = row.now
    if clear != last.after[0]:
        problems.add("ROW_CHANGED", subject, _("its clear columns are not what the last change wrote"))
    if sealed != last.after[1]:
        problems.add("ROW_SEALED", subject, _("its sealed value is not what the last change wrote"))
    if row.stored != last.after[1]:
        problems.add("ROW_HASH", subject, _("the hash beside its sealed value is not what the last change wrote"))


def _changes(conn: Connection, problems: Problems) -> Iterator[tuple[int, Key, _Change]]:
    columns = change.c
    statement = select(
        columns.customer_id,
        columns.change_id,
        columns.object,
        columns.object_id,
        columns.version,
        columns.operation,
        columns.salt.is_not(None),
        columns.clear_before_hash,
        columns.sealed_before_hash,
        columns.clear_after_hash,
        columns.sealed_after_hash,
    ).order_by(columns.customer_id, columns.change_id)
    for batch in batches(conn, statement):
        for owner, number, code, object_id, version, operation, salted, *hashes in batch:
            if type(owner) is int and type(object_id) is int and type(version) is int:
                was, now = (hashes[0], hashes[1]), (hashes[2], hashes[3])
                yield owner, (code, object_id), _Change(version, operation, bool(salted), was, now)
            else:
                problems.add("CHANGE_FORM", f"change:{number}", _("holds what is no number where one must be"))


def _rows(conn: Connection, table: ProtectedTable, problems: Problems) -> Iterator[tuple[int, Key, _Found]]:
    names, code = sorted(table.clear_columns), table.code
    end = 2 + len(names)
    for batch in batches(conn, _selection(table, names, conn.dialect.name)):
        for row in batch:
            owner, object_id = row[0], row[1]
            if type(owner) is int and type(object_id) is int:
                sealed, stored = (row[end], row[end + 1]) if table.sealed_column else NOTHING
                yield owner, (code, object_id), _Found((_clear(names, row[2:end]), _digest(sealed)), stored)
            else:
                problems.add("ROW_FORM", code, _("a row of this table has no proper number"))


def _selection(table: ProtectedTable, names: Sequence[str], dialect: str) -> Select[Any]:
    columns = table.table.c
    owner = columns[table.owner_column] if table.owner_column else literal(0, Integer)
    wanted: list[Any] = [owner, columns[table.id_column]]
    wanted += [primitive(table.table, name, dialect) for name in names]
    if table.sealed_column and table.hash_column:
        wanted += [columns[table.sealed_column], columns[table.hash_column]]
    order = [columns[table.id_column]]
    if table.owner_column and table.owner_column != table.id_column:
        order.insert(0, columns[table.owner_column])
    return select(*(column.label(f"c{at}") for at, column in enumerate(wanted))).order_by(*order)


def _clear(names: Sequence[str], values: Sequence[Any]) -> bytes:
    """Return `changes.clear_hash` of a row, whose `names` are sorted already: half of it when there are millions."""
    kept = {name: value for name, value in zip(names, values, strict=True) if value is not None}
    try:
        return sha256(orjson.dumps(kept)).digest()
    except TypeError:
        return b""  # a value that no writer of ours stores: equal to no hash


def _digest(sealed: object) -> bytes | None:
    if sealed is None:
        return None
    return sha256(sealed).digest() if isinstance(sealed, bytes) else b""
