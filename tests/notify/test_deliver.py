"""Delivery by real channels: a server for the robots, programs, folders of mail; on both databases."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import mailbox
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import children
import pytest
from desks import ADMIN
from farends import CANARY, Outbox, Robot

from crmctl.notify.deliver import Delivery, deliver
from crmctl.notify.queue import Notice

Made = Callable[..., Notice]
DUE = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
DINGTALK_SECRET = "SEC" + CANARY


def program(folder: Path, body: str) -> str:
    """Write a program in Python and return it as a channel's words."""
    path = folder / "program.py"
    path.write_text("import json, os, sys, time\n" + body, "utf-8")
    return f"[{sys.executable}, {path}]"


def commanded(words: str, more: str = "") -> str:
    return (
        f"{{code: group, labels: {{zh: 网关, en: Gateway}}, by: command, command: {words}, timeout: 5 seconds{more}}}"
    )


def test_wecom_gets_one_text_message_with_the_notices(outbox: Outbox, robot: Robot, notice: Made) -> None:
    """Issue 6, 4: the robot of a WeCom group; one digest, nearest limits first, in the channel's language."""
    outbox.private("userids", "A1 anna  # of the register\nB2 ben\n")
    outbox.channels(outbox.robot("wecom", robot.url, more=", people_file: userids"))
    outbox.queued(notice(1), notice(2, due_at=DUE, recipient="A1"), notice(3, recipient="Z9"))
    with outbox.run() as run:
        done = deliver(run)
    assert done == Delivery(sent=3)
    assert [state for state, _n, _f in outbox.states()] == ["sent"] * 3
    body = robot.bodies[0]
    assert len(robot.bodies) == 1
    assert body["msgtype"] == "text"
    assert body["text"]["mentioned_list"] == ["anna"]
    lines = body["text"]["content"].split("\n")
    assert [line.split()[0] for line in lines[1:]] == [f"CMP-20261121-000{n}" for n in (2, 1, 3)]
    assert "11-21 17:00" in lines[1]


def test_dingtalk_is_signed_as_an_independent_computation_says(outbox: Outbox, robot: Robot, notice: Made) -> None:
    outbox.private("secret", DINGTALK_SECRET + "\n")
    outbox.private("userids", "A1 manager7\n")
    outbox.channels(outbox.robot("dingtalk", robot.url, more=", secret_file: secret, people_file: userids"))
    outbox.queued(notice(recipient="A1"))
    with outbox.run() as run:
        assert deliver(run).sent == 1
    asked = parse_qs(urlsplit(robot.paths[0]).query)
    assert asked["key"] == [CANARY]
    proof = hmac.digest(
        DINGTALK_SECRET.encode(), f"{asked['timestamp'][0]}\n{DINGTALK_SECRET}".encode(), hashlib.sha256
    )
    assert base64.b64decode(asked["sign"][0]) == proof
    assert len(asked["timestamp"][0]) == 13
    assert robot.bodies[0]["at"] == {"atUserIds": ["manager7"], "isAtAll": False}
    assert robot.texts[0].endswith("@manager7")


def test_a_digest_is_no_flood(outbox: Outbox, robot: Robot, notice: Made) -> None:
    """Fifty notices are one message with so many lines, and how many more there are."""
    outbox.channels(outbox.robot("wecom", robot.url, more=", at_most: 8, lang: en"))
    outbox.queued(*(notice(number) for number in range(50)))
    with outbox.run() as run:
        assert deliver(run).sent == 50
    (text,) = robot.texts
    lines = text.split("\n")
    assert len(lines) == 10
    assert lines[0] == "crmctl, notices: 50"
    assert lines[-1] == "and 42 more"


def test_a_message_keeps_within_what_wecom_takes(outbox: Outbox, robot: Robot, notice: Made) -> None:
    outbox.channels(outbox.robot("wecom", robot.url, more=", at_most: 200"))
    outbox.queued(*(notice(number) for number in range(200)))
    with outbox.run() as run:
        assert deliver(run).sent == 200
    (text,) = robot.texts
    assert 1500 < len(text.encode()) <= 2048
    shown = text.count("CMP-")
    assert str(200 - shown) in text.split("\n")[-1]


@pytest.mark.parametrize(
    ("status", "answer", "code"),
    [
        (500, b"oops", "HTTP_500"),
        (200, b'{"errcode":93000,"errmsg":"invalid webhook url"}', "ERRCODE_93000"),
        (200, b'{"errcode":-1}', "ERRCODE_1"),
        (200, b'{"errcode":12345678901}', "ERRCODE_OTHER"),
        (200, b"<html>", "ANSWER_UNREADABLE"),
        (200, b'{"errcode":"0"}', "ANSWER_UNREADABLE"),
        (200, b"[" * 60_000, "ANSWER_UNREADABLE"),
        (200, b" " * 70_000, "ANSWER_UNREADABLE"),
    ],
)
def test_what_a_robot_refuses_waits(
    outbox: Outbox, robot: Robot, notice: Made, status: int, answer: bytes, code: str
) -> None:
    outbox.channels(outbox.robot("wecom", robot.url))
    outbox.queued(notice())
    robot.status, robot.answer = status, answer
    with outbox.run() as run:
        assert deliver(run) == Delivery(waiting=1, failures=(("group", code),))
    assert outbox.states() == [("waiting", 1, code)]
    (entry,) = outbox.desk.entries("notify.send")
    assert (entry["obj"], entry["result"], entry["codes"]) == ("channel:group", "failed", [code])


def test_no_redirect_is_followed(outbox: Outbox, robot: Robot, notice: Made) -> None:
    outbox.channels(outbox.robot("wecom", robot.url))
    outbox.queued(notice())
    robot.status, robot.headers = 307, {"Location": robot.url}
    with outbox.run() as run:
        assert deliver(run).failures == (("group", "REDIRECT"),)
    assert len(robot.bodies) == 1


def test_no_proxy_of_the_environment_is_used(
    outbox: Outbox, robot: Robot, notice: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    outbox.channels(outbox.robot("wecom", robot.url))
    outbox.queued(notice())
    with outbox.run() as run:
        assert deliver(run).sent == 1


@pytest.mark.parametrize("trickles", [b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"x"])
def test_a_hanging_robot_does_not_hold_the_run(outbox: Outbox, robot: Robot, notice: Made, trickles: bytes) -> None:
    """Issue 6, 4: never blocking the run: delivery comes back, and the notice waits."""
    outbox.channels(outbox.robot("wecom", robot.url).replace("timeout: 5 seconds", "timeout: 1 second"))
    outbox.queued(notice())
    robot.hangs, robot.trickles = True, trickles
    with outbox.run() as run:
        assert deliver(run).failures == (("group", "TIMEOUT"),)
    assert outbox.states() == [("waiting", 1, "TIMEOUT")]
    assert not robot.freed.is_set()


def test_many_hanging_channels_do_not_add_up(outbox: Outbox, robot: Robot, notice: Made) -> None:
    """A run spends `spend_at_most` on all of them together; those it has no time for are not tried, nor counted."""
    channels = [outbox.robot("wecom", robot.url, f"c{n}").replace("timeout: 5", "timeout: 1") for n in range(6)]
    outbox.channels(*(channel.replace("1 seconds", "1 second") for channel in channels), spend_at_most="3 seconds")
    outbox.queued(*(notice(n, f"c{n}") for n in range(6)))
    robot.hangs = True
    with outbox.run() as run:
        done = deliver(run)
    assert (done.sent, done.waiting) == (0, 6)
    assert 1 <= len(done.failures) <= 3
    tried = [row["attempts"] for row in outbox.rows()]
    assert sum(tried) == len(done.failures) == len(robot.bodies)


def test_a_channel_that_hangs_does_not_starve_the_others(outbox: Outbox, robot: Robot, notice: Made) -> None:
    outbox.channels(
        outbox.robot("wecom", "http://127.0.0.1:1/", "dead"),
        outbox.robot("wecom", robot.url, "group"),
    )
    outbox.queued(notice(1, "dead"), notice(2, "group"))
    with outbox.run() as run:
        done = deliver(run)
    assert (done.sent, done.waiting, done.failures) == (1, 1, (("dead", "REFUSED"),))


def test_a_channel_rests_and_then_fails(outbox: Outbox, robot: Robot, notice: Made) -> None:
    """It is not tried again at once, whoever runs; after `attempts` in vain its notices have failed."""
    channel = outbox.robot("wecom", robot.url, more=", attempts: 2")
    outbox.channels(channel)
    outbox.queued(notice(1))
    robot.status = 503
    assert outbox.json("notify", "send", status=1)["failures"] == [{"channel": "group", "code": "HTTP_503"}]
    outbox.queued(notice(2))
    assert outbox.json("notify", "send")["waiting"] == 2  # it rests for an hour
    assert len(robot.bodies) == 1
    outbox.json("notify", "retry")  # nothing rests any more; attempts count on
    assert outbox.json("notify", "send", status=1)["failed"] == 1
    assert [state for state, _n, _f in outbox.states()] == ["failed", "waiting"]
    assert outbox.json("notify", "list", "--state", "failed")["notices"][0]["failure"] == "HTTP_503"
    robot.status = 200
    assert outbox.json("notify", "retry")["revived"] == 1
    assert outbox.json("notify", "send")["sent"] == 2
    assert outbox.json("notify", "send")["run_id"] is None  # nothing to do leaves no run


@pytest.mark.parametrize("url", ["http://robot.example.cn/send", "ftp://127.0.0.1/x", "https://user@127.0.0.1/", "no"])
def test_only_https_leaves_this_machine(outbox: Outbox, notice: Made, url: str) -> None:
    outbox.channels(outbox.robot("wecom", url))
    outbox.queued(notice())
    with outbox.run() as run:
        assert deliver(run).failures == (("group", "WEBHOOK_INVALID"),)
    assert outbox.states() == [("waiting", 0, "WEBHOOK_INVALID")]


@pytest.mark.parametrize("mode", [0o644, 0o640])
def test_a_secret_that_others_may_read_is_not_used(outbox: Outbox, robot: Robot, notice: Made, mode: int) -> None:
    outbox.channels(outbox.robot("wecom", robot.url))
    outbox.private("group.url", robot.url, mode)
    outbox.queued(notice())
    with outbox.run() as run:
        assert deliver(run).failures == (("group", "FILE_UNREADABLE"),)
        assert deliver(run).failures == (("group", "FILE_UNREADABLE"),)
    assert robot.bodies == []
    assert outbox.states() == [("waiting", 0, "FILE_UNREADABLE")]  # nothing was sent: no attempt
    assert len(outbox.desk.entries("notify.send")) == 1  # said once
    outbox.private("group.url", robot.url)
    with outbox.run() as run:
        assert deliver(run).sent == 1


def test_a_program_reads_the_digest(outbox: Outbox, notice: Made) -> None:
    out = outbox.folder / "out.json"
    words = program(outbox.folder, f"open({str(out)!r}, 'w').write(sys.stdin.read())\nprint('x' * 300_000)")
    outbox.channels(commanded(words, ", lang: en"))
    outbox.queued(notice(due_at=DUE, recipient="A1", data={"left_minutes": 120, "stage": "verify"}))
    with outbox.run() as run:
        assert deliver(run).sent == 1  # its flood of output goes nowhere
    told = json.loads(out.read_text("utf-8"))
    assert (told["schema"], told["channel"], told["title"]) == ("crmctl/notify-digest/1", "group", "crmctl, notices: 1")
    assert told["notices"][0] == {
        "line": "CMP-20261121-0007 warn, due 11-21 17:00",
        "subject": "complaint:CMP-20261121-0007",
        "event": "warn",
        "due": "2026-11-21T09:00:00+00:00",
        "recipient": "A1",
        "text": "notify.about",
        "data": {"left_minutes": 120, "stage": "verify"},
    }


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("sys.exit(3)", "EXIT_3"),
        ("os.kill(os.getpid(), 9)", "SIGNAL_9"),
        ("time.sleep(60)", "TIMEOUT"),
        ("os.fork() and time.sleep(60) or time.sleep(60)", "TIMEOUT"),
    ],
)
def test_a_program_that_fails_or_hangs(outbox: Outbox, notice: Made, body: str, code: str) -> None:
    words = program(outbox.folder, body)
    outbox.channels(commanded(words).replace("timeout: 5 seconds", "timeout: 1 second"))
    outbox.queued(notice())
    with outbox.run() as run:
        assert deliver(run).failures == (("group", code),)
    assert outbox.states() == [("waiting", 1, code)]


def test_a_program_gets_no_secret_of_the_environment(
    outbox: Outbox, notice: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRMCTL_ANYTHING", CANARY)
    out = outbox.folder / "out.json"
    outbox.channels(commanded(program(outbox.folder, f"open({str(out)!r}, 'w').write(json.dumps(dict(os.environ)))")))
    outbox.queued(notice())
    with outbox.run() as run:
        assert deliver(run).sent == 1
    assert CANARY not in out.read_text("utf-8")


MAIL = (
    "{code: group, labels: {zh: 邮件, en: Mail}, by: mail, spool: spool/mail, from: crm@example.cn, people_file: who}"
)


def test_mail_is_one_message_for_each_recipient(outbox: Outbox, notice: Made) -> None:
    outbox.private("who", "A1 anna@example.cn\nB2 ben@example.cn\n* desk@example.cn\n")
    outbox.channels(MAIL)
    outbox.queued(*(notice(n, recipient=who) for n, who in enumerate(("A1", "A1", "B2", "", "C3"), 1)))
    with outbox.run() as run:
        done = deliver(run)
    assert (done.sent, done.waiting, done.failures) == (4, 1, (("group", "ADDRESS_MISSING"),))
    found = mailbox.Maildir(outbox.folder / "spool" / "mail", create=False)
    read = [message_from_bytes(found.get_bytes(key), policy=policy.default) for key in found.iterkeys()]
    mails = {each["To"]: each for each in read}
    assert len(read) == 3
    assert set(mails) == {"anna@example.cn", "ben@example.cn", "desk@example.cn"}
    mail = mails["anna@example.cn"]
    assert (mail["From"], mail["Auto-Submitted"]) == ("crm@example.cn", "auto-generated")
    assert mail["Message-ID"].endswith("@example.cn>")
    assert mail["Date"].endswith("+0800")
    text = mail.get_content()
    assert [word for word in text.split() if word.startswith("CMP")] == ["CMP-20261121-0001", "CMP-20261121-0002"]
    assert (outbox.folder / "spool" / "mail").stat().st_mode & 0o77 == 0


@pytest.mark.parametrize("address", ["王@example.cn", "nobody", "a@@b", "a@b,c@d"])
def test_an_address_that_no_mailer_takes_is_none(outbox: Outbox, notice: Made, address: str) -> None:
    outbox.private("who", f"A1 {address}\n* desk@example.cn\n")
    outbox.channels(MAIL)
    outbox.queued(notice(1, recipient="A1"), notice(2))
    with outbox.run() as run:
        done = deliver(run)
    assert (done.sent, done.failures) == (1, (("group", "ADDRESS_MISSING"),))


def test_an_error_of_ours_in_one_channel_stops_no_other(
    outbox: Outbox, robot: Robot, notice: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox.private("who", "* desk@example.cn\n")
    outbox.channels(MAIL.replace("group", "letters"), outbox.robot("wecom", robot.url))
    outbox.queued(notice(1, "letters"), notice(2))
    monkeypatch.setattr("crmctl.notify.mailing.message", lambda *_a: 1 / 0)
    with outbox.run() as run:
        done = deliver(run)
    assert (done.sent, done.waiting, done.failures) == (1, 1, (("letters", "INTERNAL"),))


def test_a_folder_that_cannot_be_written_is_a_failure(outbox: Outbox, notice: Made) -> None:
    outbox.private("who", "* desk@example.cn\n")
    outbox.private("spool/mail", "no folder")
    outbox.channels(MAIL)
    outbox.queued(notice())
    with outbox.run() as run:
        assert deliver(run).failures == (("group", "STORAGE"),)


def test_two_deliverers_send_each_notice_once(outbox: Outbox, robot: Robot, notice: Made) -> None:
    """Eight processes at once: every notice is in one message, and only one."""
    outbox.channels(outbox.robot("wecom", robot.url, more=", at_most: 200"))
    outbox.queued(*(notice(number) for number in range(20)))
    outbox.desk.close()

    def work() -> None:
        with Outbox(outbox.desk).run() as run:
            deliver(run)

    assert children.exit_codes(work, [()] * 8) == [0] * 8
    with outbox.run() as run:
        deliver(run)
    named = [word for text in robot.texts for word in text.split() if word.startswith("CMP-")]
    assert sorted(named) == [f"CMP-20261121-{number:04}" for number in range(20)]


def test_what_a_killed_deliverer_left_is_sent_by_the_next(outbox: Outbox, robot: Robot, notice: Made) -> None:
    """kill -9 between the robot's answer and the mark: sent again, at least once; the lock is free at once."""
    outbox.channels(outbox.robot("wecom", robot.url))
    outbox.queued(notice(1), notice(2))
    outbox.desk.close()

    def work() -> None:
        from crmctl.notify import outbox as kept

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kept, "mark_sent", lambda *_a: children.die())
            with Outbox(outbox.desk).run() as run:
                deliver(run)

    assert children.exit_codes(work, [()]) == [-9]
    assert [state for state, _n, _f in outbox.states()] == ["waiting"] * 2
    assert outbox.json("notify", "send")["sent"] == 2
    assert len(robot.bodies) == 2


def test_a_dry_run_sends_nothing(outbox: Outbox, robot: Robot, notice: Made) -> None:
    outbox.channels(outbox.robot("wecom", robot.url))
    outbox.queued(notice())
    told = outbox.json("notify", "send", "--dry-run")
    assert (told["run_id"], told["waiting"], told["sent"]) == (None, 1, 0)
    assert robot.bodies == []


def test_in_mode_report_notices_wait(outbox: Outbox, robot: Robot, notice: Made) -> None:
    outbox.channels(outbox.robot("wecom", robot.url))
    outbox.desk.edit("notify.yaml", "settings:\n", "mode: report\nsettings:\n")
    outbox.queued(notice())
    with outbox.run() as run:
        assert deliver(run) == Delivery(waiting=1)
    assert robot.bodies == []


def test_a_channel_no_longer_named_is_told(outbox: Outbox, robot: Robot, notice: Made) -> None:
    outbox.channels(outbox.robot("wecom", robot.url))
    outbox.queued(notice())
    outbox.channels(outbox.robot("wecom", robot.url, "other"))
    assert outbox.json("notify", "send", status=1)["failures"] == [{"channel": "group", "code": "CHANNEL_UNKNOWN"}]
    assert outbox.states() == [("waiting", 0, None)]


def test_a_broken_log_or_wording_is_no_reason_for_the_run_to_fail(
    outbox: Outbox, robot: Robot, notice: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox.channels(outbox.robot("wecom", robot.url))
    outbox.queued(notice())
    with outbox.run() as run:
        with outbox.desk.broken_log():
            assert deliver(run) == Delivery()
        assert [state for state, _n, _f in outbox.states()] == ["waiting"]  # not marked without its entry
        monkeypatch.setattr("crmctl.notify.texts.TEXTS", ("crmctl.notify.texts:NOTHING",))
        assert deliver(run) == Delivery()


def test_neither_address_nor_secret_is_ever_told(
    outbox: Outbox, robot: Robot, notice: Made, caplog: pytest.LogCaptureFixture
) -> None:
    """Canary: no log line, output, row or entry holds the webhook or what calls are signed with."""
    outbox.private("secret", DINGTALK_SECRET)
    outbox.channels(outbox.robot("dingtalk", robot.url, more=", secret_file: secret"))
    outbox.queued(notice())
    said = []
    with caplog.at_level(logging.DEBUG):
        for status, answer in (
            (500, b""),
            (200, CANARY.encode()),
            (200, b'{"errcode":310000,"errmsg":"%s"}' % b"zKq9"),
        ):
            robot.status, robot.answer = status, answer
            for words in (
                ("notify", "retry"),
                ("notify", "send", "-vv"),
                ("notify", "list"),
                ("notify", "test", "group"),
            ):
                done = outbox.desk.say(ADMIN, *words)
                said += [done.stdout, done.stderr]
        outbox.private("group.url", f"http://robot.example.cn/{CANARY}")
        said += [(done := outbox.desk.say(ADMIN, "notify", "test", "group")).stdout, done.stderr]
        said.append(outbox.desk.say(ADMIN, "doctor").stdout)
    assert len(robot.bodies) == 6
    everything = "".join([*said, caplog.text, str(outbox.rows()), *map(bytes.decode, outbox.desk.log())])
    assert "group" in everything
    for secret in (CANARY, DINGTALK_SECRET, "robot/send", "robot.example.cn"):
        assert secret not in everything
