"""`complaint escalate` on both databases: levels once each, who is told, what a killed run leaves (CMP-16, REQ-05)."""

from __future__ import annotations

import mailbox
import os
import signal
from datetime import timedelta
from typing import Any

import children
import orjson
import pytest
from casework import HANDLER, Office
from desks import ADMIN, STEWARD, SUPERVISOR
from levels import counted, escalate, leveled, levels_of, many, notices, said
from sqlalchemy import select

from crmctl import clock
from crmctl.audit import entries as log_entries
from crmctl.audit.tables import change
from crmctl.cli.invocation import Invocation
from crmctl.complaints import escalating, openclocks
from crmctl.complaints.tables import complaint_clock
from crmctl.notify import deliver as delivering
from crmctl.owners.applying import Applied, Move, apply
from crmctl.runs import chunks
from crmctl.runs import run as runs


def changes(office: Office) -> int:
    return len(office.desk.rows(select(change.c.change_id)))


def test_each_level_is_reached_once(office: Office) -> None:
    """CMP-16: warned before, told when it is over, told to the next level after that; a second run changes nothing."""
    leveled(office)
    number = office.open()  # Monday, 09:00: first response by 09:30, verification by Tuesday 18:00
    assert counted(escalate(office)) == {("warn", "respond"): 1}
    office.step(number, "respond")
    office.hours.to("2026-11-24T15:59:00")
    assert escalate(office)["raised"] == 0
    office.hours.to("2026-11-24T16:00:00")
    assert counted(escalate(office)) == {("warn", "verify"): 1}
    office.hours.to("2026-11-24T18:00:00")
    assert escalate(office)["raised"] == 0, "the second of the deadline is in time"
    office.hours.forward(seconds=1)
    done = escalate(office)
    assert counted(done)["overdue", "verify"] == 1
    before, log = office.whole(), changes(office)
    again = escalate(office)
    assert (again["raised"], again["by_level"], again["delivery"]["waiting"]) == (0, [], 0)
    assert (office.whole(), changes(office)) == (before, log)
    office.hours.to("2026-11-25T18:00:01")
    assert counted(escalate(office))["manager", "verify"] == 1
    (verify,) = office.clocks(number, "verify")
    assert (verify["level"], verify["version"]) == (3, 4)
    assert [row[2:] for row in said(office) if row[:2] == ("group", "verify")] == [
        ("manager", "manager"), ("overdue", "K1"), ("overdue", "complaint"), ("warn", "K1"),
    ]  # fmt: skip
    # Each of those on a channel of mails has one of their own: all managers in post.
    assert [row[3] for row in said(office) if row[:2] == ("mail", "verify")] == ["K4", "K5", "W1"]
    assert all(row["state"] == "sent" for row in notices(office))
    office.sound()


def test_two_levels_at_once_tell_each_person_once(office: Office) -> None:
    leveled(office)
    office.open()
    office.hours.to("2026-11-25T18:00:01")
    assert counted(escalate(office))["manager", "verify"] == 1
    assert [row[2:] for row in said(office) if row[:2] == ("group", "verify")] == [
        ("manager", "manager"), ("overdue", "K1"), ("overdue", "complaint"),
    ]  # fmt: skip


def test_a_notice_holds_nothing_of_a_person(office: Office) -> None:
    """A-notes: number, stage, level, limit; that is all that leaves."""
    leveled(office)
    number = office.open()
    office.hours.to("2026-11-25T18:00:01")
    escalate(office)
    box = mailbox.Maildir(office.desk.folder / "data" / "mail")
    texts = [message.get_payload(decode=True).decode() for message in box]  # type: ignore[union-attr]
    assert len(texts) == 3
    assert f"{number} Verification: Up, due 11-24 18:00" in texts[0].splitlines()
    assert {tuple(sorted(orjson.loads(row["data"]))) for row in notices(office)} == {("level", "stage")}


def test_a_complaint_that_nobody_handles(office: Office) -> None:
    """Nobody whom it is about is told: not as handler, not as first receiver, not as one of a post."""
    leveled(office)
    office.json(HANDLER, *office.opening(about="K1"))
    done = escalate(office)
    assert (done["notices"], done["withheld"]) == (2, 1)
    assert [row[3] for row in said(office)] == ["E005", "K2"], "the next level's post without the one it is about"
    office.hours.to("2026-11-25T18:00:01")
    escalate(office)
    assert {row[3] for row in said(office)} == {"E005", "K2", "manager", "K4", "K5", "W1"}
    assert "K1" not in {row["recipient"] for row in notices(office)}


def test_the_first_receiver_stands_in_for_a_handler_there_is_not(office: Office) -> None:
    leveled(office)
    office.json(SUPERVISOR, *office.opening(handler="K1", receiver="K3", about="K1"))
    escalate(office)
    assert said(office) == [("group", "respond", "warn", "K3")]


def test_superiors_and_owners(office: Office) -> None:
    """A manager of the person it is about keeps out; the owner of the customer, and who is over the handler, do not."""
    leveled(
        office,
        "{code: boss, labels: {en: Boss}, when: before, by: 2 working hours, to: [superior, owner], channels: [group]}",
    )
    staff_ids = office.staff_ids
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "getresuid", lambda: (ADMIN, ADMIN, ADMIN))
        call = Invocation(command="owner assign", workspace=office.desk.folder)
        with runs.open_run(call, "owner assign", "owner.assign") as run:
            apply(runs.begin(run), [Move(1, None, staff_ids["K3"], "assign")], Applied())
    office.json(SUPERVISOR, *office.opening(handler="K6"))
    escalate(office)
    assert said(office) == [("group", "respond", "boss", "K3"), ("group", "respond", "boss", "K5")]
    office.json(SUPERVISOR, *office.opening(handler="K6", about="K3"))  # K3's department has W1 as manager
    done = escalate(office)
    assert (done["notices"], done["withheld"]) == (1, 1)
    office.json(SUPERVISOR, *office.opening(handler="K1", about="K6"))  # who is over K1: nobody
    done = escalate(office)
    assert (done["notices"], done["withheld"]) == (1, 0)
    assert said(office)[0] == ("group", "respond", "boss", "K3")


def test_levels_without_channels_are_listed(office: Office) -> None:
    leveled(office, "{code: warn, labels: {en: Near}, when: before, by: 2 working hours, to: [handler]}")
    number = office.open()
    done = escalate(office)
    (row,) = done["escalated"]
    assert (row["number"], row["stage"], row["level"], row["notices"]) == (number, "respond", "warn", 0)
    assert row["due_at"] == "2026-11-23T09:30:00+08:00"
    assert (done["notices"], notices(office)) == (0, [])
    office.hours.to("2026-11-24T17:00:00")
    said_ = office.desk.say(ADMIN, "complaint", "escalate").stdout
    assert "Near" in said_ and "Verification" in said_ and "Hu Y (K1)" in said_


def test_a_dry_run_says_the_same_and_writes_nothing(office: Office) -> None:
    leveled(office)
    office.open()
    office.hours.to("2026-11-25T18:00:01")
    before, log = office.whole(), office.desk.log()
    told = escalate(office, "--dry-run")
    assert (office.whole(), office.desk.log(), notices(office)) == (before, log, [])
    done = escalate(office)
    assert told["run_id"] is None
    for name in ("by_level", "escalated", "notices", "withheld", "examined"):
        assert told[name] == done[name]


def test_as_of_the_past_is_recorded_and_the_future_refused(office: Office) -> None:
    leveled(office)
    number = office.open()
    office.step(number, "respond")
    office.hours.to("2026-11-25T17:00:00")
    assert (
        office.desk.refusal(ADMIN, "complaint", "escalate", "--as-of", "2026-11-25T17:01", status=4) == "AS_OF_FUTURE"
    )
    assert escalate(office, "--as-of", "2026-11-23T08:00")["raised"] == 0, "before any clock began"
    done = escalate(office, "--as-of", "2026-11-24T17:00")
    assert counted(done) == {("warn", "verify"): 1}
    assert {entry["as_of"] for entry in office.desk.entries("complaint.escalate")[-2:]} == {"2026-11-24T09:00:00Z"}
    assert counted(escalate(office)) == {("overdue", "verify"): 1, ("warn", "progress"): 1}


def test_who_may(office: Office) -> None:
    """It works on complaints that nobody names: scope all, and not by those who handle them."""
    for uid in (HANDLER, 2003, STEWARD):
        assert office.desk.refusal(uid, "complaint", "escalate").startswith("ACT_")


def test_a_channel_that_fails_or_is_gone_stops_nothing(office: Office) -> None:
    leveled(office, program="/bin/false")
    office.open()
    done = escalate(office)
    assert done["delivery"] == {"sent": 0, "waiting": 1, "failures": [{"channel": "group", "code": "EXIT_1"}]}
    assert [row["state"] for row in notices(office)] == ["waiting"]
    number = office.open()  # it keeps its levels, and with them a channel that is gone by the next run
    path = office.desk.folder / "policies" / "notify.yaml"
    path.write_text(path.read_text("utf-8").replace("code: group", "code: other"), "utf-8")
    assert office.desk.refusal(ADMIN, "complaint", "escalate", status=4) == "POLICY_INVALID", "levels name a channel"
    for each in path.parent.glob("complaints*.yaml"):
        each.write_text(each.read_text("utf-8").replace("[group", "[other"), "utf-8")
    before = office.whole()
    done = escalate(office, status=3)
    assert (done["raised"], done["notices"], done["channels_unknown"]) == (0, 0, ["group"])
    assert done["troubles"] == [{"number": number, "code": "CHANNEL_UNKNOWN", "channels": ["group"]}]
    assert escalate(office, "--dry-run", status=3)["troubles"] == done["troubles"]
    assert "has no channel group" in office.desk.say(ADMIN, "--lang", "en", "complaint", "escalate").stdout
    assert office.whole() == before, "nobody was told, so it went nowhere"
    path.write_text(path.read_text("utf-8").replace("code: other", "code: group"), "utf-8")
    for each in path.parent.glob("complaints*.yaml"):
        each.write_text(each.read_text("utf-8").replace("[other", "[group"), "utf-8")
    assert (escalate(office)["raised"], len(notices(office))) == (1, 2), "told once the channel is there again"


def test_what_cannot_be_judged_is_told_and_the_others_go_on(office: Office) -> None:
    """A year that may not be counted in, a calendar that is gone: their limits wait, no other does."""
    leveled(office, "{code: up, labels: {en: Up}, when: after, by: 1 working day, to: [handler], channels: [group]}")
    first = office.open()
    office.sql("UPDATE complaint SET org_unit = 'nowhere' WHERE number = :number", number=first)
    second = office.open()
    calendar = office.desk.folder / "policies" / "calendar.yaml"
    whole = calendar.read_text("utf-8")
    calendar.write_text(whole.replace("version: 1\n", "version: 1\nscope: {org_unit: [head]}\n", 1), "utf-8")
    office.hours.to("2026-11-30T18:00:00")
    done = escalate(office, status=3)
    assert {row["number"] for row in done["escalated"]} == {second}
    assert {(row["number"], row["code"]) for row in done["troubles"]} == {(first, "CALENDAR_MISSING")}
    calendar.write_text(whole, "utf-8")
    assert {row["number"] for row in escalate(office)["escalated"]} == {first}
    office.sql("UPDATE complaint SET org_unit = NULL WHERE number = :number", number=first)


def test_what_stopped_meanwhile_is_left(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Judged again once its complaint is locked: who answered in the second before is not reported as late."""
    leveled(office)
    number = office.open()
    whole = chunks.write

    def late(*arguments: Any) -> Any:
        monkeypatch.setattr(chunks, "write", whole)
        office.step(number, "respond")
        return whole(*arguments)

    monkeypatch.setattr(chunks, "write", late)
    done = escalate(office)
    assert (done["raised"], done["missed"], notices(office)) == (0, 1, [])
    assert office.clocks(number, "respond")[0]["level"] == 0


def test_an_extended_limit_begins_again(office: Office) -> None:
    leveled(office)
    number = office.open()
    office.through(number, "agree")  # rectify promised by 2026-12-11
    office.hours.to("2026-12-11T23:00:00")
    assert ("warn", "rectify") in counted(escalate(office))
    reason = office.text("配件未到")
    done = office.step(number, "extend", "--stage", "rectify", "--until", "2026-12-15", "--reason", reason)
    office.json(SUPERVISOR, "approval", "approve", done["approval"])
    office.step(number, "extend", "--stage", "rectify", "--apply")
    assert office.clocks(number, "rectify")[0]["level"] == 0
    office.hours.to("2026-12-15T23:00:00")
    assert ("warn", "rectify") in counted(escalate(office))
    assert len([row for row in said(office) if row[1:3] == ("rectify", "warn")]) == 2, "of two dates"


def test_three_hundred_in_chunks(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """No chunk misses one or takes one twice, though all end at the same second; the statements do not grow."""
    monkeypatch.setattr(openclocks, "PAGE", 97)
    leveled(office)
    numbers = many(office, 300)
    done = escalate(office, "--limit", "1000")
    assert counted(done) == {("warn", "respond"): 300}
    assert sorted(row["number"] for row in done["escalated"]) == sorted(numbers)
    assert len({row["subject"] for row in notices(office)}) == len(notices(office)) == 300
    here = [entry for entry in office.desk.entries("complaint.escalate") if "chunk" in entry]
    assert (len(here) > 3, sum(entry["changes"] for entry in here)) == (True, 300)
    assert set(levels_of(office).values()) == {0, 1}
    assert escalate(office)["raised"] == 0


# kill -9 -----------------------------------------------------------------------------------------------------------


def _struck(office: Office, where: tuple[Any, str, int, bool]) -> None:
    """Escalate in a child that dies at one exact call: the so many-th of a function, before or after its work."""
    holder, name, at, after = where
    original, calls = getattr(holder, name), 0

    def counted_(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at and not after:
            children.die()
        found = original(*arguments, **named)
        if calls == at:
            children.die()
        return found

    setattr(holder, name, counted_)
    office.desk.say(ADMIN, "complaint", "escalate")


POINTS = {
    "the run is begun": (runs, "begin", 1, True),
    "clocks are written, not committed": (escalating, "queue", 1, False),
    "notices are queued, not committed": (escalating, "queue", 1, True),
    "the entry is written, not committed": (log_entries, "append", 1, True),
    "a chunk is committed": (chunks, "write", 1, True),
    "half of the chunks are": (chunks, "write", 2, True),
    "the last word is written, not committed": (runs, "finish", 1, True),
    "nothing is sent yet": (escalating, "deliver", 1, False),
    "all is sent, not marked": (delivering._Round, "_mark", 1, False),
    "all is done": (escalating, "deliver", 1, True),
}


@pytest.mark.parametrize("where", POINTS)
def test_killed_where(office: Office, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next run goes on: every limit up once, every notice queued once."""
    monkeypatch.setattr(openclocks, "PAGE", 4)
    leveled(office)
    many(office, 10)
    office.desk.close()  # a child shares no connection with its parent
    (status,) = children.exit_codes(_struck, [(office, POINTS[where])])
    assert status == -signal.SIGKILL
    up = {number for number, level in levels_of(office).items() if level}
    assert len(notices(office)) == len(up), "raised and told, or neither"
    office.sound()
    escalate(office)
    assert sorted(levels_of(office).values()) == [0] * 40 + [1] * 10
    assert len({row["subject"] for row in notices(office)}) == len(notices(office)) == 10
    assert {row["state"] for row in notices(office)} == {"sent"}
    assert escalate(office)["raised"] == 0
    office.sound()


def test_a_second_run_waits_for_the_first(office: Office) -> None:
    call = Invocation(command="complaint escalate", workspace=office.desk.folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "getresuid", lambda: (ADMIN, ADMIN, ADMIN))
        with runs.open_run(call, "complaint escalate", "complaint.escalate", lock=escalating.LOCK):
            assert office.desk.refusal(ADMIN, "complaint", "escalate", "--lock-timeout", "0", status=11) == "LOCKED"


def test_deadlines_are_what_the_clock_says(office: Office) -> None:
    """The pages hold exactly the clocks that run and have an end, the first to end first."""
    many(office, 5)
    found = [key for page in openclocks.pages(office.desk.engine) for key in page]
    rows = [row for row in office.desk.rows(select(complaint_clock)) if row["stopped_at"] is None and row["due_at"]]
    assert [key[:3] for key in found] == sorted((row["due_at"], row["customer_id"], row["clock_id"]) for row in rows)
    assert found[0].due_at - office.hours.at == timedelta(minutes=30)
    assert clock.now() == office.hours.at
