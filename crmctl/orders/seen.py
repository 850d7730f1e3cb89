"""The order numbers that earlier rows of a file are about; in a dry run with what they would have written.

Kept in a private temporary database of SQLite (no name, gone with the process), so that memory stays flat.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import orjson

from crmctl.orders.model import Stored
from crmctl.store import sqlite

_MAKE = "CREATE TABLE seen (number TEXT PRIMARY KEY, stored BLOB) WITHOUT ROWID"
_FIND = "SELECT number, stored FROM seen WHERE number IN (SELECT value FROM json_each(?))"
_KEEP = "INSERT OR REPLACE INTO seen VALUES (?, ?)"


class Seen:
    """Order numbers with, in a dry run, the orders they would be."""

    def __init__(self) -> None:
        self._raw = sqlite.driver().connect("", isolation_level=None)
        for setting in ("PRAGMA cache_size=-16000", "PRAGMA journal_mode=OFF", "PRAGMA synchronous=OFF", _MAKE):
            self._raw.execute(setting)

    def find(self, numbers: Collection[str]) -> dict[str, Stored | None]:
        """Return those of `numbers` that were seen."""
        rows = self._raw.execute(_FIND, (orjson.dumps(list(numbers)).decode(),)).fetchall()
        return {number: Stored(*orjson.loads(stored)) if stored else None for number, stored in rows}

    def add(self, numbers: Iterable[str]) -> None:
        """Note numbers that rows are about."""
        self._keep((number, None) for number in numbers)

    def imagine(self, orders: Iterable[tuple[str, Stored]]) -> None:
        """Note orders as they would be written."""
        self._keep((number, orjson.dumps(tuple(stored))) for number, stored in orders)

    def _keep(self, rows: Iterable[tuple[str, bytes | None]]) -> None:
        self._raw.execute("BEGIN")
        self._raw.executemany(_KEEP, rows)
        self._raw.execute("COMMIT")

    def close(self) -> None:
        """Drop what was remembered."""
        self._raw.close()
