"""First level of verification: every entry from its bytes, then head and checkpoints against what they gave.

Nothing the database says about an entry is believed: the leaf is hashed again, and the tree grows from those hashes.
"""

from __future__ import annotations

import heapq
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from operator import itemgetter
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, select

from crmctl.audit.entries import GENESIS, MAX_INT
from crmctl.audit.problems import Problems
from crmctl.audit.pruned import Mark, marks
from crmctl.audit.reading import as_bytes, batches, rows
from crmctl.audit.tables import audit_entry, audit_head, checkpoint
from crmctl.audit.tree import Frontier
from crmctl.i18n import _

Row = tuple[Any, ...]  # seq, leaf, prev, text as bytes
Trust = Callable[[str, int, bytes], bool]


class Pin(NamedTuple):
    """A checkpoint to compare the log with; `subject` is where it was kept: `checkpoint:7`, `signer`, `anchor:worm`.

    One of the database `counts`: what it covers is signed. One held outside only shows what does not fit it. One that
    is not `signed` is what an entry of a prune says.
    """

    size: int
    root: bytes
    note: str
    subject: str
    counts: bool = False
    signed: bool = True

    @property
    def kind(self) -> str:
        """What codes of problems begin with."""
        return "CHECKPOINT" if self.signed else "PRUNE"


PURGE = "purge.run"  # the act of entries that say whose images were emptied
LOOKS = -1  # in place of a chunk's number: what an entry says of the customers its run showed


class Chunk(NamedTuple):
    """What an entry says about the changes of one chunk, or with `LOOKS` as chunk about what its run showed."""

    run: int
    chunk: int
    seq: int
    changes: int
    root: bytes


@dataclass
class Log:
    """The log as recomputed so far; `signed` is how many entries a trusted checkpoint covers.

    The first `pruned` entries have no text; `marks` are what entries say of that, newest first. `emptied` is how many
    changes of which run lost the values before them in purges, as their entries say.
    """

    tree: Frontier = field(default_factory=Frontier)
    last_leaf: bytes = GENESIS
    next_seq: int = 0
    signed: int = 0
    pruned: int = 0
    marks: tuple[Mark, ...] = ()
    emptied: Counter[int] = field(default_factory=Counter)


def check_entries(
    conn: Connection,
    problems: Problems,
    on_chunk: Callable[[Chunk], None],
    progress: Callable[[int], None],
    trust: Trust,
    pins: Sequence[Pin] = (),
) -> Log:
    """Recompute the whole log; hand what entries say of changes and looks to `on_chunk`. Returns the log as it is.

    `trust(note, size, root)` says whether the signed note of a checkpoint can be believed; `pins` are checkpoints kept
    outside the database, in order of size.
    """
    log = Log(marks=tuple(marks(conn)))
    said = [Pin(mark.size, mark.root, "", f"entry:{mark.seq}", signed=False) for mark in log.marks]
    checkpoints = _Checkpoints(conn, problems, trust, sorted([*pins, *said]))
    columns = audit_entry.c
    statement = select(columns.seq, columns.leaf, columns.prev, as_bytes(conn, columns.body)).order_by(columns.seq)
    for batch in batches(conn, statement):
        progress(len(batch))
        while batch:
            room = checkpoints.room(log)
            part, batch = batch[:room], batch[room:]
            log.tree.extend(_leaves(part, log, problems, on_chunk))
            checkpoints.reach(log)
    checkpoints.reach(log)
    checkpoints.beyond()
    _check_pruned(log, problems)
    _check_head(conn, log, problems)
    if log.tree.size == 0:
        problems.add("LOG_EMPTY", "log", _("the log has no entries at all"))
    return log


def _leaves(rows: list[Row], log: Log, problems: Problems, on_chunk: Callable[[Chunk], None]) -> list[bytes]:
    """Return the leaves of consecutive entries, computed from their bytes; check each against its row and the last."""
    found = []
    expected, last = log.next_seq, log.last_leaf
    for row in rows:
        seq, leaf, prev, text = row
        if not text and seq == log.pruned == expected and type(leaf) is bytes:  # `_check_pruned` says by what right
            if prev != last:
                problems.add("ENTRY_PREV", f"entry:{seq}", _("does not follow the entry before it"))
            found.append(leaf)
            log.pruned = expected = seq + 1
            last = leaf
            continue
        actual = sha256(b"\x00" + text).digest()
        body = _parsed(text)
        if (actual, prev, seq, body.get("seq"), body.get("prev")) != (leaf, last, expected, seq, last.hex()):
            _explain(row, body, (expected, last, actual), problems)
        if "changes_root" in body:
            _hand_over(body, ("chunk", "changes", "changes_root"), seq, problems, on_chunk)
        if "looks_root" in body:
            _hand_over({**body, "chunk": LOOKS}, ("chunk", "looks", "looks_root"), seq, problems, on_chunk)
        if "emptied" in body and body.get("act") == PURGE and type(body["emptied"]) is type(body.get("n")) is int:
            log.emptied[body["emptied"]] += body["n"]
        found.append(actual)
        expected, last = seq + 1, actual
    log.next_seq, log.last_leaf = expected, last
    return found


def _check_pruned(log: Log, problems: Problems) -> None:
    """Entries without text are those that an entry of a prune names, and a trusted checkpoint covers them."""
    allowed = max((mark.size for mark in log.marks), default=0)
    if log.pruned > allowed:
        message = _("entries {first} to {last} have no text any more, and no entry of a prune says so")
        text = message.format(first=allowed, last=log.pruned - 1)
        problems.add("PRUNE_UNCOVERED", f"entry:{allowed}", text)
    if log.pruned > log.signed:
        message = _("entries {first} to {last} have no text, and no checkpoint that counts covers them")
        text = message.format(first=log.signed, last=log.pruned - 1)
        problems.add("PRUNE_UNSIGNED", f"entry:{log.signed}", text)


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(text)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _explain(row: Row, body: dict[str, Any], wanted: tuple[int, bytes, bytes], problems: Problems) -> None:
    """Say what is wrong with an entry; `wanted` are its number, the leaf before it, the leaf its text gives."""
    seq, leaf, prev, _text = row
    expected, last, actual = wanted
    if seq != expected:
        message = _("entries {first} to {last} are missing").format(first=expected, last=seq - 1)
        problems.add("ENTRY_MISSING", f"entry:{seq}", message)
    if actual != leaf:
        problems.add("ENTRY_CHANGED", f"entry:{seq}", _("its text does not give its leaf"))
    if prev != last:
        problems.add("ENTRY_PREV", f"entry:{seq}", _("does not follow the entry before it"))
    if "prev" not in body or "seq" not in body:
        problems.add("ENTRY_FORM", f"entry:{seq}", _("the entry is not readable"))
    elif (body["seq"], body["prev"]) != (seq, last.hex()):
        problems.add("ENTRY_PLACE", f"entry:{seq}", _("its text belongs to another place in the log"))


def _hand_over(
    body: dict[str, Any],
    names: tuple[str, str, str],
    seq: int,
    problems: Problems,
    on_chunk: Callable[[Chunk], None],
) -> None:
    place, size, root = names
    try:
        run, chunk, number = (min(int(body[name]), MAX_INT) for name in ("run", place, size))
        found = Chunk(run, chunk, seq, number, bytes.fromhex(body[root]))
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
    """Compares each checkpoint, of the database or pinned outside, with the tree when it has that size."""

    def __init__(self, conn: Connection, problems: Problems, trust: Trust, pins: Sequence[Pin]) -> None:
        self._problems, self._trust = problems, trust
        self._pins: Iterator[Pin] = heapq.merge(self._stored(conn), pins, key=itemgetter(0))
        self._next = next(self._pins, None)

    def _stored(self, conn: Connection) -> Iterator[Pin]:
        columns = checkpoint.c
        statement = select(columns.size, columns.root, columns.note, columns.seq).order_by(columns.size)
        for size, root, text, number in rows(conn, statement):
            if type(size) is int and isinstance(text, str):
                yield Pin(size, root, text, f"checkpoint:{number}", counts=True)
            else:
                self._problems.add("CHECKPOINT_FORM", f"checkpoint:{number}", _("is none"))

    def room(self, log: Log) -> int:
        """Return how many entries there are to the next checkpoint, at least one."""
        return max(self._next.size - log.tree.size, 1) if self._next else sys.maxsize

    def reach(self, log: Log) -> None:
        """Compare the checkpoints of the size the log has now."""
        while self._next is not None and self._next.size <= log.tree.size:
            pin = self._next
            size, root, text, subject, counts = pin[:5]
            if size != log.tree.size or log.tree.root() != root:
                message = _("the first {size} entries do not give its root").format(size=size)
                self._problems.add(f"{pin.kind}_ROOT", subject, message)
            elif not pin.signed:
                pass  # no signature of its own: it stands in an entry
            elif self._trust(text, size, root):
                log.signed = size if counts else log.signed
            else:
                message = _("no key that counts here signed it for these entries")
                self._problems.add("CHECKPOINT_SIGNATURE", subject, message)
            self._next = next(self._pins, None)

    def beyond(self) -> None:
        """Report the checkpoints of a log longer than this one: its end was cut off."""
        while self._next is not None:
            message = _("covers {size} entries, more than there are").format(size=self._next.size)
            self._problems.add(f"{self._next.kind}_BEYOND", self._next.subject, message)
            self._next = next(self._pins, None)
