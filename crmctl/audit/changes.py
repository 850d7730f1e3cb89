"""The leaves of the change log: what a row of `change` commits to, built fast enough for a million rows.

    leaf = SHA-256(0x00 ‖ salt ‖ canonical)

`salt` is 16 random bytes, `canonical` ASCII JSON with sorted keys and no spaces:

    {"change":7,"clear_after":"<hex>","clear_before":null,"customer":3,"fields":["name"],"object":"customer",
     "object_id":3,"operation":"create","sealed_after":"<hex>","sealed_before":null,"version":1}

Hashes are SHA-256: of `clear_json` of an object's clear columns, of its sealed envelope. The salt keeps anybody from
guessing values out of a leaf once salt and images are gone (purge); hashes and leaf stay, and with them the tree.
Run, chunk and position are committed by the chunk's audit entry and by the tree.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

import orjson

from crmctl.audit import tree

CHANGE_COLUMNS = (
    "customer_id",
    "change_id",
    "run_id",
    "chunk",
    "position",
    "object",
    "object_id",
    "operation",
    "version",
    "fields",
    "before_clear",
    "before_sealed",
    "salt",
    "clear_before_hash",
    "clear_after_hash",
    "sealed_before_hash",
    "sealed_after_hash",
    "leaf",
)
# Those of a destroyed object whose images and salt are not kept; the others are null.
DESTROYED_COLUMNS = tuple(
    name
    for name in CHANGE_COLUMNS
    if name not in ("before_clear", "before_sealed", "salt", "clear_after_hash", "sealed_after_hash")
)
SALT_SIZE = 16
_SALTS_AT_ONCE = 4096
_FIELD = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_PRIMITIVES = {int, str}
_CANONICAL = (
    '{"change":%d,"clear_after":%s,"clear_before":%s,"customer":%d,"fields":%s,"object":"%s","object_id":%d,'
    '"operation":"%s","sealed_after":%s,"sealed_before":%s,"version":%d}'
)

_CREATED = (  # the same, of a new object: most changes are of this kind
    '{"change":%d,"clear_after":"%s","clear_before":null,"customer":%d,"fields":%s,"object":"%s","object_id":%d,'
    '"operation":"create","sealed_after":"%s","sealed_before":null,"version":1}'
)

_DESTROYED = (  # and of one that a purge removes
    '{"change":%d,"clear_after":null,"clear_before":"%s","customer":%d,"fields":%s,"object":"%s","object_id":%d,'
    '"operation":"destroy","sealed_after":null,"sealed_before":%s,"version":%d}'
)

Row = tuple[
    int, int, int, int, int, str, int, str, int, str,
    str | None, bytes | None, bytes | None,
    bytes | None, bytes | None, bytes | None, bytes | None, bytes,
]  # fmt: skip
Destroyed = tuple[int, int, int, int, int, str, int, str, int, str, bytes, bytes | None, bytes]
Object = tuple[int, str, int]  # customer number (0: of none), code of the protected table, the object's own number


class Before(NamedTuple):
    """An object as it was: its clear columns as `clear_json` text and its envelope (None where it has none)."""

    clear: str
    sealed: bytes | None
    clear_hash: bytes
    sealed_hash: bytes | None


class After(NamedTuple):
    """An object as it is to be: what its row must hash to."""

    clear_hash: bytes
    sealed_hash: bytes | None


class Summary(NamedTuple):
    """What the chunk's audit entry says of its changes."""

    changes: int
    root: str


def clear_json(values: Mapping[str, str | int | None]) -> bytes:
    """Return the canonical JSON (UTF-8) of an object's clear columns: sorted keys, no nulls, text and integers only.

    Times are `clock.stamp` text, money integer minor units. Raises TypeError for anything else.
    """
    kept = {name: value for name, value in values.items() if value is not None}
    if not _PRIMITIVES.issuperset(map(type, kept.values())):
        raise TypeError("clear columns are text and integers in the change log")
    return orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)


def clear_hash(values: Mapping[str, str | int | None]) -> bytes:
    """Return SHA-256 of `clear_json`."""
    return sha256(clear_json(values)).digest()


@lru_cache(maxsize=4096)
def fields_json(names: frozenset[str]) -> str:
    """Return the names of changed fields as they are stored and hashed. Raises ValueError for what is no field name."""
    if not all(map(_FIELD.fullmatch, names)):
        raise ValueError("a field name is ASCII: a-z, 0-9, _ and -")
    return json.dumps(sorted(names), separators=(",", ":"))


def canonical(row: Row) -> bytes:
    """Return what the leaf of a stored row commits to besides its salt."""
    (customer, change, _run, _chunk, _position, obj, object_id, operation, version, fields, _clear, _sealed, _salt,
     clear_before, clear_after, sealed_before, sealed_after, _leaf) = row  # fmt: skip
    text = _CANONICAL % (
        change, _hex(clear_after), _hex(clear_before), customer, fields, obj, object_id, operation,
        _hex(sealed_after), _hex(sealed_before), version,
    )  # fmt: skip
    return text.encode()


def leaf_of(row: Row) -> bytes:
    """Return the leaf that a stored row must have; its salt must still be there (else ValueError)."""
    salt = row[12]
    if salt is None:
        raise ValueError("the salt is gone: this leaf can no longer be computed")
    return sha256(b"\x00" + salt + canonical(row)).digest()


def _hex(digest: bytes | None) -> str:
    return f'"{digest.hex()}"' if digest is not None else "null"


class Changes:
    """The changes of one chunk, in order: rows for `bulk.insert_rows(conn, change, CHANGE_COLUMNS, changes.take())`.

    `first_change` is the first of the numbers taken from the counter for this chunk. Insert the rows in this order and
    in the chunk's own transaction; `audit verify` counts on it. 2 to 3 µs a change, leaf included.
    """

    __slots__ = ("_chunk", "_leaves", "_next", "_run", "_salts", "_used", "rows")

    def __init__(self, run: int, chunk: int, first_change: int) -> None:
        self.rows: list[Row] = []
        self._leaves: list[bytes] = []
        self._run, self._chunk, self._next = run, chunk, first_change
        self._salts, self._used = b"", 0

    def create(self, of: Object, fields: str, after: After, version: int = 1) -> None:
        """Note a created object. `fields` is `fields_json`; `version` counts on where the number was used before."""
        self._add(of, "create", version, fields, None, after)

    def create_all(self, created: Sequence[tuple[int, str, int, bytes, bytes]], fields: str) -> None:
        """Note many new objects, each (customer, object, object id, clear hash, sealed hash), as `create` does one."""
        run, chunk, position, change = self._run, self._chunk, len(self._leaves), self._next
        salts = os.urandom(SALT_SIZE * len(created))
        add_row, add_leaf = self.rows.append, self._leaves.append
        used = 0
        for customer, obj, object_id, clear_after, sealed_after in created:
            salt = salts[used : used + SALT_SIZE]
            used += SALT_SIZE
            text = _CREATED % (change, clear_after.hex(), customer, fields, obj, object_id, sealed_after.hex())
            leaf = sha256(b"\x00" + salt + text.encode()).digest()
            add_row(
                (customer, change, run, chunk, position, obj, object_id, "create", 1, fields,
                 None, None, salt, None, clear_after, None, sealed_after, leaf)
            )  # fmt: skip
            add_leaf(leaf)
            position += 1
            change += 1
        self._next = change

    def update_all(self, updated: Sequence[tuple[int, str, int, int, str, bytes, bytes, bytes]], fields: str) -> None:
        """Note many objects whose clear columns changed and whose envelope did not, as `update` does one.

        Each is (customer, object, object id, version, clear columns before as `clear_json` text, clear hash before,
        clear hash after, sealed hash).
        """
        run, chunk, position, change = self._run, self._chunk, len(self._leaves), self._next
        salts = os.urandom(SALT_SIZE * len(updated))
        add_row, add_leaf = self.rows.append, self._leaves.append
        used = 0
        for customer, obj, object_id, version, was_clear, clear_before, clear_after, sealed in updated:
            salt = salts[used : used + SALT_SIZE]
            used += SALT_SIZE
            told = f'"{sealed.hex()}"'
            text = _CANONICAL % (
                change, f'"{clear_after.hex()}"', f'"{clear_before.hex()}"', customer, fields, obj, object_id,
                "update", told, told, version,
            )  # fmt: skip
            leaf = sha256(b"\x00" + salt + text.encode()).digest()
            add_row(
                (customer, change, run, chunk, position, obj, object_id, "update", version, fields,
                 was_clear, None, salt, clear_before, clear_after, sealed, sealed, leaf)
            )  # fmt: skip
            add_leaf(leaf)
            position += 1
            change += 1
        self._next = change

    def update(self, of: Object, version: int, fields: str, before: Before, after: After) -> None:
        """Note a changed object; `version` is that of its last change plus one."""
        self._add(of, "update", version, fields, before, after)

    def destroy(self, of: Object, version: int, fields: str, before: Before) -> None:
        """Note a removed object; `version` is that of its last change plus one."""
        self._add(of, "destroy", version, fields, before, None)

    def destroy_all(
        self, destroyed: Iterable[tuple[Object, int, bytes, bytes | None]], fields: str
    ) -> Iterator[Destroyed]:
        """Note many removed objects, each (object, version, clear hash, sealed hash), while their rows are taken.

        For a purge: neither image nor salt is kept, so that their leaves tell nothing from the beginning. The rows, in
        the order of DESTROYED_COLUMNS, go straight into the table, a server writing some while the next are made;
        `take` has none of them. All are taken before anything else is noted.
        """
        run, chunk, position = self._run, self._chunk, len(self._leaves)
        add_leaf, draw = self._leaves.append, self._salt
        for change, ((customer, obj, object_id), version, clear_before, sealed_before) in enumerate(
            destroyed, self._next
        ):
            sealed = "null" if sealed_before is None else f'"{sealed_before.hex()}"'
            text = _DESTROYED % (change, clear_before.hex(), customer, fields, obj, object_id, sealed, version)
            leaf = sha256(b"\x00" + draw() + text.encode()).digest()
            add_leaf(leaf)
            self._next = change + 1
            yield (
                customer, change, run, chunk, position, obj, object_id, "destroy", version, fields,
                clear_before, sealed_before, leaf,
            )  # fmt: skip
            position += 1

    @property
    def upcoming(self) -> int:
        """The number of the next change."""
        return self._next

    def summary(self) -> Summary:
        """Return number and root of the leaves, for the chunk's entry."""
        return Summary(len(self._leaves), tree.root(self._leaves).hex())

    def take(self) -> list[Row]:
        """Return the rows since the last call and let go of them: a chunk's rows need not all be in memory at once."""
        rows, self.rows = self.rows, []
        return rows

    def _salt(self) -> bytes:
        start = self._used
        if start == len(self._salts):
            self._salts, start = os.urandom(SALT_SIZE * _SALTS_AT_ONCE), 0
        self._used = start + SALT_SIZE
        return self._salts[start : start + SALT_SIZE]

    def _add(
        self, of: Object, operation: str, version: int, fields: str, before: Before | None, after: After | None
    ) -> None:
        customer, obj, object_id = of
        change = self._next
        self._next = change + 1
        salt = self._salt()
        clear_before = sealed_before = clear_after = sealed_after = was_clear = was_sealed = None
        clear_before_json = clear_after_json = sealed_before_json = sealed_after_json = "null"
        if after is not None:
            clear_after, sealed_after = after
            clear_after_json = f'"{clear_after.hex()}"'
            if sealed_after is not None:
                sealed_after_json = f'"{sealed_after.hex()}"'
        if before is not None:
            was_clear, was_sealed, clear_before, sealed_before = before
            clear_before_json = f'"{clear_before.hex()}"'
            if sealed_before is not None:
                sealed_before_json = f'"{sealed_before.hex()}"'
            if sealed_before == sealed_after:
                was_sealed = None  # the envelope did not change: the row still has it
        text = _CANONICAL % (
            change, clear_after_json, clear_before_json, customer, fields, obj, object_id, operation,
            sealed_after_json, sealed_before_json, version,
        )  # fmt: skip
        leaf = sha256(b"\x00" + salt + text.encode()).digest()
        self.rows.append(
            (customer, change, self._run, self._chunk, len(self._leaves), obj, object_id, operation, version, fields,
             was_clear, was_sealed, salt, clear_before, clear_after, sealed_before, sealed_after, leaf)
        )  # fmt: skip
        self._leaves.append(leaf)
