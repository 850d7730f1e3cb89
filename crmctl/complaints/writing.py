"""Rows of complaints and their changes, written together in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection

from crmctl.audit.changes import CHANGE_COLUMNS, After, Before, Changes, clear_hash, clear_json, fields_json
from crmctl.audit.objects import ProtectedTable
from crmctl.audit.tables import change
from crmctl.store import bulk

EVERYTHING = fields_json(frozenset())  # a creation is of all fields; they are not repeated on every row
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Write:
    """One row to be written, in canonical primitives: as it is (None: new) and as it is to be.

    `sealed` is the envelope of a new row; that of a row there is never changes, and `sealed_hash` says which it is.
    """

    of: ProtectedTable
    after: Row
    before: Row | None = None
    sealed: bytes | None = None
    sealed_hash: bytes | None = None

    @property
    def fields(self) -> frozenset[str]:
        """The names of what changes."""
        was = self.before or {}
        return frozenset(name for name, value in self.after.items() if was.get(name) != value)


def digest(sealed: bytes | None) -> bytes | None:
    """Return the hash that stands beside an envelope."""
    return None if sealed is None else sha256(sealed).digest()


def write(conn: Connection, changes: Changes, writes: Sequence[Write]) -> None:
    """Write rows and the changes that commit to them. No row may be among `writes` twice.

    Raises AssertionError for a row to change that is not there: whoever read it holds its lock.
    """
    for item in writes:
        _note(changes, item)
    for table in {item.of.code: item.of for item in writes}.values():
        _rows(conn, table, [item for item in writes if item.of is table])
    bulk.insert_rows(conn, change, CHANGE_COLUMNS, changes.take())


def _note(changes: Changes, item: Write) -> None:
    of = (item.after["customer_id"], item.of.code, item.after[item.of.id_column])
    if item.before is None:
        changes.create(of, EVERYTHING, After(clear_hash(item.after), digest(item.sealed)))
        return
    text = clear_json(item.before)
    before = Before(text.decode(), None, sha256(text).digest(), item.sealed_hash)
    changes.update(
        of, item.after["version"], fields_json(item.fields), before, After(clear_hash(item.after), item.sealed_hash)
    )


def _rows(conn: Connection, table: ProtectedTable, writes: Iterable[Write]) -> None:
    names = table.clear_columns
    new, changed = [], []
    for item in writes:
        values = tuple(map(item.after.get, names))
        if item.before is not None:
            changed.append(values)
        elif table.sealed_column:
            new.append((*values, item.sealed, digest(item.sealed)))
        else:
            new.append(values)
    if new:
        columns = (*names, table.sealed_column, table.hash_column) if table.sealed_column else names
        bulk.insert_rows(conn, table.table, tuple(map(str, columns)), new)
    if changed and bulk.update_rows(conn, table.table, names[:2], names[2:], changed) != len(changed):
        raise AssertionError("a row that was read is not there any more, though its lock was held")
