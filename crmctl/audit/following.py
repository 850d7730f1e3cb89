"""Follow a log from where it was signed last: what does not extend that, entry by entry, is never signed.

The entries' own bytes are hashed; `prev` in each links it to all before it, so that a log which does not begin at the
first entry is followed as safely from any entry at or before the last signed one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import orjson

from crmctl.audit.entries import GENESIS, MAX_BYTES
from crmctl.audit.tree import HASH_SIZE, Frontier, leaf_hash
from crmctl.errors import IntegrityFailed
from crmctl.i18n import _


@dataclass(frozen=True)
class Position:
    """How far a log was followed: its entries so far as a tree, and the leaf of the newest."""

    tree: Frontier = field(default_factory=Frontier)
    last_leaf: bytes = GENESIS

    @property
    def size(self) -> int:
        """Number of entries."""
        return self.tree.size

    @property
    def root(self) -> bytes:
        """RFC 6962 root of them."""
        return self.tree.root()

    def document(self) -> dict[str, object]:
        """Return a form that JSON can keep."""
        return {"size": self.size, "last_leaf": self.last_leaf.hex(), "frontier": self.tree.to_bytes().hex()}

    @classmethod
    def read(cls, document: Mapping[str, object]) -> Position:
        """Return what `document` kept. Raises ValueError when it is no such thing."""
        try:
            size, packed = int(str(document["size"])), bytes.fromhex(str(document["frontier"]))
            last_leaf = bytes.fromhex(str(document["last_leaf"]))
        except KeyError as missing:
            raise ValueError(f"position: {missing} is missing") from None
        if size < 0 or len(last_leaf) != HASH_SIZE or (size == 0) != (last_leaf == GENESIS):
            raise ValueError("position: not of its form")
        return cls(Frontier.from_bytes(size, packed), last_leaf)


def follow(lines: Iterable[bytes], start: Position, marks: Mapping[int, bytes] | None = None) -> Position:
    """Return where the log ends whose entries `lines` are, in order, beginning at or before the end of `start`.

    `marks` are roots already known, by number of entries: where the log gets to that number it must have that root.
    Raises IntegrityFailed (13) for a log that has no entries, ends before `start` or a mark, or does not extend them.
    """
    tree, last = Frontier(start.size, start.tree.peaks), start.last_leaf
    known = marks or {}
    place: int | None = None  # the next entry's number; unknown until the first one says it
    link: bytes | None = None  # the leaf before it; unknown where the log begins in the middle
    for line in lines:
        number, prev = _head_of(line, place)
        if place is None:
            if number > start.size:
                raise not_extended(_("entries {first} to {last} are missing").format(first=start.size, last=number - 1))
            link = GENESIS if number == 0 else last if number == start.size else None
            place = number
        if number != place or (link is not None and prev != link.hex()):
            raise not_extended(_("entry {number} does not follow the one before it").format(number=place))
        link, place = leaf_hash(line), place + 1
        if place == start.size and link != start.last_leaf:
            raise not_extended(_("entry {number} is not the one that was signed").format(number=number))
        if place > start.size:
            tree.append(link)
            last = link
        if place >= start.size and place in known and known[place] != tree.root():
            raise not_extended(_("the first {size} entries do not give the root that was signed").format(size=place))
    wanted = max(start.size, *known, 0)
    if place is None and start.size:
        raise not_extended(_("entry {number}, which was signed, is not there").format(number=start.size - 1))
    if place is None:
        raise not_extended(_("the log has no entries at all"))
    if place < wanted:
        raise not_extended(_("it ends after {found} entries, {size} were signed").format(found=place, size=wanted))
    return Position(tree, last)


def _head_of(line: bytes, place: int | None) -> tuple[int, str]:
    """Return number and link of an entry. Raises IntegrityFailed for what is none."""
    try:
        body = orjson.loads(line) if len(line) <= MAX_BYTES else None
        number, prev = body["seq"], body["prev"]  # type: ignore[index]
    except (ValueError, KeyError, TypeError):
        number = prev = None
    if type(number) is not int or not isinstance(prev, str) or number < 0:
        where = _("entry {number}").format(number=place) if place is not None else _("the first line")
        raise not_extended(_("{where} is no entry of a log").format(where=where))
    return number, prev


def not_extended(reason: str) -> IntegrityFailed:
    """Return the error that says why a log does not extend what was signed."""
    return IntegrityFailed(
        _("the log does not extend what was signed: {reason}").format(reason=reason),
        hint=_(
            "somebody put back an older copy or changed entries: keep the database as it is, run crmctl audit verify"
        ),
        code="LOG_NOT_EXTENDED",
    )
