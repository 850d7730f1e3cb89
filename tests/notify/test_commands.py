"""`crmctl notify …` as people and cron use it, who may, and what doctor says."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import golden
import pytest
from desks import ADMIN, AUDITOR, STEWARD, SUPERVISOR
from farends import CANARY, Outbox, Robot
from sqlalchemy import update

from crmctl.notify.queue import Notice
from crmctl.notify.tables import notification
from crmctl.security import locks
from crmctl.store.engine import write
from crmctl.workspace import find

Made = Callable[..., Notice]


def test_the_list_says_what_waits_and_why(outbox: Outbox, robot: Robot, notice: Made) -> None:
    outbox.channels(outbox.robot("wecom", robot.url))
    due = datetime(2026, 11, 21, 9, tzinfo=UTC)
    first, second = outbox.queued(notice(1, due_at=due, recipient="A1"), notice(2))
    told = outbox.desk.json(SUPERVISOR, "notify", "list")["notices"]
    assert [each["notice"] for each in told] == [second, first]
    assert told[1] | {"created_at": "", "run": 0} == {
        "notice": first, "state": "waiting", "channel": "group", "recipient": "A1",
        "line": "CMP-20261121-0001 warn, due 11-21 17:00", "subject": "complaint:CMP-20261121-0001", "event": "warn",
        "text": "notify.about", "data": {}, "due": "2026-11-21T17:00:00+08:00", "attempts": 0, "failure": None,
        "created_at": "", "tried_at": None, "sent_at": None, "run": 0,
    }  # fmt: skip
    robot.status = 404
    outbox.json("notify", "send", status=1)
    shown = outbox.desk.say(AUDITOR, "notify", "list").stdout
    assert "the host answered with status 404" in shown
    assert len(outbox.json("notify", "list", "--limit", "1")["notices"]) == 1
    assert [each["notice"] for each in outbox.json("notify", "list", "--before", second)["notices"]] == [first]
    assert outbox.json("notify", "list", "--state", "sent")["notices"] == []


def test_who_may_do_what(outbox: Outbox, notice: Made) -> None:
    """Reading is for administrators, auditors and supervisors; what changes something for administrators alone."""
    for uid in (AUDITOR, SUPERVISOR):
        outbox.desk.json(uid, "notify", "list")
        for words in (("send",), ("retry",), ("test", "group"), ("drop", "1", "--reason", "other")):
            assert outbox.desk.refusal(uid, "notify", *words) == "ACT_NOT_GRANTED"
    assert outbox.desk.refusal(STEWARD, "notify", "list") == "ACT_NOT_GRANTED"


def test_a_test_message_tells_whether_it_was_taken(outbox: Outbox, robot: Robot) -> None:
    outbox.channels(outbox.robot("wecom", robot.url, more=", lang: en"))
    assert outbox.json("notify", "test", "group")["taken"] is True
    assert robot.texts == ["crmctl, notices: 1\nA test of this channel; nothing is due."]
    robot.answer = b'{"errcode":45009}'
    told = outbox.json("notify", "test", "group", status=1)
    assert (told["taken"], told["code"]) == (False, "ERRCODE_45009")
    assert outbox.rows() == []
    assert [entry["result"] for entry in outbox.desk.entries("notify.test")] == ["done", "failed"]
    assert outbox.desk.refusal(ADMIN, "notify", "test", "other", status=4) == "CHANNEL_UNKNOWN"


def test_dropped_notices_are_not_sent_and_stay_in_the_list(outbox: Outbox, robot: Robot, notice: Made) -> None:
    outbox.channels(outbox.robot("wecom", robot.url))
    first, second, third = outbox.queued(notice(1), notice(2), notice(3))
    drop = ("notify", "drop", first, second, "--reason", "obsolete")
    assert outbox.json(*drop, "--dry-run")["dropped"] == 2
    assert [state for state, _n, _f in outbox.states()] == ["waiting"] * 3
    assert outbox.json(*drop)["dropped"] == 2
    assert outbox.json("notify", "send")["sent"] == 1
    assert outbox.states() == [("dropped", 0, "DROPPED_OBSOLETE")] * 2 + [("sent", 0, None)]
    entries = outbox.desk.entries("notify.drop")
    assert [entry["obj"] for entry in entries] == [f"notification:{first}", f"notification:{second}"]
    assert [entry["codes"] for entry in entries] == [["DROPPED_OBSOLETE"]] * 2
    for number, code in ((first, "NOTICE_CLOSED"), (third, "NOTICE_CLOSED"), (99, "NOTICE_UNKNOWN")):
        assert outbox.desk.refusal(ADMIN, "notify", "drop", number, "--reason", "other", status=1) == code


def test_a_retry_of_one_channel_leaves_the_others(outbox: Outbox, robot: Robot, notice: Made) -> None:
    one, two = (outbox.robot("wecom", robot.url, code, ", attempts: 1") for code in ("one", "two"))
    outbox.channels(one, two)
    outbox.queued(notice(1, "one"), notice(2, "two"))
    robot.status = 500
    assert outbox.json("notify", "send", status=1)["failed"] == 2
    assert outbox.json("notify", "retry", "--channel", "one", "--dry-run")["revived"] == 1
    assert outbox.json("notify", "retry", "--channel", "one")["revived"] == 1
    assert [state for state, _n, _f in outbox.states()] == ["waiting", "failed"]
    assert outbox.desk.refusal(ADMIN, "notify", "retry", "--channel", "three", status=4) == "CHANNEL_UNKNOWN"


def test_while_another_process_delivers(outbox: Outbox, robot: Robot, notice: Made) -> None:
    """`send` says that it is locked; a run that only wants to send in passing goes on at once."""
    from crmctl.notify.deliver import LOCK, Delivery, deliver

    outbox.channels(outbox.robot("wecom", robot.url))
    outbox.queued(notice())
    engine = outbox.desk.engine if outbox.desk.engine.dialect.name == "postgresql" else None
    with locks.hold(LOCK, workspace=outbox.folder, engine=engine, instance=find(outbox.folder).instance):
        assert outbox.desk.refusal(ADMIN, "notify", "send", "--lock-timeout", "0", status=11) == "LOCKED"
        with outbox.run() as run:
            assert deliver(run) == Delivery(waiting=1, busy=True)
    assert outbox.json("notify", "send")["sent"] == 1


def doctor(outbox: Outbox) -> list[tuple[str, str]]:
    done = outbox.desk.say(ADMIN, "doctor", "-o", "json")
    found = json.loads(done.stdout)["findings"]
    return [(each["level"], each["message"]) for each in found if each["subject"] == "notices"]


def test_doctor_tells_what_failed_what_waits_and_which_files_are_open(
    outbox: Outbox, robot: Robot, notice: Made
) -> None:
    assert doctor(outbox) == []
    outbox.channels(outbox.robot("wecom", robot.url, more=", attempts: 1"), late_after="2 hours")
    outbox.queued(notice(1))
    assert doctor(outbox) == []
    robot.status = 500
    outbox.json("notify", "send", status=1)
    assert doctor(outbox) == [("warns", "notices that failed: 1")]
    outbox.queued(notice(2))
    with write(outbox.desk.engine) as conn:
        conn.execute(
            update(notification)
            .where(notification.c.state == "waiting")
            .values(created_at=datetime.now(UTC) - timedelta(hours=3))
        )
    assert ("warns", "notices wait for longer than 2 hours") in doctor(outbox)
    outbox.private("group.url", robot.url, 0o644)
    (level, message) = doctor(outbox)[0]
    assert level == "wrong"
    assert "others may read it" in message
    outbox.private("group.url", f"http://elsewhere.example.cn/{CANARY}")
    assert doctor(outbox)[0] == ("wrong", "group: webhook_file holds no https address")
    (outbox.folder / "group.url").unlink()
    assert doctor(outbox)[0][0] == "wrong"


@pytest.mark.parametrize("mode", ["off", "report"])
def test_doctor_tells_that_nothing_is_sent(outbox: Outbox, robot: Robot, mode: str) -> None:
    outbox.channels(outbox.robot("wecom", robot.url))
    outbox.desk.edit("notify.yaml", "settings:\n", f"mode: {mode}\nsettings:\n")
    assert doctor(outbox) == [("warns", "notify.yaml is not in mode enforce: notices wait")]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_what_people_see(outbox: Outbox, robot: Robot, notice: Made, lang: str) -> None:
    outbox.channels(outbox.robot("wecom", robot.url, more=", attempts: 2"))
    first, *_more = outbox.queued(
        notice(1, due_at=datetime(2026, 11, 21, 9, tzinfo=UTC), recipient="A1"),
        notice(2, event="overdue", due_at=datetime(2026, 11, 20, 9, tzinfo=UTC)),
    )
    robot.answer = b'{"errcode":93000}'
    text = ""
    for words in (
        ["notify", "--help"],
        ["notify", "send", "--help"],
        ["notify", "send", "--dry-run"],
        ["notify", "send"],
        ["notify", "list"],
        ["notify", "drop", str(first), "--reason", "obsolete"],
        ["notify", "retry"],
        ["notify", "test", "group"],
        ["notify", "test", "nobody"],
        ["notify", "send", "-q"],
    ):
        done = outbox.desk.say(ADMIN, *words, env={"CRMCTL_LANG": lang, "COLUMNS": "80"})
        lines = [*done.stdout.splitlines(), *(f"! {line}".rstrip() for line in done.stderr.splitlines())]
        text += f"$ crmctl {' '.join(words)}\n" + "".join(f"{line}\n" for line in lines)
        text += f"[exit {done.exit_code}]\n\n"
    golden.check(f"notify.{lang}", text, {r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+08:00": "YYYY-MM-DDTHH:MM:SS+08:00"})
