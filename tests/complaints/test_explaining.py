"""`sla explain CMP-…`: every limit with its working, its clauses, and whether it still comes out so (T2, CMP-03)."""

from __future__ import annotations

from casework import AGENT, HANDLER, Office, day_off
from desks import ADMIN, AUDITOR, STEWARD, SUPERVISOR


def test_each_limit_with_its_working(office: Office) -> None:
    number = office.open()
    told = office.json(AUDITOR, "sla", "explain", number)
    assert (told["case"], told["policy"], told["policy_version"]) == (number, "complaints", 1)
    assert isinstance(told["run_id"], int)
    by_stage = {each["stage"]: each for each in told["clocks"]}
    assert list(by_stage) == ["register", "respond", "verify", "feedback", "progress"]
    verify = by_stage["verify"]
    assert verify["due"] == verify["stored_due"] == "2026-11-24T18:00:00+08:00"
    assert (verify["within"], verify["same"], verify["told"], verify["source"]) == (
        "1 working day", True, False, ["004 §11(二)", "004 §7③"],
    )  # fmt: skip
    assert [each["day"] for each in verify["intervals"]] == [1]
    assert [each["why"] for each in verify["skipped"]] == ["start"]
    assert by_stage["feedback"]["told"] is True
    assert (by_stage["register"]["due"], by_stage["register"]["limit"], by_stage["register"]["intervals"]) == (
        None, None, [],
    )  # fmt: skip
    shown = {row["stage"]: row["due_at"] for row in office.json(AUDITOR, "complaint", "show", number)["deadlines"]}
    assert shown == {stage: by_stage[stage]["stored_due"] for stage in shown}


def test_stopped_promised_and_late_ones_as_well(office: Office) -> None:
    number = office.open()
    office.step(number, "respond")
    office.hours.to("2026-11-24T18:00:01")
    office.through(number, "agree")
    told = {each["stage"]: each for each in office.json(HANDLER, "sla", "explain", number)["clocks"]}
    assert told["verify"]["stopped_at"] == "2026-11-24T18:10:01+08:00"
    rectify = told["rectify"]
    assert (rectify["within"], rectify["due"], rectify["intervals"]) == (
        "promised", "2026-12-11T23:59:59+08:00", [],
    )  # fmt: skip
    text = office.desk.say(HANDLER, "sla", "explain", number).stdout
    assert "ended 2026-11-24 18:10, late" in text
    assert "due Fri 2026-12-11 23:59:59, as promised" in text
    assert "told to the complainant" in text
    assert "clauses: 004 §11(二), 004 §7③" in text


def test_a_date_that_no_longer_comes_out_is_told_as_such(office: Office) -> None:
    """The recorded one counts: it is what was told."""
    number = office.open()
    day_off(office, "2026-11-26")
    told = {each["stage"]: each for each in office.json(HANDLER, "sla", "explain", number)["clocks"]}
    feedback = told["feedback"]
    assert (feedback["due"][:10], feedback["stored_due"][:10], feedback["same"]) == ("2026-12-03", "2026-12-02", False)
    assert told["verify"]["same"] is True
    text = office.desk.say(HANDLER, "sla", "explain", number).stdout
    assert "recorded deadline: Wed 2026-12-02 18:00" in text
    assert "another date comes out; the recorded one counts" in text


def test_unknown_and_not_ones_own_look_the_same(office: Office) -> None:
    """ACC-01: whose complaint it is not, for them there is none; both attempts are in the log."""
    number = office.open()
    before = len(office.desk.log())
    answers = [office.desk.say(AGENT, "sla", "explain", each) for each in (number, "CMP-20261123-0099")]
    assert [answer.exit_code for answer in answers] == [1, 1]
    assert answers[0].stderr.replace(number, "N") == answers[1].stderr.replace("CMP-20261123-0099", "N")
    assert len(office.desk.log()) == before + 2
    assert office.desk.refusal(HANDLER, "sla", "explain", "T-1", status=4) == "CASE_UNKNOWN"
    assert office.json(STEWARD, "sla", "explain", number.lower())["case"] == number


def test_it_needs_to_be_shown_complaints(office: Office) -> None:
    number = office.open()
    office.desk.edit("access.yaml", "      deny: [customer.reveal, customer.export]", "      deny: [complaint.show]")
    assert office.desk.refusal(ADMIN, "sla", "explain", number).startswith("ACT_")
    assert [entry for entry in office.entries(number) if entry["act"] == "sla.explain"] == []
    office.json(SUPERVISOR, "sla", "explain", number)
    assert [entry["result"] for entry in office.entries(number) if entry["act"] == "sla.explain"] == ["done"]
