"""From revisit to closing, and after it, through the real commands (CMP-11 to CMP-15, CMP-22, CMP-23, A-07, SAT-03)."""

from __future__ import annotations

import pytest
from casework import ADMIN, AGENT, DEPUTY, HANDLER, SECOND, SUPERVISOR, Office
from sqlalchemy import select

from crmctl.satisfaction.tables import satisfaction

SERIOUS = ("verified", "agreed", "rectified", "revisited", "settled", "reviewed")
ASK = ("--without-agreement", "--ask")


def lacking(office: Office, number: str) -> list[str]:
    """Return what closing says is missing."""
    found: list[str] = office.step(number, "close", status=1)["details"]["missing"]
    return found


def test_closing_lists_exactly_what_is_missing(office: Office) -> None:
    """CMP-13: at every step, in the policy's order; nothing is closed."""
    number = office.open(severity="critical")
    wanted = [*SERIOUS, "legal_reviewed"]
    assert lacking(office, number) == wanted
    for verb, brings in (
        ("verify", ["verified"]), ("propose", []), ("agree", ["agreed"]), ("rectify", ["rectified"]),
        ("revisit", ["revisited", "settled"]),
    ):  # fmt: skip
        office.through(number, verb, start=verb)
        wanted = [need for need in wanted if need not in brings]
        assert lacking(office, number) == wanted
    assert office.row(number)["status"] == "revisited"
    office.step(number, "review", "--passed", uid=SECOND)
    assert lacking(office, number) == ["legal_reviewed"]
    office.step(number, "legal-review", "--text", office.text("合规"), uid=SUPERVISOR)
    assert office.step(number, "close")["status"] == "closed"
    assert office.refused(number, "close") == "CASE_CLOSED"
    refused = [entry for entry in office.entries(number) if entry["result"] == "refused"]
    assert [entry["codes"] for entry in refused] == [["MISSING"]] * 7 + [["CASE_CLOSED"]]
    assert {(entry["act"], entry["actor"]["person"]) for entry in refused} == {("complaint.close", "hu.y")}
    office.sound()


def test_not_settled_another_plan_is_needed(office: Office) -> None:
    """CMP-11: the customer says whether it is settled; what an earlier plan brought closes nothing."""
    number = office.open()
    office.through(number, "rectify")
    assert office.step(number, "revisit", "--settled", "--score", 101, status=2)["exit_code"] == 2
    done = office.step(number, "revisit", "--not-settled", "--score", 20)
    assert done["status"] == "unsettled"
    assert lacking(office, number) == ["settled"]
    assert office.refused(number, "revisit", "--settled") == "NOT_YET", "nobody asks until the answer is right"
    office.propose(number)
    assert lacking(office, number) == ["agreed", "rectified", "revisited", "settled"]
    office.through(number, start="agree")
    answers = office.desk.rows(select(satisfaction).order_by(satisfaction.c.satisfaction_id))
    assert [(row["score"], row["settled"]) for row in answers] == [(20, 0), (90, 1)]
    office.sound()


@pytest.mark.parametrize("severity", ["general", "serious"])
def test_a_review_that_fails_sends_it_back(office: Office, severity: str) -> None:
    """CMP-15: by somebody else; whether the policy wants a review or not, a failed one is not passed over."""
    number = office.open(severity=severity)
    office.through(number, "revisit")
    assert office.refused(number, "review", "--passed", status=6) == "OWN_WORK"
    done = office.step(number, "review", "--not-passed", "--text", office.text("补偿不足"), uid=SECOND)
    assert done["status"] == "unsettled"
    assert {"agreed", "rectified", "revisited", "settled"} <= set(lacking(office, number))
    assert office.refused(number, "review", "--passed", uid=SUPERVISOR) == "NOT_YET", "no second opinion instead"
    office.propose(number)
    office.through(number, "revisit", start="agree")
    office.step(number, "review", "--passed", uid=SECOND)
    assert office.step(number, "close")["status"] == "closed"


def test_who_worked_on_it_does_not_review_it(office: Office) -> None:
    """CMP-15: neither after handing it on, nor from another account."""
    number = office.open(handler="K3")
    office.verify(number, uid=SECOND)
    office.propose(number, uid=AGENT)
    office.step(number, "agree", uid=AGENT)
    office.step(number, "rectify", uid=AGENT)
    office.step(number, "handoff", "--to", "K1")
    assert office.refused(number, "review", "--passed", uid=SECOND, status=6) == "OWN_WORK", "verified it"
    assert office.refused(number, "review", "--passed", uid=2013, status=6) == "OWN_WORK", "the other account of Ann"
    assert office.refused(number, "review", "--passed", uid=HANDLER, status=6) == "OWN_WORK", "handles it"
    office.step(number, "review", "--passed", uid=SUPERVISOR)


def test_reopened_it_begins_again_and_not_for_ever(office: Office) -> None:
    number = office.open()
    office.through(number)
    office.hours.forward(days=80)
    assert "--reason" in office.step(number, "reopen", status=2)["message"]
    done = office.step(number, "reopen", "--reason", office.text("又漏水了"))
    assert (done["status"], office.row(number)["closed_at"], office.row(number)["reopened"]) == ("verified", None, 1)
    assert {"propose", "progress"} <= {each["stage"] for each in done["deadlines"]}
    assert lacking(office, number) == ["agreed", "rectified", "revisited", "settled"]
    office.propose(number, "2027-03-01")
    office.through(number, start="agree")
    office.hours.forward(days=91)
    assert office.refused(number, "reopen", "--reason", office.text("再次")) == "REOPEN_TOO_LATE"
    assert office.kinds(number).count("reopened") == 1
    office.sound()


def test_analysed_also_once_it_is_closed(office: Office) -> None:
    """CMP-14."""
    number = office.open()
    office.through(number)
    words = ("--root-cause", office.text("接头老化"), "--improvement", office.text("巡检"))
    assert office.step(number, "analyse", *words)["deadlines"] == []
    (clock,) = office.clocks(number, "analyse")
    assert clock["stopped_at"] is not None


def refusals(office: Office, *, mediated: bool = True, severity: str = "general") -> str:
    """Open a complaint whose customer refuses two plans."""
    number = office.open(severity=severity)
    office.verify(number)
    for _plan in range(2):
        office.hours.forward(hours=1)
        office.propose(number)
        office.step(number, "refuse")
    if mediated:
        office.step(number, "mediate", "--text", office.text("请调解委员会"))
    return number


def test_without_agreement_it_takes_mediation_and_somebody_else(office: Office) -> None:
    """A-07, CON-04: asked, approved by another, closed once."""
    number = office.open()
    assert office.refused(number, "close", *ASK) == "AGREEMENT_POSSIBLE"
    office.verify(number)
    office.propose(number)
    assert office.refused(number, "close", *ASK) == "PLANS_TOO_FEW"
    number = refusals(office, mediated=False)
    assert office.refused(number, "close", *ASK) == "MEDIATION_MISSING"
    office.step(number, "mediate")
    assert office.refused(number, "close", "--without-agreement", status=6) == "APPROVAL_MISSING"
    approval = office.step(number, "close", *ASK, "--text", office.text("无法达成"))["approval"]
    assert office.row(number)["status"] == "refused"
    assert office.refused(number, "close", "--without-agreement", status=6) == "APPROVAL_MISSING"
    assert office.desk.refusal(HANDLER, "approval", "approve", approval) in ("ACT_NOT_GRANTED", "ACT_DENIED")
    office.json(SUPERVISOR, "approval", "approve", approval)
    done = office.step(number, "close", "--without-agreement")
    assert (done["status"], done["closing"], done["approval"]) == ("closed", "without_agreement", approval)
    asked, closed = [
        each for each in office.entries(number) if each.get("approval") and each["act"] == "complaint.close"
    ]
    assert (asked["counts"], closed["counts"]) == ({"asked": 1}, {"closed": 1})
    office.step(number, "reopen", "--reason", office.text("客户回来了"))
    assert office.refused(number, "close", "--without-agreement") == "AGREEMENT_POSSIBLE", "an approval is spent once"
    office.sound()


def test_an_approval_is_for_the_plans_it_saw(office: Office) -> None:
    """What happens after it was given makes it stale; a note does not."""
    number = refusals(office)
    approval = office.step(number, "close", *ASK)["approval"]
    office.json(SUPERVISOR, "approval", "approve", approval)
    office.step(number, "progress")
    office.propose(number)
    office.step(number, "refuse")
    assert office.refused(number, "close", "--without-agreement", status=8) == "APPROVAL_STALE"
    (entry,) = [each for each in office.entries(number) if each["result"] == "refused"]
    assert entry["codes"] == ["APPROVAL_STALE"]
    again = office.step(number, "close", *ASK)["approval"]
    assert again != approval
    office.json(DEPUTY, "approval", "approve", again)
    office.step(number, "progress")
    assert office.step(number, "close", "--without-agreement")["approval"] == again


def test_without_agreement_a_serious_one_is_still_reviewed(office: Office) -> None:
    """CMP-15: what the policy wants besides agreement is wanted all the same, and can be had."""
    number = refusals(office, severity="serious")
    assert office.refused(number, "close", *ASK) == "MISSING"
    office.step(number, "review", "--passed", uid=SECOND)
    approval = office.step(number, "close", *ASK)["approval"]
    office.json(SUPERVISOR, "approval", "approve", approval)
    assert office.step(number, "close", "--without-agreement")["status"] == "closed"


def test_a_policy_without_that_way_out(office: Office) -> None:
    office.desk.edit(
        "complaints.yaml",
        '  without_agreement: {plans: 2, mediation: true, source: ["003 §6.二 2.1", "004 §11(四)"]}\n',
        "",
    )
    number = refusals(office)
    assert office.refused(number, "close", *ASK) == "NO_DISAGREEMENT_EXIT"


def test_a_duplicate_is_of_one_that_is_handled(office: Office) -> None:
    """CMP-23: both stay on record; nothing is hidden behind what is closed, gone, or the same."""
    first, second, third = office.open(), office.open(), office.open()
    why = ("--reason", office.text("同一件事"))
    assert office.refused(second, "mark-duplicate", "--of", second, *why) == "NO_ORIGINAL"
    assert office.refused(second, "mark-duplicate", "--of", "CMP-20260101-0001", *why) == "COMPLAINT_UNKNOWN"
    assert office.step(second, "mark-duplicate", "--of", first, status=2)["exit_code"] == 2
    done = office.step(second, "mark-duplicate", "--of", first, *why)
    assert (done["status"], done["closing"], done["deadlines"]) == ("duplicate", "duplicate", [])
    assert office.row(second)["duplicate_of"] == first
    assert office.refused(first, "mark-duplicate", "--of", second, *why) == "NO_ORIGINAL", "not in a circle"
    assert office.refused(second, "reopen", "--reason", office.text("r")) == "IS_DUPLICATE"
    office.through(first)
    assert office.refused(third, "mark-duplicate", "--of", first, *why) == "NO_ORIGINAL", "not behind a closed one"
    assert {office.row(number)["number"] for number in (first, second, third)} == {first, second, third}
    assert [office.row(number)["status"] for number in (first, second, third)] == ["closed", "duplicate", "accepted"]
    office.sound()


def test_posts_the_policy_names(office: Office) -> None:
    """CMP-21: who closes is policy; the administrator's and everybody else's roles give it nobody."""
    office.desk.edit(
        "complaints.yaml", "  reopen_within: 90 days\n", "  reopen_within: 90 days\n  posts: {close: [manager]}\n"
    )
    number = office.open()
    office.through(number, "revisit")
    assert office.refused(number, "close", status=6) == "POST_MISSING"
    assert office.refused(number, "close", uid=ADMIN, status=6) == "ACT_NOT_GRANTED"
    office.step(number, "close", uid=SUPERVISOR)
