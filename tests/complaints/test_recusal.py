"""Whom a complaint is about, and by policy their superiors: they neither handle it nor agree to anything about it.

CMP-19, 003 §5.四 4.1. People count, not accounts: whoever the register has as the same person keeps out as well.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from casework import AGENT, CALLED, DEPUTY, HANDLER, SECOND, SUPERVISOR, TWIN, Office
from hypothesis import given
from hypothesis import strategies as st

from crmctl.approvals.decide import rule_after
from crmctl.security.access import Approval

ASK = ("--without-agreement", "--ask")
LEAVE = "  deputies: []\n"


def disagreed(office: Office, **more: str) -> str:
    """Open a complaint that may be closed without agreement once somebody else agrees."""
    number = office.open(**more)
    office.verify(number)
    for _plan in range(2):
        office.propose(number)
        office.step(number, "refuse")
    office.step(number, "mediate")
    return number


def asked(office: Office, number: str) -> int:
    """Ask for the approval of closing without agreement."""
    return int(office.step(number, "close", *ASK)["approval"])


@pytest.mark.parametrize("uid", [AGENT, TWIN, SUPERVISOR])
def test_who_it_is_about_and_their_superior_do_nothing(office: Office, uid: int) -> None:
    """Ann, her other account, and the manager of her department: every step is refused, logged, and changes nothing."""
    number = office.open(about="K3", handler="K2")
    for verb, words in (
        ("respond", ()), ("progress", ()), ("verify", ("--department", "x", "--cause", "process")), ("close", ()),
        ("handoff", ("--to", "K1")), ("attach", (office.text("x")[1:],)),
        ("classify", ("--severity", "serious", "--reason", office.text("r"))),
        ("mark-duplicate", ("--of", "CMP-20260101-0001", "--reason", office.text("r"))),
        ("extend", ("--stage", "feedback", "--reason", office.text("r"))),
    ):  # fmt: skip
        if uid == AGENT:  # not hers: that she is not told that there is one comes first
            assert office.desk.refusal(uid, "complaint", verb, number, *words, status=1) == "COMPLAINT_UNKNOWN"
        else:
            assert office.refused(number, verb, *words, uid=uid, status=6) == "RECUSED"
    assert office.kinds(number) == ["accepted"]
    named = [each for each in office.entries(number) if each["actor"]["uid"] == uid]
    assert named
    assert {each["result"] for each in named} <= ({"done"} if uid == AGENT else {"denied"})


def test_the_owner_it_is_about_does_nothing(office: Office) -> None:
    """Ann received it herself, so she knows of it; still she does not handle it, and reads none of its texts."""
    number = office.open(about="K3", receiver="K3")
    assert office.row(number)["first_receiver_id"] == office.staff_ids["K3"], "the first receiver stays on record"
    assert office.refused(number, "respond", uid=AGENT, status=6) == "RECUSED"
    assert office.refused(number, "close", uid=AGENT, status=6) == "RECUSED"
    assert office.step(number, "show", uid=AGENT)["texts"] is None
    office.hours.forward(minutes=2)
    assert office.step(number, "show", "--reveal", uid=AGENT, status=6)["code"] == "RECUSED"
    assert office.step(number, "show", "--reveal", uid=HANDLER)["texts"]["matter"]


def test_a_manager_of_another_department_handles_it(office: Office) -> None:
    number = office.open(about="K3")
    assert office.step(number, "respond", uid=DEPUTY)["event"] == "responded"


def test_within_the_company_every_manager_keeps_out(office: Office) -> None:
    office.desk.edit("complaints.yaml", "within: department}", "within: company}")
    number = office.open(about="K3")
    assert office.refused(number, "respond", uid=DEPUTY, status=6) == "RECUSED"
    office.step(number, "respond", uid=HANDLER)


def test_without_superiors_only_the_person(office: Office) -> None:
    office.desk.edit("complaints.yaml", "    superiors: {posts: [manager], within: department}\n", "")
    number = office.open(about="K3")
    office.step(number, "respond", uid=SUPERVISOR)
    assert office.refused(number, "progress", uid=TWIN, status=6) == "RECUSED"


@pytest.mark.parametrize("reference", ["K3", "W1", "Ann"])
def test_nobody_who_keeps_out_becomes_the_handler(office: Office, reference: str) -> None:
    number = office.open(about="K3")
    assert office.refused(number, "handoff", "--to", reference, status=6) == "RECUSED"
    assert office.row(number)["handler_id"] == office.staff_ids["K1"]
    done = office.json(HANDLER, *office.opening(about="K3", handler=reference))
    assert done["handler"] is None
    assert office.row(done["number"])["handler_id"] is None


def test_about_oneself_one_may_open_and_nothing_more(office: Office) -> None:
    """A complaint about whoever takes the call is registered, and goes to somebody else."""
    number = office.open(about="K1")
    assert office.row(number)["handler_id"] is None
    assert office.refused(number, "respond", status=6) == "RECUSED"
    office.step(number, "handoff", "--to", "K2", uid=SECOND)
    office.through(number, uid=SECOND)


def test_who_it_turns_out_to_be_about_handles_it_no_longer(office: Office) -> None:
    number = office.open()
    office.verify(number, "--about", "K1")
    assert office.row(number)["handler_id"] is None
    assert office.refused(number, "progress", status=6) == "RECUSED"
    office.verify(number, "--about", "K3", uid=SECOND)
    about = office.json(SECOND, "complaint", "show", number)["about"]
    assert about == sorted([office.staff_ids["K1"], office.staff_ids["K3"]]), "nobody is taken back"


@pytest.mark.parametrize("uid", [SUPERVISOR, CALLED])
def test_neither_of_them_agrees(office: Office, uid: int) -> None:
    """Not the superior; not somebody whom access.yaml knows by a name that the register has for them alone."""
    number = disagreed(office, about="K3" if uid == SUPERVISOR else "K6")
    approval = asked(office, number)
    assert office.desk.refusal(uid, "approval", "approve", approval) == "APPROVAL_RECUSED"
    assert office.refused(number, "progress", uid=uid, status=6) == "RECUSED"
    (entry,) = [each for each in office.desk.entries("approval.approve") if each["result"] == "denied"]
    assert (entry["approval"], entry["codes"]) == (approval, ["APPROVAL_RECUSED"])
    office.json(DEPUTY, "approval", "approve", approval)
    assert office.step(number, "close", "--without-agreement")["status"] == "closed"


def test_nor_does_a_deputy_for_them(office: Office) -> None:
    """A deputy decides as the one who is away would: not at all."""
    entry = "\n    - {for: wang.j, deputy: qi.x, acts: [approval.*], from: 2026-11-01, until: 2026-12-31}\n"
    office.desk.edit("access.yaml", LEAVE, f"  deputies:{entry}")
    number = disagreed(office, about="K3")
    approval = asked(office, number)
    assert office.desk.refusal(SECOND, "approval", "approve", approval) == "APPROVAL_RECUSED"
    other = disagreed(office, about="K2")
    assert office.desk.refusal(SECOND, "approval", "approve", asked(office, other)) == "APPROVAL_RECUSED"
    plain = disagreed(office)
    office.json(SECOND, "approval", "approve", asked(office, plain))


def test_nor_is_their_word_entered_from_paper(office: Office) -> None:
    """Recorded decisions: of a person of the register by post, of a person of access.yaml, and by whose hand."""
    old = "    complaint.close-without-agreement:\n      by: [supervisor]\n"
    old += "      people: 1\n      assurance: authenticated\n"
    new = old.replace("      people", "      posts: [manager]\n      people").replace("authenticated", "recorded")
    office.desk.edit("access.yaml", old, new)
    number = disagreed(office, about="K5")
    approval = asked(office, number)
    words = ("approval", "approve", approval, "--document", "OA-20261123", "--by")
    assert office.desk.refusal(DEPUTY, *words, "K5") == "APPROVAL_RECUSED"
    other = disagreed(office, about="K4")
    number_of = asked(office, other)
    words = ("approval", "approve", number_of, "--document", "OA-20261123", "--by")
    assert office.desk.refusal(DEPUTY, *words, "K5") == "APPROVAL_RECUSED", "by whose hand it is entered"
    assert office.desk.refusal(SUPERVISOR, *words, "K4") == "APPROVAL_RECUSED"
    office.json(SUPERVISOR, *words, "K5")
    assert office.step(other, "close", "--without-agreement")["status"] == "closed"


@pytest.mark.parametrize("then", ["before", "after"])
def test_what_they_agreed_to_before_it_was_known_is_worth_nothing(office: Office, then: str) -> None:
    """More time was asked for; it turns out to be about somebody under the manager who agrees to it."""
    office.desk.edit("complaints.regulator.yaml", 'mode: "off"', "mode: enforce")
    office.desk.edit("complaints.regulator.yaml", "within: company}", "within: department}")
    number = office.open(channel="authority")
    words = ("--stage", "feedback", "--reason", office.text("配件未到"))
    approval = office.step(number, "extend", *words)["approval"]
    if then == "after":
        office.json(SUPERVISOR, "approval", "approve", approval)
    office.verify(number, "--about", "K3")
    if then == "before":
        office.json(SUPERVISOR, "approval", "approve", approval)
    assert office.refused(number, "extend", "--stage", "feedback", "--apply", status=8) == "APPROVAL_STALE"
    again = office.step(number, "extend", *words)["approval"]
    assert again != approval
    assert office.desk.refusal(SUPERVISOR, "approval", "approve", again) == "APPROVAL_RECUSED"
    office.json(DEPUTY, "approval", "approve", again)
    office.step(number, "extend", "--stage", "feedback", "--apply")
    office.sound()


HOURS = st.integers(0, 200)


@given(HOURS, st.none() | st.integers(1, 90), st.booleans(), st.sampled_from(["hours", "days"]))
def test_the_next_level_decides_once_it_was_waited_long_enough(
    waited: int, after: int | None, named: bool, unit: str
) -> None:
    rule = Approval(
        by=("supervisor",),
        next_by=("admin", "supervisor") if named else (),
        next_after=None if after is None else f"{after} {unit}" if after > 1 else f"1 {unit[:-1]}",
    )
    found = rule_after(rule, timedelta(hours=waited)).by
    passed = named and after is not None and waited >= after * (24 if unit == "days" else 1)
    assert found == (("supervisor", "admin") if passed else ("supervisor",))
