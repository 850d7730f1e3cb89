"""From verification to rectification through the real commands, on both databases (CMP-04 to CMP-10, CMP-20)."""

from __future__ import annotations

from datetime import datetime, timedelta

import orjson
import pytest
from casework import AGENT, HANDLER, SECOND, SUPERVISOR, TEXTS, ZONE, Office


def stages(document: dict[str, object]) -> dict[str, dict[str, object]]:
    """Return the running clocks of a document by stage."""
    found = document["deadlines"]
    assert isinstance(found, list)
    return {each["stage"]: each for each in found}


def test_a_life_without_trouble(office: Office) -> None:
    """CMP-02 to CMP-13: every step, every limit, every time; each as it was told."""
    hours = office.hours
    opened = office.json(HANDLER, *office.opening())
    number = opened["number"]
    assert number == f"CMP-{hours.day}-0001"
    assert opened["received_at"] == opened["accepted_at"] == hours.local() == "2026-11-23T09:00:00+08:00"
    due = {name: each["due_at"] for name, each in stages(opened).items()}
    assert due == {
        "respond": "2026-11-23T09:30:00+08:00",
        "verify": "2026-11-24T18:00:00+08:00",
        "feedback": "2026-12-02T18:00:00+08:00",
        "progress": "2026-11-25T18:00:00+08:00",
    }
    assert opened["feedback_due_at"] == due["feedback"]
    hours.forward(minutes=20)
    assert set(stages(office.step(number, "respond", "--text", office.text("马上核实")))) == set(due) - {"respond"}
    hours.to("2026-11-24T10:00")
    done = office.verify(number)
    assert (done["status"], stages(done)["propose"]["due_at"]) == ("verified", "2026-11-27T18:00:00+08:00")
    hours.to("2026-11-25T11:00")
    done = office.propose(number, "2026-11-30")
    assert (done["status"], done["plan_version"], set(stages(done))) == ("proposed", 1, {"progress"})
    hours.to("2026-11-25T15:00")
    done = office.step(number, "agree", "--text", office.text("客户说可以"))
    assert stages(done)["rectify"]["due_at"] == "2026-11-30T23:59:59+08:00"
    hours.to("2026-11-27T17:00")
    done = office.step(number, "rectify")
    assert stages(done)["revisit"]["due_at"] == "2026-11-28T17:00:00+08:00"
    assert stages(done)["progress"]["late"] is True
    hours.to("2026-11-28T10:00")
    office.step(number, "revisit", "--settled", "--score", 95)
    done = office.step(number, "close")
    assert (done["status"], done["closing"]) == ("closed", "settled")
    assert set(stages(done)) == {"analyse"}
    row = office.row(number)
    assert row["closed_at"].astimezone(ZONE).isoformat() == "2026-11-28T10:00:00+08:00"
    _told_as_it_was(office, number)
    office.sound()


def _told_as_it_was(office: Office, number: str) -> None:
    shown = office.json(HANDLER, "complaint", "show", number)
    assert shown["texts"] is None
    assert shown["missing"] == []
    assert [(each["kind"], each["at"][5:16]) for each in shown["events"]] == [
        ("accepted", "11-23T09:00"), ("responded", "11-23T09:20"), ("verified", "11-24T10:00"),
        ("proposed", "11-25T11:00"), ("agreed", "11-25T15:00"), ("rectified", "11-27T17:00"),
        ("revisited", "11-28T10:00"), ("closed", "11-28T10:00"),
    ]  # fmt: skip
    assert all(each["at"] == each["entered_at"] for each in shown["events"])
    late = [each["stage"] for each in _clocks(office, number) if each["late"]]
    assert late == ["progress"]
    words = ("--reveal", "--purpose", "complaint", "--ticket", "CRM-1")
    clear = office.json(SUPERVISOR, "complaint", "show", number, *words)
    assert clear["texts"] == TEXTS
    assert clear["events"][3]["texts"] == {"measures": "更换压缩机", "compensation": "补偿五百元"}


def _clocks(office: Office, number: str) -> list[dict[str, object]]:
    own = office.row(number)
    names = ("respond", "verify", "propose", "feedback", "rectify", "revisit", "progress")
    return [
        {
            "stage": name,
            "late": each["due_at"] is not None and (each["stopped_at"] or own["closed_at"]) > each["due_at"],
        }
        for name in names
        for each in office.clocks(number, name)
    ]


def test_a_refused_plan_is_revised_until_it_is_agreed(office: Office) -> None:
    """CMP-08: each version and each answer are kept; nothing is corrected from a plan that is not agreed."""
    number = office.open()
    office.verify(number)
    for version in (1, 2, 3):
        office.hours.forward(hours=1)
        assert office.propose(number)["plan_version"] == version
        assert office.refused(number, "rectify") == "NOT_YET"
        office.hours.forward(hours=1)
        if version < 3:
            done = office.step(number, "refuse", "--text", office.text("不同意"))
            assert (done["status"], "propose" in stages(done)) == ("refused", True)
            assert office.refused(number, "agree") == "NOT_YET"
    office.step(number, "agree")
    told = [(row["kind"], orjson.loads(row["data"]).get("version")) for row in office.events(number)[2:]]
    assert told == [
        ("proposed", 1), ("refused", None), ("proposed", 2), ("refused", None), ("proposed", 3), ("agreed", 3),
    ]  # fmt: skip
    clocks = office.clocks(number, "propose")
    assert [each["stopped_at"] is not None for each in clocks] == [True, True, True]
    assert len(office.clocks(number, "feedback")) == 1, "what the complainant was told begins once"
    office.sound()


def test_what_may_not_happen_yet_happens_not(office: Office) -> None:
    number = office.open()
    plan = ("--measures", office.text("x"), "--due", "2026-12-11")
    for verb, words in (
        ("propose", plan), ("agree", ()), ("refuse", ()), ("rectify", ()), ("revisit", ("--settled",)),
    ):  # fmt: skip
        assert office.refused(number, verb, *words) == "NOT_YET"
    assert office.refused(number, "review", "--passed", uid=SECOND) == "NOT_YET"
    assert office.refused(number, "reopen", "--reason", office.text("r")) == "CASE_OPEN"
    office.step(number, "respond")
    assert office.refused(number, "respond") == "DONE_ALREADY"
    assert {entry["result"] for entry in office.entries(number)} == {"done", "refused"}


def test_when_it_happened_is_bounded(office: Office) -> None:
    """Never in the future, never before what is on record, never longer ago than the policy's three days."""
    office.hours.to("2026-11-23T10:00")
    number = office.open()
    office.hours.to("2026-11-25T10:00")
    why = ("--late-reason", "电话里忘了记")
    assert office.refused(number, "respond", "--at", "2026-11-25T10:01", *why, status=4) == "AT_FUTURE"
    assert office.refused(number, "respond", "--at", "2026-11-23T09:59", *why, status=4) == "AT_BEFORE_LAST"
    assert office.refused(number, "respond", "--at", "2026-11-24T09:00", status=4) == "AT_WITHOUT_REASON"
    assert office.step(number, "respond", "--at", "2026-11-24", *why, status=4)["code"] == "TIME_INVALID"
    office.step(number, "respond", "--at", "2026-11-23T10:20", *why)
    (event,) = office.events(number)[1:]
    assert (event["at"] - event["created_at"]) == timedelta(minutes=20) - timedelta(days=2)
    (clock,) = office.clocks(number, "respond")
    assert clock["stopped_at"] == event["at"] <= clock["due_at"]
    office.hours.to("2026-11-27T00:00:01")  # three days end with the third day after it, its last second in time
    assert office.refused(number, "progress", "--at", "2026-11-23T23:59", *why, status=4) == "AT_TOO_EARLY"
    office.step(number, "progress", "--at", "2026-11-24T00:00", *why)
    office.sound()


@pytest.mark.parametrize("moment", ["0001-01-01T00:00", "0001-12-31T23:00+08:00", "9999-12-31T23:59:59-08:00"])
def test_times_at_the_ends_of_the_calendar_are_none(office: Office, moment: str) -> None:
    number = office.open()
    words = ("--text", office.text("已联系"), "--at", moment)
    assert office.desk.refusal(HANDLER, "complaint", "respond", number, *words, status=4) == "TIME_INVALID"
    office.verify(number)
    plan = ("--measures", office.text("更换压缩机"), "--due", moment)
    assert office.desk.refusal(HANDLER, "complaint", "propose", number, *plan, status=4) == "TIME_INVALID"


def test_its_policy_is_gone_and_it_goes_on(office: Office) -> None:
    """Codes stand for words; what needs the policy's own lists is refused with nothing done."""
    number = office.open(channel="wecom")
    policy = office.row(number)["policy"]
    assert policy == "wecom"
    (office.desk.folder / "policies" / f"complaints.{policy}.yaml").unlink()
    done = office.desk.say(HANDLER, "--lang", "en", "complaint", "respond", number, "--text", office.text("已联系"))
    assert (done.exit_code, "verify" in done.stdout) == (0, True)
    for words in (("show", number), ("show", number, "--reveal")):
        shown = office.desk.say(HANDLER, "--lang", "en", "complaint", *words)
        assert (shown.exit_code, "quality" in shown.stdout, "respond" in shown.stdout) == (0, True, True)
    office.json(HANDLER, "complaint", "form", number, "--out", office.desk.folder.parent / "form.html")
    cause = ("--department", "安装部", "--cause", "process")
    assert office.refused(number, "verify", *cause, status=4) == "POLICY_MISSING"
    assert office.kinds(number) == ["accepted", "responded"]


def test_a_department_is_asked_and_answers_once(office: Office) -> None:
    """CMP-20."""
    number = office.open()
    assert office.refused(number, "answer", "--department", "工程部") == "NOT_ASKED"
    office.step(number, "handoff", "--department", "工程部", "--text", office.text("请勘察"))
    office.step(number, "handoff", "--department", "安装部")
    assert office.refused(number, "answer", "--department", "仓储部") == "NOT_ASKED"
    office.step(number, "answer", "--department", "工程部", "--text", office.text("已勘察"))
    assert office.refused(number, "answer", "--department", "工程部") == "NOT_ASKED"
    office.step(number, "answer", "--department", "安装部")
    asked = [(row["kind"], orjson.loads(row["data"])["department"]) for row in office.events(number)[1:]]
    assert asked == [("handed", "工程部"), ("handed", "安装部"), ("answered", "工程部"), ("answered", "安装部")]


def test_somebody_else_handles_it_and_the_first_receiver_stays(office: Office) -> None:
    """CMP-21, A-12: the first receiver is kept; nobody who has left is given one."""
    office.json(1004, "staff", "update", "K7", "--left-on", "2026-11-23")
    number = office.open()
    assert office.refused(number, "handoff", "--to", "K7") == "NOT_IN_POST"
    assert office.refused(number, "handoff", "--to", "nobody") != ""
    office.step(number, "handoff", "--to", "K2")
    row = office.row(number)
    assert (row["handler_id"], row["first_receiver_id"]) == (office.staff_ids["K2"], office.staff_ids["K1"])
    assert office.desk.refusal(HANDLER, *office.opening(handler="K7"), status=1) == "NOT_IN_POST"
    office.through(number, uid=SECOND)


def test_verified_again_corrects(office: Office) -> None:
    """CMP-05."""
    number = office.open()
    assert office.refused(number, "verify", "--department", "x", "--cause", "moon", status=4) == "CAUSE_UNKNOWN"
    assert office.refused(number, "verify", "--department", " ", "--cause", "process", status=4) == "FIELD_MISSING"
    office.verify(number)
    office.step(number, "verify", "--department", "工程部", "--cause", "产品缺陷")
    row = office.row(number)
    assert (row["department"], row["cause"]) == ("工程部", "product")
    assert len(office.clocks(number, "verify")) == 1
    office.through(number, "agree", start="propose")
    done = office.step(number, "verify", "--department", "x", "--cause", "process")
    assert done["status"] == "agreed", "a correction takes nothing back"


LIMITS = """      limits:
        - {within: 2 hours, severity: [critical]}
        - {within: 1 working day, source: ["004 §11(二)"]}
"""


@pytest.mark.parametrize(("first", "then"), [("general", "critical"), ("critical", "general")])
def test_classified_anew_nothing_that_runs_gets_longer(office: Office, first: str, then: str) -> None:
    """CMP-06; and nothing that closing needed is dropped: the review of a serious one stays."""
    text = LIMITS.replace("        - {within: 2 hours, severity: [critical]}\n", "")
    office.desk.edit("complaints.yaml", text, LIMITS)
    number = office.open(severity=first)
    before = {stage: office.clocks(number, stage)[0]["due_at"] for stage in ("verify", "feedback", "progress")}
    office.hours.forward(minutes=30)
    assert office.refused(number, "classify", "--severity", first, "--reason", office.text("r")) == "UNCHANGED"
    office.step(number, "classify", "--severity", then, "--reason", office.text("重新判断"))
    after = {stage: office.clocks(number, stage)[0]["due_at"] for stage in before}
    assert all(after[stage] <= due for stage, due in before.items())
    assert after["verify"].astimezone(ZONE) == datetime(2026, 11, 23, 11, tzinfo=ZONE), "two hours either way"
    assert after["feedback"] == before["feedback"], "what was told does not move"
    office.through(number, "revisit")
    assert office.step(number, "close", status=1)["details"]["missing"] == ["reviewed", "legal_reviewed"]
    office.sound()


def test_who_has_another_customer_knows_nothing_of_it(office: Office) -> None:
    """ACC-01: the same answer as for one there is not; the log knows which it was."""
    number = office.open()
    office.step(number, "handoff", "--to", "K2")
    words = ("complaint", "progress", number)
    mine = office.desk.json(AGENT, *words, status=1)
    none = office.desk.json(AGENT, *words[:2], "CMP-20260101-0001", status=1)
    assert (mine["code"], none["code"]) == ("COMPLAINT_UNKNOWN", "COMPLAINT_UNKNOWN")
    assert mine["message"].replace(number, "N") == none["message"].replace("CMP-20260101-0001", "N")
    entries = [each for each in office.desk.entries("complaint.progress") if each.get("codes")]
    assert [each.get("obj") for each in entries] == [f"complaint:{office.row(number)['complaint_id']}", None]
    office.step(number, "handoff", "--to", "K3")
    office.step(number, "progress", uid=AGENT)
