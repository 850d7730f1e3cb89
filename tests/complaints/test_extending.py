"""A limit gets longer while it runs, when somebody else agreed in time: never late, by nobody (CMP-09, T2)."""

from __future__ import annotations

from datetime import datetime

import pytest
from casework import ADMIN, DEPUTY, HANDLER, SUPERVISOR, ZONE, Office, day_off
from sqlalchemy import select

from crmctl.approvals.tables import approval as approvals

UNTIL = "2026-12-11"


def agreed(office: Office, due: str = "2026-11-30T18:00") -> str:
    """Open a complaint whose plan is agreed: its correction is promised by `due`."""
    number = office.open()
    office.verify(number)
    office.propose(number, due)
    office.step(number, "agree")
    return number


def asking(office: Office, stage: str = "rectify", until: str = UNTIL) -> list[str]:
    """Return the words that ask for more time."""
    return ["--stage", stage, *(["--until", until] if until else []), "--reason", office.text("配件未到")]


def ask(office: Office, number: str, stage: str = "rectify", until: str = UNTIL) -> int:
    """Ask for more time; return the approval."""
    return int(office.step(number, "extend", *asking(office, stage, until))["approval"])


def due(office: Office, number: str, stage: str = "rectify") -> datetime:
    """Return when the newest clock of a stage ends, in the company's zone."""
    moment = office.clocks(number, stage)[-1]["due_at"]
    assert isinstance(moment, datetime)
    return moment.astimezone(ZONE)


def test_asked_agreed_and_extended(office: Office) -> None:
    number = agreed(office)
    assert office.refused(number, "extend", "--stage", "rectify", "--apply") == "EXTENSION_NOT_ASKED"
    approval = ask(office, number)
    assert due(office, number) == datetime(2026, 11, 30, 18, tzinfo=ZONE), "asking moves nothing"
    assert office.refused(number, "extend", "--stage", "rectify", "--apply", status=6) == "APPROVAL_MISSING"
    assert office.desk.refusal(HANDLER, "approval", "approve", approval) in ("ACT_NOT_GRANTED", "ACT_DENIED")
    office.json(SUPERVISOR, "approval", "approve", approval)
    done = office.step(number, "extend", "--stage", "rectify", "--apply")
    (clock,) = [each for each in done["deadlines"] if each["stage"] == "rectify"]
    assert (clock["due_at"], clock["extended"]) == ("2026-12-11T23:59:59+08:00", 1)
    assert office.refused(number, "extend", "--stage", "rectify", "--apply") == "EXTENSION_NONE"
    assert office.refused(number, "extend", *asking(office, until="2026-12-15")) == "EXTENSION_NONE", "once, it says"
    assert office.kinds(number)[-2:] == ["asked", "extended"]
    office.sound()


@pytest.mark.parametrize(("seconds", "late"), [(0, False), (1, True), (60, True)])
def test_asked_after_the_limit_it_is_refused(office: Office, seconds: int, late: bool) -> None:
    """The second of the deadline is in time; one later is not, and the attempt is in the log."""
    number = agreed(office)
    office.hours.to("2026-11-30T18:00")
    office.hours.forward(seconds=seconds)
    if not late:
        ask(office, number)
        return
    assert office.refused(number, "extend", *asking(office)) == "EXTENSION_LATE"
    entry = office.entries(number)[-1]
    assert (entry["act"], entry["result"], entry["codes"]) == ("complaint.extend", "refused", ["EXTENSION_LATE"])
    assert office.desk.rows(select(approvals)) == []


def test_fractions_of_the_last_second_are_in_time(office: Office) -> None:
    number = agreed(office)
    office.hours.to("2026-11-30T18:00")
    office.hours.forward(milliseconds=900)
    assert office.json(SUPERVISOR, "approval", "show", ask(office, number))["act"] == "complaint.extend"


@pytest.mark.parametrize("seconds", [0, 1])
def test_agreed_after_the_limit_it_is_refused(office: Office, seconds: int) -> None:
    """Asked in time is not enough: whoever agrees does so while the limit runs; when it is applied matters not."""
    number = agreed(office, "2026-11-24T18:00")
    approval = ask(office, number)
    office.hours.to("2026-11-24T18:00")
    office.hours.forward(seconds=seconds)
    shown = office.json(SUPERVISOR, "approval", "show", approval)["about"]
    assert (shown["number"], shown["stage"], shown["due_was"]) == (number, "rectify", "2026-11-24T18:00:00+08:00")
    words = ("extend", "--stage", "rectify", "--apply")
    if seconds:
        assert office.desk.refusal(SUPERVISOR, "approval", "approve", approval, status=8) == "EXTENSION_LATE"
        (entry,) = office.desk.entries("approval.approve")
        assert (entry["result"], entry["codes"], entry["approval"]) == ("refused", ["EXTENSION_LATE"], approval)
        assert office.refused(number, *words, status=6) == "APPROVAL_MISSING"
        assert due(office, number) == datetime(2026, 11, 24, 18, tzinfo=ZONE)
    else:
        office.json(SUPERVISOR, "approval", "approve", approval)
        office.hours.forward(hours=1)
        office.step(number, *words)
        assert due(office, number).date().isoformat() == UNTIL


@pytest.mark.parametrize("until", ["2026-11-30T18:00", "2026-11-29", "2027-03-01"])
def test_until_when_is_bounded(office: Office, until: str) -> None:
    """Later than there is, and no later than the policy's twenty working days from the beginning."""
    number = agreed(office)
    assert office.refused(number, "extend", *asking(office, until=until), status=4) == "UNTIL_INVALID"


def test_what_the_policy_does_not_extend(office: Office) -> None:
    number = agreed(office)
    assert office.refused(number, "extend", *asking(office, "feedback")) == "STAGE_NOT_RUNNING"
    assert office.refused(number, "extend", *asking(office, "progress")) == "EXTENSION_NONE"
    assert office.refused(number, "extend", *asking(office, until=""), status=4) == "UNTIL_MISSING"
    assert office.step(number, "extend", "--stage", "rectify", status=2)["exit_code"] == 2
    assert office.step(number, "extend", *asking(office), "--apply", status=2)["exit_code"] == 2
    assert office.step(number, "extend", *asking(office), "--at", "2026-11-23T08:00", status=2)["exit_code"] == 2


def test_nobody_to_agree_nobody_extends(office: Office) -> None:
    """Without a rule in access.yaml nothing is extended; it is not an act one does alone."""
    path = office.desk.folder / "policies" / "access.yaml"
    text = path.read_text("utf-8")
    head, _rule, rest = text.partition("    complaint.extend:\n")
    path.write_text(head + rest[rest.index("    # The same a second time") :], "utf-8")
    number = agreed(office)
    assert office.refused(number, "extend", *asking(office)) == "EXTENSION_WITHOUT_APPROVER"


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [("complaint.extend:", "complaint.*:", ""), ("people: 1\n", "people: 1\n      over_rows: 5\n", "WITHOUT_APPROVER")],
)
def test_a_rule_is_one_that_asks_somebody_about_one_complaint(
    office: Office, before: str, after: str, code: str
) -> None:  # fmt: skip
    """A rule for complaint.* is one; one that lets five pass unasked asks nobody."""
    number = agreed(office)
    path = office.desk.folder / "policies" / "access.yaml"
    head, name, rest = path.read_text("utf-8").partition("    complaint.extend:\n")
    path.write_text(head + (name + rest).replace(before, after, 1), "utf-8")
    if code:
        assert office.refused(number, "extend", *asking(office)) == "EXTENSION_WITHOUT_APPROVER"
        assert office.refused(number, "extend", "--stage", "rectify", "--apply") == "EXTENSION_WITHOUT_APPROVER"
        return
    approval = ask(office, number)
    office.json(SUPERVISOR, "approval", "approve", approval)
    office.step(number, "extend", "--stage", "rectify", "--apply")


def test_another_date_needs_another_approval(office: Office) -> None:
    """What was agreed to is one clock and one date; a later wish does not ride on it."""
    number = agreed(office)
    first = ask(office, number, until="2026-12-08")
    office.json(SUPERVISOR, "approval", "approve", first)
    second = ask(office, number, until="2026-12-15")
    assert second != first
    assert office.refused(number, "extend", "--stage", "rectify", "--apply", status=6) == "APPROVAL_MISSING"
    office.json(DEPUTY, "approval", "approve", second)
    office.step(number, "extend", "--stage", "rectify", "--apply")
    assert due(office, number).date().isoformat() == "2026-12-15"


def test_a_new_plan_does_not_inherit_it(office: Office) -> None:
    """The clock it was agreed for is over: the next one needs its own."""
    number = agreed(office)
    approval = ask(office, number)
    office.json(SUPERVISOR, "approval", "approve", approval)
    office.step(number, "rectify")
    assert office.refused(number, "extend", "--stage", "rectify", "--apply") == "STAGE_NOT_RUNNING"
    office.step(number, "revisit", "--not-settled")
    office.propose(number, "2026-12-04")
    office.step(number, "agree")
    assert office.refused(number, "extend", "--stage", "rectify", "--apply") == "EXTENSION_NOT_ASKED"


def test_the_next_level_after_four_hours(office: Office) -> None:
    """Nobody decided: those of the next level may as well, and only then."""
    number = agreed(office)
    approval = ask(office, number)
    office.hours.forward(hours=3, minutes=59, seconds=59)
    assert office.desk.refusal(ADMIN, "approval", "approve", approval) == "APPROVAL_NOT_ASKED"
    office.hours.forward(seconds=1)
    office.json(ADMIN, "approval", "approve", approval)
    office.step(number, "extend", "--stage", "rectify", "--apply")
    office.sound()


def test_what_was_agreed_holds_when_the_calendar_changes(office: Office) -> None:
    """Agreed is the limit; its date is that of the calendar when it is applied. A promised date is agreed as it is."""
    office.desk.edit("complaints.regulator.yaml", *REGULATOR)
    office.desk.edit("complaints.regulator.yaml", "to: 30 days", "to: 25 working days")
    number, other = office.open(channel="authority"), agreed(office)
    asked = ask(office, number, "feedback", ""), ask(office, other)
    for approval in asked:
        office.json(SUPERVISOR, "approval", "approve", approval)
    day_off(office, "2026-12-14")
    office.hours.forward(hours=1)
    office.step(number, "extend", "--stage", "feedback", "--apply")
    assert due(office, number, "feedback") == datetime(2026, 12, 29, 18, tzinfo=ZONE), "a day later"
    office.step(other, "extend", "--stage", "rectify", "--apply")
    assert due(office, other).date().isoformat() == UNTIL


REGULATOR = ('mode: "off"', "mode: enforce")


def test_as_a_regulator_has_it(office: Office) -> None:
    """15 days, 30 with one approval, 60 with two people of the next level; each before the former is over."""
    office.desk.edit("complaints.regulator.yaml", *REGULATOR)
    number = office.open(channel="authority")
    assert due(office, number, "feedback") == datetime(2026, 12, 9, tzinfo=ZONE)
    office.hours.to("2026-12-08T10:00")
    approval = ask(office, number, "feedback", "")
    office.json(SUPERVISOR, "approval", "approve", approval)
    assert office.refused(number, "extend", *asking(office, "feedback"), status=4) == "UNTIL_GIVEN"
    done = office.step(number, "extend", "--stage", "feedback", "--apply")
    assert [each["within"] for each in done["deadlines"] if each["stage"] == "feedback"] == ["30 days"]
    assert due(office, number, "feedback") == datetime(2026, 12, 24, tzinfo=ZONE)
    assert office.row(number)["feedback_due_at"].astimezone(ZONE) == datetime(2026, 12, 24, tzinfo=ZONE)
    office.hours.to("2026-12-23T10:00")
    approval = ask(office, number, "feedback", "")
    office.json(SUPERVISOR, "approval", "approve", approval)
    assert office.refused(number, "extend", "--stage", "feedback", "--apply", status=6) == "APPROVAL_MISSING"
    office.json(ADMIN, "approval", "approve", approval)
    office.step(number, "extend", "--stage", "feedback", "--apply")
    assert due(office, number, "feedback") == datetime(2027, 1, 23, tzinfo=ZONE)
    assert office.refused(number, "extend", *asking(office, "feedback", "")) == "EXTENSION_NONE"
    office.hours.to("2027-01-23T00:00:01")
    assert office.refused(number, "extend", *asking(office, "feedback", "")) == "EXTENSION_NONE"
    office.sound()
