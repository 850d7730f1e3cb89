"""What may be a notice: codes, numbers and times; nothing of a person, whoever calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from farends import Outbox
from sqlalchemy import select

from crmctl.errors import InvalidInput
from crmctl.notify.queue import Notice, check, queue
from crmctl.notify.tables import notification
from crmctl.store.engine import read, write

Made = Callable[..., Notice]
GOOD = Notice(
    "group", "complaint:CMP-20261121-0007", "level2", "complaint.warn", datetime(2026, 11, 21, 9, tzinfo=UTC), "A1",
    {"stage": "verify", "left_minutes": 120, "at": "2026-11-21T09:00:00Z", "case": "CMP-20261121-0007", "unit": "HZ"},
)  # fmt: skip


def test_codes_numbers_and_times_are_a_notice() -> None:
    subjects = [
        replace(GOOD, subject=subject) for subject in ("customer:123", "channel:managers_group", "request:REQ-17")
    ]
    recipients = [replace(GOOD, recipient=recipient) for recipient in ("", "10017", "service_manager", "E.2026-17")]
    refused = []
    for notice in (GOOD, *subjects, *recipients):
        try:
            check(notice)
        except ValueError as problem:
            refused.append((notice, problem))
    assert refused == []


@pytest.mark.parametrize(
    "change",
    [
        {"channel": "组"},
        {"subject": "complaint:王小明"},
        {"subject": "customer:13812345678"},
        {"subject": "complaint CMP-20261121-0007"},
        {"event": "call 13812345678"},
        {"event": "13812345678"},
        {"event": "e13812345678"},
        {"text_code": "Text"},
        {"recipient": "anna@example.cn"},
        {"recipient": "13812345678"},
        {"recipient": "王小明"},
        {"due_at": datetime(2026, 11, 21, 9)},  # noqa: DTZ001 - the point of it
        {"data": {"name": "王小明"}},
        {"data": {"name": "Wang Xiaoming"}},
        {"data": {"mobile": "13812345678"}},
        {"data": {"mobile": 13812345678}},
        {"data": {"mail": "wang@example.cn"}},
        {"data": {"mobile": "x13812345678"}},
        {"data": {"Name": "a"}},
        {"data": {"name": ""}},
        {"data": {"rate": 1.5}},
        {"data": {"less": -1}},
        {"data": {"sure": True}},
        {"data": {"none": None}},
        {"data": {f"n{n}": "a" * 40 for n in range(30)}},
    ],
    ids=str,
)
def test_anything_else_is_refused_without_saying_it(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="notice: ") as refused:
        check(replace(GOOD, **change))
    assert not any(word in str(refused.value) for word in ("王", "138", "wang", "Wang", "anna"))


def test_a_notice_is_there_with_what_it_is_about_or_not_at_all(outbox: Outbox, notice: Made) -> None:
    outbox.channels("{code: group, labels: {zh: 群, en: G}, by: command, command: [/bin/true]}")
    with outbox.run() as run, pytest.raises(ZeroDivisionError), write(run.engine) as conn:
        assert queue(conn, run, [notice(1), notice(2)]) == 2
        raise ZeroDivisionError
    assert outbox.rows() == []
    first, second = outbox.queued(notice(1), notice(2, due_at=GOOD.due_at, data={"left_minutes": 5}))
    assert second == first + 1
    row = outbox.rows()[1]
    assert (row["state"], row["attempts"], row["due_at"], row["data"]) == (
        "waiting", 0, GOOD.due_at, '{"left_minutes":5}',
    )  # fmt: skip


def test_an_unknown_channel_is_refused_before_anything(outbox: Outbox, notice: Made) -> None:
    outbox.channels("{code: group, labels: {zh: 群, en: G}, by: command, command: [/bin/true]}")
    with outbox.run() as run, write(run.engine) as conn:
        with pytest.raises(InvalidInput) as refused:
            queue(conn, run, [notice(1), notice(2, "other")])
        assert refused.value.code == "CHANNEL_UNKNOWN"
        assert queue(conn, run, []) == 0
        assert queue(conn, replace(run, run_id=None), [notice(1)]) == 0  # a dry run
        assert conn.execute(select(notification)).all() == []
    with outbox.run() as run, read(run.engine) as conn:
        assert conn.execute(select(notification)).all() == []
