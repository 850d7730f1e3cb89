"""First level of verification: every entry from its bytes, then head and checkpoints against what they gave.

Nothing the database says about an entry is believed: the leaf is hashed again, and the tree grows from those hashes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, select

from crmctl.audit.entries import GENESIS
from crmctl.audit.problems import Problems
from crmctl.audit.reading import batches, rows
from crmctl.audit.tables import audit_entry, audit_head, checkpoint
from crmctl.audit.tree import Frontier
from crmctl.i18n import _

Trust = Callable[[str, int, bytes], bool]


class Chunk(NamedTuple):
    """What an entry says about the changes of one chunk."""

    run: int
    chunk: int
    seq: int
    changes: int
    root: bytes


@dataclass
class Log:
    """The log as recomputed so far; `signed` is how many entries a trusted checkpoint covers."""

    tree: Frontier = field(default_factory=Frontier)
    last_leaf: bytes = GENESIS
    next_seq: int = 0
    signed: int = 0
    pending: list[bytes] = field(default_factory=list)

    def flush(self) -> None:
        """Let the tree grow by the leaves that wait."""
        self.tree.extend(self.pending)
        self.pending.clear()


def check_entries(
    conn: Connection,
    problems: Problems,
    on_chunk: Callable[[Chunk], None],
    progress: Callable[[int], None],
    trust: Trust,
) -> Log:
    """Recompute the whole log; hand every entry that speaks of changes to `on_chunk`. Returns the log as it is.

    `trust(note, size, root)` says whether the signed note of a checkpoint can be believed.
    """
    log = Log()
    checkpoints = _Checkpoints(conn, problems, trust)
    columns = audit_entry.c
    statement = select(columns.seq, columns.leaf, columns.prev, columns.body).order_by(columns.seq)
    for batch in batches(conn, statement):
        for row in batch:
            checkpoints.reach(log)
            _check_entry(row, log, problems, on_chunk)
        log.flush()
        progress(len(batch))
    checkpoints.reach(log)
    checkpoints.beyond()
    _check_head(conn, log, problems)
    if log.tree.size == 0:
        problems.add("LOG_EMPTY", "log", _("the log has no entries at all"))
    return log


def _check_entry(row: tuple[Any, ...], log: Log, problems: Problems, on_chunk: Callable[[Chunk], None]) -> None:
    seq, leaf, prev, text = row
    place = seq, prev.hex() if isinstance(prev, bytes) else ""
    if seq != log.next_seq:
        message = _("entries {first} to {last} are missing").format(first=log.next_seq, last=seq - 1)
        problems.add("ENTRY_MISSING", f"entry:{seq}", message)
    try:
        actual = sha256(b"\x00" + text.encode()).digest()
        body = orjson.loads(text)
        inside = body["seq"], body["prev"]
    except (AttributeError, KeyError, TypeError, ValueError):
        problems.add("ENTRY_FORM", f"entry:{seq}", _("the entry is not readable"))
        actual, body, inside = sha256(b"\x00" + str(text).encode(errors="replace")).digest(), {}, place
    if actual != leaf:
        problems.add("ENTRY_CHANGED", f"entry:{seq}", _("its text does not give its leaf"))
    if prev != log.last_leaf:
        problems.add("ENTRY_PREV", f"entry:{seq}", _("does not follow the entry before it"))
    if inside != place:
        problems.add("ENTRY_PLACE", f"entry:{seq}", _("its text belongs to another place in the log"))
    log.next_seq, log.last_leaf = seq + 1, actual
    log.pending.append(actual)
    if "changes_root" in body:
        _hand_over(body, seq, problems, on_chunk)


def _hand_over(body: dict[str, Any], seq: int, problems: Problems, on_chunk: Callable[[Chunk], None]) -> None:
    try:
        numbers = [int(body[name]) for name in ("run", "chunk", "changes")]
        found = Chunk(numbers[0], numbers[1], seq, numbers[2], bytes.fromhex(body["changes_root"]))
    except (KeyError, TypeError, ValueError):
        problems.add("ENTRY_FORM", f"entry:{seq}", _("the entry is not readable"))
    else:
        on_chunk(found)


def _check_head(conn: Connection, log: Log, problems: Problems) -> None:
    columns = audit_head.c
    heads = conn.execute(select(columns.size, columns.last_leaf, columns.frontier)).all()
    if len(heads) != 1:
        if heads or log.tree.size:
            problems.add("HEAD_MISSING", "head", _("the log has no head, or more than one"))
        return
    head = heads[0]
    if head.size != log.tree.size or head.size != log.next_seq:
        message = _("says {said} entries, there are {found}").format(said=head.size, found=log.tree.size)
        problems.add("HEAD_SIZE", "head", message)
    if head.last_leaf != log.last_leaf:
        problems.add("HEAD_LEAF", "head", _("the newest entry is not the one the head names"))
    if head.frontier != log.tree.to_bytes():
        problems.add("HEAD_TREE", "head", _("the tree of the entries is not the head's"))


class _Checkpoints:
    """Compares each checkpoint with the tree when it has that size."""

    def __init__(self, conn: Connection, problems: Problems, trust: Trust) -> None:
        columns = checkpoint.c
        self._rows: Iterator[tuple[Any, ...]] = rows(
            conn, select(columns.size, columns.root, columns.note, columns.seq).order_by(columns.size)
        )
        self._problems, self._trust = problems, trust
        self._next = next(self._rows, None)

    def reach(self, log: Log) -> None:
        """Compare the checkpoints of the size the log has now."""
        while self._next is not None and self._next[0] <= log.tree.size + len(log.pending):
            size, root, note, number = self._next
            log.flush()
            if size != log.tree.size or log.tree.root() != root:
                message = _("the first {size} entries do not give its root").format(size=size)
                self._problems.add("CHECKPOINT_ROOT", f"checkpoint:{number}", message)
            elif self._trust(note, size, root):
                log.signed = size
            self._next = next(self._rows, None)

    def beyond(self) -> None:
        """Report the checkpoints of a log longer than this one: its end was cut off."""
        while self._next is not None:
            size, _root, _note, number = self._next
            message = _("covers {size} entries, more than there are").format(size=size)
            self._problems.add("CHECKPOINT_BEYOND", f"checkpoint:{number}", message)
            self._next = next(self._rows, None)
