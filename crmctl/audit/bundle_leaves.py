"""What ties one customer to the entries that only give a root: the leaves of its changes and of the looks at it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from crmctl.audit import changes, looks
from crmctl.audit.proofs import Subtrees
from crmctl.audit.reading import rows
from crmctl.audit.tables import change, look

Place = tuple[int, int]  # run, chunk


class Leaf(NamedTuple):
    """A leaf of an entry's own tree, with the proof that it is there; `content` None once the salt is destroyed."""

    entry: int
    kind: str  # change, look
    place: int
    size: int
    leaf: bytes
    salt: bytes | None
    content: bytes | None
    proof: list[bytes]

    def document(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "entry": self.entry,
            "kind": self.kind,
            "index": self.place,
            "size": self.size,
            "leaf": self.leaf.hex(),
            "salt": self.salt.hex() if self.salt else None,
            "content": self.content.decode() if self.content else None,
            "proof": [node.hex() for node in self.proof],
        }

    def line(self) -> bytes:
        """Return the line of leaves.jsonl."""
        return json.dumps(self.document(), sort_keys=True, separators=(",", ":")).encode() + b"\n"


def leaves_of(conn: Connection, customer: int, bodies: Sequence[dict[str, Any]]) -> list[Leaf]:
    """Return the customer's leaves under these entries, in order of entry, kind and place."""
    chunks = {(body["run"], body["chunk"]): body["seq"] for body in bodies if {"changes_root", "chunk"} <= body.keys()}
    runs = {body["run"]: body["seq"] for body in bodies if {"looks_root", "run"} <= body.keys()}
    return sorted([*_changes(conn, customer, chunks), *_looks(conn, customer, runs)], key=lambda leaf: leaf[:3])


def _changes(conn: Connection, customer: int, chunks: dict[Place, int]) -> Iterator[Leaf]:
    if not chunks:
        return
    columns = change.c
    statement = select(*(columns[name] for name in changes.CHANGE_COLUMNS)).where(columns.customer_id == customer)
    own: dict[Place, list[changes.Row]] = {}
    for row in rows(conn, statement.order_by(columns.change_id)):
        own.setdefault((row[2], row[3]), []).append(row)
    # One pass for all chunks: `change` has no index by chunk (see `tables`).
    statement = select(columns.run_id, columns.chunk, columns.leaf)
    statement = statement.where(
        columns.run_id.in_(sorted({run for run, _chunk in chunks})),
        columns.chunk.in_(sorted({chunk for _run, chunk in chunks})),
    ).order_by(columns.run_id, columns.chunk, columns.position)
    for place, members in groupby(rows(conn, statement), key=lambda row: (row[0], row[1])):
        if place not in chunks or place not in own:
            continue
        with Subtrees(row[2] for row in members) as tree:
            for row in own[place]:
                salt, leaf = row[12], row[17]
                content = changes.canonical(row) if salt else None
                proof = _proof(tree, row[4])
                yield Leaf(chunks[place], "change", row[4], tree.size, leaf, salt, content, proof)


def _looks(conn: Connection, customer: int, runs: dict[int, int]) -> Iterator[Leaf]:
    columns = look.c
    statement = select(columns.run_id, columns.position, columns.salt, columns.leaf)
    for run, position, salt, leaf in list(rows(conn, statement.where(columns.customer_id == customer))):
        if run not in runs:
            continue
        others = select(columns.leaf).where(columns.run_id == run).order_by(columns.position)
        with Subtrees(row[0] for row in rows(conn, others)) as tree:
            content = looks.canonical(customer, position, run) if salt else None
            yield Leaf(runs[run], "look", position, tree.size, leaf, salt, content, _proof(tree, position))


def _proof(tree: Subtrees, index: int) -> list[bytes]:
    """Return the proof of a leaf; none where the rows are damaged: the bundle then fails, as it must."""
    return [node for _side, node in tree.inclusion(index, tree.size)] if index < tree.size else []
