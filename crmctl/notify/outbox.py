"""The outbox: what waits for which channel, and what became of it. Short transactions; the sending is elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, case, func, select, update

from crmctl.notify.policy import Channel, NotifySettings, duration
from crmctl.notify.queue import FAILED, SENT, WAITING
from crmctl.notify.tables import notification

MOST = 10_000  # notices of one digest; more make another one
_BATCH = 500  # numbers of one statement

T = TypeVar("T")

_C = notification.c
_UNSENT = _C.sent_at.is_(None)  # as the index says it


@dataclass(frozen=True)
class Ready:
    """What a channel can be sent now: of these recipients everything that waits; `tries` those in vain so far."""

    channel: Channel
    recipients: tuple[str, ...]
    tries: int
    oldest: int


def waiting(conn: Connection) -> int:
    """Return how many notices wait."""
    return int(conn.execute(select(func.count()).where(_C.state == WAITING, _UNSENT)).scalar_one())


def ready(conn: Connection, settings: NotifySettings, at: datetime) -> list[Ready]:
    """Return the channels with something to send that do not rest: those that failed least, then the oldest first.

    A channel rests for its `retry_after` from its last attempt in vain; of one that writes to each recipient apart,
    that recipient does.
    """
    found = []
    for code, rows in _standing(conn).items():
        channel = settings.channel(code)
        if channel is None:
            continue
        if channel.by_person:
            rows = [row for row in rows if not _rests(row.tried, channel, at)]
        elif any(_rests(row.tried, channel, at) for row in rows):
            rows = []
        if rows:
            recipients = tuple(row.recipient for row in rows)
            found.append(Ready(channel, recipients, max(row.tries for row in rows), min(row.oldest for row in rows)))
    return sorted(found, key=lambda each: (each.tries, each.oldest))


def unknown(conn: Connection, settings: NotifySettings) -> list[str]:
    """Return the channels that notices wait for and notify.yaml does not name (any more)."""
    return sorted(code for code in _standing(conn) if settings.channel(code) is None)


def _standing(conn: Connection) -> Mapping[str, list[Any]]:
    query = (
        select(
            _C.channel, _C.recipient, func.max(_C.tried_at).label("tried"), func.max(_C.attempts).label("tries"),
            func.min(_C.notification_id).label("oldest"),
        )
        .where(_C.state == WAITING, _UNSENT)
        .group_by(_C.channel, _C.recipient)
        .order_by(_C.channel, _C.recipient)
    )  # fmt: skip
    found: dict[str, list[Any]] = {}
    for row in conn.execute(query):
        found.setdefault(row.channel, []).append(row)
    return found


def _rests(tried: datetime | None, channel: Channel, at: datetime) -> bool:
    """Whether an attempt in vain was just made; one of the future (a clock set back) counts for nothing."""
    return tried is not None and tried <= at < tried + duration(channel.retry_after)


def rows_of(conn: Connection, what: Ready) -> list[Mapping[str, Any]]:
    """Return what waits, oldest first, at most `MOST`."""
    query = select(notification).where(_C.channel == what.channel.code, _C.state == WAITING, _UNSENT)
    found: list[Mapping[str, Any]] = []
    for some in _batches(what.recipients):
        chosen = query.where(_C.recipient.in_(some)).order_by(_C.notification_id).limit(MOST - len(found))
        found += [row._asdict() for row in conn.execute(chosen)]
    return found


def mark_sent(conn: Connection, numbers: Collection[int], at: datetime) -> int:
    """Mark what waits as sent; return how many."""
    values = {"state": SENT, "sent_at": at, "tried_at": at, "failure": None}
    return _mark(conn, numbers, values)


def mark_tried(conn: Connection, numbers: Collection[int], at: datetime, failure: str, attempts: int) -> int:
    """Count an attempt in vain; what was tried `attempts` times has failed. Return how many were marked."""
    tries = _C.attempts + 1
    state = case((tries >= attempts, FAILED), else_=WAITING)
    return _mark(conn, numbers, {"state": state, "attempts": tries, "tried_at": at, "failure": failure})


def mark_untried(conn: Connection, numbers: Collection[int], failure: str) -> int:
    """Note why nothing was even tried, where it is not noted yet; return how many were marked."""
    return _mark(conn, numbers, {"failure": failure}, _C.failure.is_distinct_from(failure))


def _mark(conn: Connection, numbers: Collection[int], values: Mapping[str, Any], *also: ColumnElement[bool]) -> int:
    marked = 0
    for some in _batches(numbers):
        chosen = update(notification).where(_C.notification_id.in_(some), _C.state == WAITING, *also)
        marked += conn.execute(chosen.values(**values)).rowcount
    return marked


def _batches(values: Collection[T]) -> Iterator[Sequence[T]]:
    ordered = list(values)
    for begin in range(0, len(ordered), _BATCH):
        yield ordered[begin : begin + _BATCH]


def newest(conn: Connection, states: Collection[str], before: int | None, limit: int) -> list[Mapping[str, Any]]:
    """Return notices of these states, newest first."""
    query = select(notification).where(_C.state.in_(states))
    if before is not None:
        query = query.where(_C.notification_id < before)
    return [row._asdict() for row in conn.execute(query.order_by(_C.notification_id.desc()).limit(limit))]


def states_of(conn: Connection, numbers: Collection[int], *, locked: bool = True) -> dict[int, str]:
    """Return the states of notices, by default locked until the transaction ends; what does not exist is left out."""
    found: dict[int, str] = {}
    for some in _batches(numbers):
        query = select(_C.notification_id, _C.state).where(_C.notification_id.in_(some))
        found |= {row.notification_id: row.state for row in conn.execute(query.with_for_update() if locked else query)}
    return found


def count_failed(conn: Connection, channel: str | None) -> int:
    """Return how many notices have failed, of one channel or of all."""
    of = () if channel is None else (_C.channel == channel,)
    return int(conn.execute(select(func.count()).where(_C.state == FAILED, _UNSENT, *of)).scalar_one())


def oldest_waiting(conn: Connection) -> datetime | None:
    """Return since when the oldest notice waits; None where none does."""
    found: datetime | None = conn.execute(
        select(func.min(_C.created_at, type_=_C.created_at.type)).where(_C.state == WAITING, _UNSENT)
    ).scalar_one()
    return found


def revive(conn: Connection, channel: str | None) -> int:
    """Let failed notices wait again, and what waits be tried at once; return how many had failed."""
    of = () if channel is None else (_C.channel == channel,)
    again = {"state": WAITING, "attempts": 0, "tried_at": None}
    revived = conn.execute(update(notification).where(_C.state == FAILED, _UNSENT, *of).values(**again)).rowcount
    conn.execute(update(notification).where(_C.state == WAITING, _UNSENT, *of).values(tried_at=None))
    return int(revived)


def drop(conn: Connection, numbers: Collection[int], state: str, failure: str) -> None:
    """Give notices that are not sent their last state."""
    for some in _batches(numbers):
        conn.execute(update(notification).where(_C.notification_id.in_(some)).values(state=state, failure=failure))
