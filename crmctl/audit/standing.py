"""How far the log is signed and held outside the database: what doctor looks at, and what verification is pinned to."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import orjson
from sqlalchemy import Connection, func, select

from crmctl.audit import anchors, note, raw, signing
from crmctl.audit.checkpoints import newest, origin_of, trust_of
from crmctl.audit.tables import checkpoint
from crmctl.audit.verify_entries import Pin
from crmctl.clock import parse_stamp
from crmctl.errors import KeyMissing

if TYPE_CHECKING:
    from crmctl.audit.policy import AuditSettings
    from crmctl.workspace import Workspace


class LogState(NamedTuple):
    """How far the log is signed; since when the oldest unsigned entry waits; which anchors are behind, since when."""

    size: int
    signed: int
    unsigned_since: datetime | None
    behind: tuple[tuple[str, datetime], ...]


def state(conn: Connection, place: Workspace, settings: AuditSettings) -> LogState:
    """Return how far the log is signed and anchored, without recomputing it."""
    size, last = raw.size(conn), newest(conn, trust_of(place, settings))
    signed = last.size if last else 0
    first = list(raw.lines(conn, signed - 1, signed))
    book = anchors.Book.read(place.root / "data")
    return LogState(size, signed, _time_of(first[0] if first else None), tuple(_behind(conn, settings, book, signed)))


def _behind(
    conn: Connection, settings: AuditSettings, book: anchors.Book, signed: int
) -> Iterator[tuple[str, datetime]]:
    """Yield the anchors that lack the newest checkpoint, and since when the oldest one they lack is there."""
    columns = checkpoint.c
    for anchor in settings.anchors:
        lacking = (columns.size > book.size(anchor.name)) & (columns.size <= signed)
        since = conn.execute(select(func.min(columns.added_at)).where(lacking)).scalar_one()
        if since is not None:
            yield anchor.name, since


def _time_of(line: bytes | None) -> datetime | None:
    try:
        return parse_stamp(orjson.loads(line)["ts"]) if line else None
    except (ValueError, KeyError, TypeError):
        return None


def pins(place: Workspace, settings: AuditSettings) -> list[Pin]:
    """Return the newest believable checkpoint of each place outside the database that can be read from here."""
    trust, origin = trust_of(place, settings), origin_of(place, settings)
    held = {f"anchor:{anchor.name}": anchors.notes_in(anchor.path) for anchor in settings.anchors if anchor.path}
    with contextlib.suppress(KeyMissing):  # it may be another account's
        if signing.readable(place.signer):
            held["signer"] = iter([signing.load(place.signer).note])
    found = []
    for subject, texts in held.items():
        said = [pin for text in texts if (pin := _pin(text, subject, origin)) and trust(text, pin.size, pin.root)]
        found += sorted(said)[-1:]
    return sorted(found)


def _pin(text: str, subject: str, origin: str) -> Pin | None:
    try:
        said = note.parse_checkpoint(note.parse(text).text)
    except ValueError:
        return None
    return Pin(said.size, said.root, text, subject) if said.origin == origin else None
