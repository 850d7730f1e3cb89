"""Write notices into the outbox, in the transaction of what they are about: both are there, or neither."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import orjson
from sqlalchemy import Connection, insert

from crmctl.errors import InvalidInput
from crmctl.i18n import _
from crmctl.notify.policy import settings_of
from crmctl.notify.tables import notification
from crmctl.runs.run import Run
from crmctl.store import counters

WAITING, SENT, FAILED, DROPPED = "waiting", "sent", "failed", "dropped"
STATES = (WAITING, SENT, FAILED, DROPPED)
MOST_DATA = 1000  # bytes of its JSON
MOST_NUMBER = 2**31

Value = int | str

_CODE = re.compile(r"[a-z][a-z0-9_.-]{0,39}", re.ASCII)
_SUBJECT = re.compile(r"[a-z][a-z_]{0,31}:(?:[0-9]{1,10}|[A-Z]{1,10}(?:-[0-9]{1,10}){1,2}|[a-z][a-z0-9_.-]{0,39})")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}", re.ASCII)
_CASE = re.compile(r"[A-Z]{1,10}(?:-[0-9]{1,10}){1,2}", re.ASCII)
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)
_MANY_DIGITS = re.compile(r"[0-9]{7}", re.ASCII)  # a telephone or ID number dressed up as a code
_MOBILE_DIGITS = re.compile(r"[0-9]{11}", re.ASCII)


@dataclass(frozen=True)
class Notice:
    """One notice: to which channel, what it is about, what happens when, whom it concerns, which message it becomes.

    `subject` is a kind and a number (`complaint:CMP-20261121-0007`), `recipient` a staff number or post, "" whoever
    reads the channel. `data` is what the message names: codes, numbers, times (`clock.stamp`); of a name that ends in
    `_minutes` the message shows hours and minutes. Never anything of a customer's person.
    """

    channel: str
    subject: str
    event: str
    text_code: str
    due_at: datetime | None = None
    recipient: str = ""
    data: Mapping[str, Value] = field(default_factory=dict)


def queue(conn: Connection, run: Run, notices: Sequence[Notice]) -> int:
    """Write notices within the caller's transaction; return how many. A dry run writes none.

    Raises InvalidInput for a channel that notify.yaml does not name, ValueError, naming the part and never its value,
    for what is not of its form: both before anything is written. On PostgreSQL numbers are taken in the transaction:
    call it late.
    """
    settings = settings_of(run.policies)
    for notice in notices:
        check(notice)
        if settings.channel(notice.channel) is None:
            raise InvalidInput(
                _("{channel}: no such channel in notify.yaml").format(channel=notice.channel),
                hint=_("add it to policies/notify.yaml, or name another where it is wanted"),
                code="CHANNEL_UNKNOWN",
            )
    if run.run_id is None or not notices:
        return 0
    first = counters.take(conn, "notification", len(notices))
    conn.execute(insert(notification), [_row(first + place, notice, run) for place, notice in enumerate(notices)])
    return len(notices)


def _row(number: int, notice: Notice, run: Run) -> dict[str, object]:
    return {
        "notification_id": number,
        "channel": notice.channel,
        "subject": notice.subject,
        "event": notice.event,
        "due_at": notice.due_at,
        "recipient": notice.recipient,
        "text_code": notice.text_code,
        "data": _json(notice.data),
        "run_id": run.run_id,
        "created_at": run.at,
        "state": WAITING,
        "attempts": 0,
        "tried_at": None,
        "sent_at": None,
        "failure": None,
    }


def check(notice: Notice) -> None:
    """Raise ValueError, naming the part and never its value, where a notice could hold more than codes."""
    forms = (
        ("channel", _CODE.fullmatch(notice.channel)),
        ("subject", _SUBJECT.fullmatch(notice.subject)),
        ("event", _is_code(notice.event)),
        ("text_code", _is_code(notice.text_code)),
        ("recipient", not notice.recipient or _is_recipient(notice.recipient)),
        ("data", len(_json(notice.data)) <= MOST_DATA),
        ("due_at", notice.due_at is None or notice.due_at.tzinfo is not None),
    )
    for part, fits in forms:
        if not fits:
            raise ValueError(f"notice: {part} is not of its form")
    for name, value in notice.data.items():
        if not _NAME.fullmatch(name):
            raise ValueError("notice: a name of data is not of its form")
        if not _is_value(value):
            raise ValueError(f"notice: data {name} is no code, number or time")


def _is_code(text: str) -> bool:
    return bool(_CODE.fullmatch(text)) and not _MANY_DIGITS.search(text)


def _is_recipient(text: str) -> bool:
    return bool(_WORD.fullmatch(text)) and not _MOBILE_DIGITS.search(text)


def _is_value(value: object) -> bool:
    if type(value) is int:
        return 0 <= value < MOST_NUMBER
    if not isinstance(value, str):
        return False
    if _TIME.fullmatch(value) or _CASE.fullmatch(value):
        return True
    return bool(_WORD.fullmatch(value)) and not _MANY_DIGITS.search(value)


def _json(data: Mapping[str, Value]) -> str:
    return orjson.dumps(dict(data), option=orjson.OPT_SORT_KEYS).decode()
