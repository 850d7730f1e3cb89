"""What a log says of its own beginning once that was pruned: which entries have no text any more, and by what right.

The texts of entries [0, size) are empty; leaf and `prev` stay, so that every root ever signed can still be grown. An
entry of the prune, itself readable and behind what it covers, gives `size` and the root of those leaves:

    "pruned":4711,"pruned_root":"<hex>","kept":12,"kept_root":"<hex>"

`kept` is how many chunks and looks the pruned entries spoke of. What they said of each goes on in one root, grown from
the change log and the looks themselves: whoever edits an old change still gets another root.

    leaf = SHA-256(0x00 ‖ {"chunk":0,"n":78,"root":"<hex>","run":1}),   chunk -1: the looks of that run
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, func, select

from crmctl.audit.following import Position
from crmctl.audit.reading import as_bytes, rows
from crmctl.audit.tables import audit_entry
from crmctl.audit.tree import HASH_SIZE, Frontier, leaf_hash

ACT = "audit.prune"
BEGUN = "begun"
_LIKELY = '"pruned_root":"'


class Kept(NamedTuple):
    """How many chunks and looks pruned entries spoke of, and the root over what they said."""

    number: int
    root: bytes


class Mark(NamedTuple):
    """What an entry of a prune says: the first `size` entries, whose leaves have this root, have no text any more.

    `begun`: the prune was begun and may not have come to its end.
    """

    seq: int
    size: int
    root: bytes
    kept: Kept
    begun: bool
    approval: int | None
    line: bytes


def marks(conn: Connection) -> list[Mark]:
    """Return what the entries of prunes say, newest first; none while the first entry has its text."""
    return list(_marks(conn)) if _first_is_empty(conn) else []


def mark(conn: Connection) -> Mark | None:
    """Return what the newest entry of a prune says; None for a log that is whole, or that lost texts without one."""
    return next(iter(_marks(conn)), None) if _first_is_empty(conn) else None


def size(conn: Connection) -> int:
    """Return how many entries are pruned as the log says."""
    found = mark(conn)
    return found.size if found else 0


def _first_is_empty(conn: Connection) -> bool:
    columns = audit_entry.c
    return conn.execute(select(func.length(columns.body)).where(columns.seq == 0)).scalar_one_or_none() == 0


def _marks(conn: Connection) -> Iterator[Mark]:
    columns = audit_entry.c
    likely = columns.body.contains(_LIKELY, autoescape=True)
    statement = select(columns.seq, as_bytes(conn, columns.body)).where(likely).order_by(columns.seq.desc())
    for seq, text in conn.execute(statement):
        found = read_mark(bytes(text))
        if found is not None and found.seq == seq:
            yield found


def read_mark(text: bytes) -> Mark | None:
    """Return what the entry `text` says of a prune; None when it says nothing of the kind."""
    try:
        body: Any = orjson.loads(text)
        roots = [bytes.fromhex(body[name]) for name in ("pruned_root", "kept_root")]
        numbers = [body[name] for name in ("seq", "pruned", "kept")]
        sound = (body["act"], body["result"]) in ((ACT, "done"), (ACT, BEGUN))
    except (ValueError, KeyError, TypeError):
        return None
    if not sound or any(type(number) is not int for number in numbers) or {len(root) for root in roots} != {HASH_SIZE}:
        return None
    seq, pruned, kept = numbers
    if not 0 < pruned <= seq:
        return None
    approval = body.get("approval")
    number = approval if type(approval) is int else None
    return Mark(seq, pruned, roots[0], Kept(kept, roots[1]), body["result"] == BEGUN, number, text)


def kept_leaf(run: object, chunk: object, number: int, root: bytes) -> bytes:
    """Return the leaf of what an entry said of a chunk, or of the looks of a run."""
    return leaf_hash(f'{{"chunk":{chunk},"n":{number},"root":"{root.hex()}","run":{run}}}'.encode())


def position(conn: Connection, end: int) -> Position:
    """Return the log's first `end` entries as a tree of their stored leaves; some signed root must vouch for it."""
    columns, tree, last = audit_entry.c, Frontier(), b""
    statement = select(columns.leaf).where(columns.seq < end).order_by(columns.seq)
    for (leaf,) in rows(conn, statement):
        last = bytes(leaf)
        tree.append(last)
    return Position(tree, last) if last else Position()
