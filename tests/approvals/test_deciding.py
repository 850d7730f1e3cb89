"""Who may decide, as people: requester, second accounts, deputies, paper; what is over stays over (A20, USE-01)."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from office import HASH, OTHER, PEOPLE, Office
from sqlalchemy import select

from crmctl import clock
from crmctl.approvals.tables import approval, approval_decision
from crmctl.errors import PermissionMissing, PlanStale
from crmctl.store.engine import write

LI, LI_AGAIN, WANG, WANG_AGAIN, ZHAO, SUN, HE = 1001, 2001, 1002, 2002, 1003, 1004, 1005
TWO = "by: [supervisor, admin], people: 2"
PAPER = "by: [supervisor], posts: [manager], assurance: recorded"


def test_asked_approved_used_once(office: Office) -> None:
    number = office.ask()
    assert number == 1
    with pytest.raises(PermissionMissing) as early:
        office.use()
    assert (early.value.code, early.value.exit_code) == ("APPROVAL_MISSING", 6)
    assert "crmctl approval show 1" in early.value.hint

    done = office.approve(WANG, number, "--reason", "as agreed on Monday")
    assert [done[name] for name in ("state", "agreed", "people", "person", "assurance")] == [
        "approved", 1, 1, "wang.j", "authenticated",
    ]  # fmt: skip
    assert office.use() == 1
    with pytest.raises(PlanStale) as again:
        office.use()
    assert (again.value.code, again.value.exit_code) == ("APPROVAL_USED", 8)
    assert office.refusal(ZHAO, number, status=8) == "APPROVAL_USED"


def test_every_act_is_an_entry_bound_to_the_subject(office: Office) -> None:
    office.access(rule=TWO)
    office.ask()
    assert office.refusal(LI, 1) == "APPROVAL_OWN_REQUEST"
    office.approve(WANG, 1)
    office.approve(ZHAO, 1)
    office.json(LI, "approval", "revoke", 1, "--reason", "changed my mind")
    asked, denied, first, second, revoked = office.entries()
    assert [body["act"] for body in (asked, denied, first, second, revoked)] == [
        "approval.ask", "approval.approve", "approval.approve", "approval.approve", "approval.revoke",
    ]  # fmt: skip
    assert [body["approval"] for body in (asked, denied, first, second, revoked)] == [1] * 5
    assert (asked["obj"], asked["n"], asked["source"]) == ("plan:12", 3, HASH)
    assert (denied["result"], denied["codes"]) == ("denied", ["APPROVAL_OWN_REQUEST"])
    assert first["counts"] == {"agreed": 1, "wanted": 2}
    assert first["codes"] == ["AUTHENTICATED", "OPEN"]
    assert second["codes"] == ["AUTHENTICATED", "APPROVED"]
    assert revoked["codes"] == ["AUTHENTICATED", "REVOKED"]
    shown = office.json(LI, "approval", "show", 1)
    assert [made["evidence"] for made in shown["decisions"]] == [body["source"] for body in (first, second, revoked)]


@pytest.mark.parametrize("uid", [LI, LI_AGAIN])
def test_who_asked_does_not_decide_from_any_account(office: Office, uid: int) -> None:
    office.ask(LI)
    assert office.refusal(uid, 1) == "APPROVAL_OWN_REQUEST"
    rejected = office.json(uid, "approval", "reject", 1, "--reason", "r", status=6)
    assert rejected["code"] == "APPROVAL_OWN_REQUEST"
    assert office.state(1) == "open"


def test_one_person_with_two_accounts_is_one_pair_of_eyes(office: Office) -> None:
    office.access(rule=TWO)
    office.ask()
    assert office.approve(WANG, 1)["state"] == "open"
    assert office.refusal(WANG_AGAIN, 1) == "APPROVAL_DECIDED_ALREADY"
    with pytest.raises(PermissionMissing):
        office.use()
    assert office.approve(ZHAO, 1)["state"] == "approved"
    assert office.use() == 1


def test_a_role_that_is_not_asked_does_not_decide(office: Office) -> None:
    office.access(rule="by: [supervisor]")
    office.ask()
    assert office.refusal(HE, 1) == "APPROVAL_NOT_ASKED"
    assert office.refusal(SUN, 1) == "ACT_NOT_GRANTED"
    assert office.state(1) == "open"


def test_somebody_alone_never_gets_a_second_persons_part(office: Office) -> None:
    office.ask(LI)
    office.access(people={"wang.j": PEOPLE["wang.j"]})
    assert office.refusal(WANG, 1) == "APPROVAL_ALONE"
    office.ask(WANG, "plan:13")
    assert office.refusal(WANG, 2) == "APPROVAL_OWN_REQUEST"
    assert office.refusal(WANG, 1, "--by", "wang.j", "--document", "OA-1") == "APPROVAL_ALONE"


@pytest.mark.parametrize("end", ["reject", "revoke"])
def test_what_was_refused_or_taken_back_is_not_approved(office: Office, end: str) -> None:
    office.ask()
    office.json(ZHAO, "approval", end, 1, "--reason", "too many")
    code = "APPROVAL_REJECTED" if end == "reject" else "APPROVAL_REVOKED"
    assert office.refusal(WANG, 1, status=8) == code
    with pytest.raises(PlanStale) as refused:
        office.use()
    assert refused.value.code == code
    assert office.ask() == 2


@pytest.mark.parametrize("uid", [LI, WANG, ZHAO])
def test_an_approval_is_taken_back_by_who_asked_agreed_or_may_decide(office: Office, uid: int) -> None:
    office.ask()
    office.approve(WANG, 1)
    assert office.json(uid, "approval", "revoke", 1, "--reason", "r")["state"] == "revoked"
    with pytest.raises(PlanStale):
        office.use()


def test_a_bystander_takes_nothing_back(office: Office) -> None:
    office.access(rule="by: [supervisor]")
    office.ask()
    assert office.json(SUN, "approval", "revoke", 1, "--reason", "r", status=6)["code"] == "APPROVAL_NOT_ASKED"


def test_expired_before_and_after_agreement(office: Office) -> None:
    office.ask()
    office.ask(LI, "plan:13")
    office.approve(WANG, 2)
    for number in (1, 2):
        office.age(number, 73)
    assert office.refusal(WANG, 1, status=8) == "APPROVAL_EXPIRED"
    assert office.json(WANG, "approval", "revoke", 2, "--reason", "r", status=8)["code"] == "APPROVAL_EXPIRED"
    for subject in ("plan:12", "plan:13"):
        with pytest.raises(PlanStale) as refused:
            office.use(LI, subject)
        assert refused.value.code == "APPROVAL_EXPIRED"


def test_a_clock_set_back_revives_nothing(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.ask()
    office.approve(WANG, 1)
    real = clock.now()
    monkeypatch.setattr(clock, "now", lambda: real + timedelta(hours=80))
    office.json(LI, "approval", "list")  # an entry with the late time
    monkeypatch.setattr(clock, "now", lambda: real + timedelta(hours=1))
    with pytest.raises(PlanStale) as refused:
        office.use()
    assert refused.value.code == "APPROVAL_EXPIRED"
    assert office.refusal(ZHAO, 1, status=8) == "APPROVAL_EXPIRED"


def test_another_hash_or_more_records_is_another_subject(office: Office) -> None:
    office.ask()
    office.approve(WANG, 1)
    for subject_hash, rows in ((OTHER, 3), (HASH, 4)):
        with pytest.raises(PlanStale) as refused:
            office.use(LI, subject_hash=subject_hash, rows=rows)
        assert refused.value.code == "APPROVAL_STALE"
    with pytest.raises(PermissionMissing) as never:
        office.use(LI, "plan:99")
    assert never.value.code == "APPROVAL_MISSING"
    assert office.use() == 1


def test_asking_again_for_the_same_is_the_same_approval(office: Office) -> None:
    assert [office.ask(), office.ask(), office.ask(subject_hash=OTHER), office.ask(HE)] == [1, 1, 2, 3]
    office.age(1, 73)
    assert office.ask() == 4
    assert len(office.entries("approval.ask")) == 4


def test_nobody_is_asked_up_to_the_number_of_records(office: Office) -> None:
    office.access(rule="by: [supervisor], over_rows: 3")
    assert (office.ask(), office.use()) == (None, None)
    assert office.ask(rows=4) == 1


def test_a_rule_made_stricter_holds_for_what_was_approved_before(office: Office) -> None:
    office.ask()
    office.approve(WANG, 1)
    office.access(rule=TWO)
    with pytest.raises(PermissionMissing):
        office.use()


def test_rows_forged_for_the_requester_or_one_person_twice_do_not_count(office: Office) -> None:
    office.access(rule=TWO)
    office.ask()
    office.approve(WANG, 1)
    with write(office.engine) as conn:
        row = dict(conn.execute(select(approval_decision)).mappings().one())
        for number, (person, deputy_of) in enumerate([("li.na", None), ("wang.j", None), ("he.l", "li.na")], 2):
            told = {**row, "decision_id": number, "person": person, "entered_by": person, "for_person": deputy_of}
            conn.execute(approval_decision.insert().values(**told))
        conn.execute(approval.update().values(state="approved"))
    with pytest.raises(PermissionMissing):
        office.use()


# Deputies --------------------------------------------------------------------------------------------------------


def absent(who: str, deputy: str, acts: str = "approval.*", first: int = -1, last: int = 1) -> str:
    """Return an entry of `deputies`, from and until so many days from today."""
    begin, end = ((clock.now() + timedelta(days=days)).date().isoformat() for days in (first, last))
    return f'for: {who}, deputy: {deputy}, acts: [{acts}], from: "{begin}", until: "{end}"'


@pytest.mark.parametrize("acts", ["approval.*", "tier.regrade", "tier.*"])
def test_a_deputy_decides_for_the_absent(office: Office, acts: str) -> None:
    office.access(rule="by: [supervisor]", deputies=[absent("wang.j", "sun.q", acts)])
    office.ask()
    done = office.approve(SUN, 1)
    assert (done["state"], done["person"], done["for"]) == ("approved", "sun.q", "wang.j")
    assert office.entries("approval.approve")[0]["about"] == "wang.j"
    assert office.use() == 1


@pytest.mark.parametrize(
    "entry",
    [
        absent("wang.j", "sun.q", "purge.run"),
        absent("wang.j", "sun.q", first=-30, last=-3),
        absent("wang.j", "sun.q", first=3, last=30),
        absent("he.l", "sun.q"),
    ],
    ids=["other acts", "over", "to come", "for one who is not asked"],
)
def test_a_deputy_of_other_acts_or_days_decides_nothing(office: Office, entry: str) -> None:
    office.access(rule="by: [supervisor]", deputies=[entry])
    office.ask()
    assert office.refusal(SUN, 1) in ("APPROVAL_NOT_ASKED", "ACT_NOT_GRANTED")


def test_a_deputy_passes_nothing_on(office: Office) -> None:
    office.access(
        rule="by: [supervisor]",
        deputies=[absent("wang.j", "he.l", first=-9, last=-3), absent("he.l", "sun.q", first=-1)],
    )
    office.ask()
    assert office.refusal(SUN, 1) == "APPROVAL_NOT_ASKED"


def test_who_stands_in_for_the_requester_is_nobody_of_the_requester(office: Office) -> None:
    office.access(rule="by: [admin]", deputies=[absent("li.na", "sun.q")])
    office.ask(LI)
    assert office.refusal(SUN, 1) == "APPROVAL_NOT_ASKED"
    assert office.approve(HE, 1)["state"] == "approved"


def test_the_requester_is_nobodys_deputy_here(office: Office) -> None:
    office.access(rule="by: [supervisor]", deputies=[absent("wang.j", "li.na")])
    office.ask(LI)
    assert office.refusal(LI, 1) == "APPROVAL_OWN_REQUEST"


def test_deputy_and_absent_are_one_part(office: Office) -> None:
    office.access(rule="by: [supervisor], people: 2", deputies=[absent("wang.j", "sun.q")])
    office.ask()
    assert office.approve(SUN, 1)["agreed"] == 1
    assert office.refusal(WANG, 1) == "APPROVAL_DECIDED_ALREADY"
    assert office.refusal(SUN, 1) == "APPROVAL_DECIDED_ALREADY"
    assert office.approve(ZHAO, 1)["state"] == "approved"


# On paper --------------------------------------------------------------------------------------------------------


PAPERS = ("--signed-on", "2026-01-01", "--trained-on", "2026-01-01")


def employ(office: Office, number: str, *words: str) -> None:
    office.json(LI, "staff", "add", "--number", number, "--name", f"Person {number}", *PAPERS, *words)


def test_a_decision_on_paper_is_entered_for_somebody_else(office: Office, tmp_path: Path) -> None:
    office.access(rule=PAPER)
    office.ask()
    done = office.approve(HE, 1, "--by", "chen.b", "--document", "OA-20261", "--reason", "signed on the 3rd")
    assert (done["state"], done["person"], done["assurance"]) == ("approved", "chen.b", "recorded")
    entry = office.entries("approval.approve")[0]
    assert (entry["actor"]["person"], entry["about"], entry["ticket"]) == ("he.l", "chen.b", "OA-20261")
    (made,) = office.json(LI, "approval", "show", 1)["decisions"]
    assert [made[name] for name in ("person", "entered_by", "document", "reason")] == [
        "chen.b", "he.l", "OA-20261", "signed on the 3rd",
    ]  # fmt: skip


def test_a_scan_is_kept_sealed_and_given_back(office: Office, tmp_path: Path) -> None:
    office.access(rule=PAPER)
    office.ask()
    scan = tmp_path / "paper.pdf"
    scan.write_bytes(b"%PDF " + os.urandom(5000) + b"CANARY-3f9")
    office.approve(HE, 1, "--by", "chen.b", "--scan", scan, "--reason", "CANARY-77a")
    sealed = bytes(office.rows(select(approval_decision.c.sealed))[0][0])
    assert b"CANARY" not in sealed
    assert len(sealed) > 5000
    back = tmp_path / "back.pdf"
    office.json(LI, "approval", "show", 1, "--save-scan", back)
    assert back.read_bytes() == scan.read_bytes()
    assert back.stat().st_mode & 0o777 == 0o600
    assert office.json(LI, "approval", "show", 1, "--save-scan", back, status=1)["code"] == "FILE_EXISTS"


def test_recorded_where_an_account_is_wanted_is_refused(office: Office) -> None:
    office.ask()
    assert office.refusal(HE, 1, "--by", "chen.b", "--document", "OA-1") == "ASSURANCE_TOO_WEAK"


def test_nobody_enters_for_themselves_or_for_their_own_request(office: Office) -> None:
    office.access(rule="by: [supervisor, admin], assurance: recorded, people: 2")
    office.ask(LI)
    paper = ("--document", "OA-1")
    assert office.refusal(LI, 1, "--by", "chen.b", *paper) == "APPROVAL_OWN_REQUEST"
    assert office.refusal(HE, 1, "--by", "li.na", *paper) == "APPROVAL_OWN_REQUEST"
    assert office.refusal(HE, 1, "--by", "he.l", *paper) == "APPROVAL_OWN_NAME"
    assert office.refusal(SUN, 1, "--by", "chen.b", *paper) == "ACT_NOT_GRANTED"
    assert office.approve(HE, 1, "--by", "chen.b", *paper)["state"] == "open"
    assert office.refusal(HE, 1) == "APPROVAL_BOTH_PARTS"
    assert office.refusal(WANG, 1, "--by", "he.l", *paper) == "APPROVAL_BOTH_PARTS"
    office.approve(WANG, 1)
    assert office.state(1) == "approved"


def test_who_agreed_does_not_enter_another(office: Office) -> None:
    office.access(rule="by: [supervisor, admin], assurance: recorded, people: 2")
    office.ask(LI)
    office.approve(WANG, 1)
    assert office.refusal(WANG, 1, "--by", "chen.b", "--document", "OA-1") == "APPROVAL_BOTH_PARTS"


def test_staff_of_the_posts_decide_on_paper(office: Office) -> None:
    office.access(rule=PAPER)
    employ(office, "M01", "--post", "manager")
    employ(office, "M02", "--post", "legal")
    office.ask()
    paper = ("--document", "OA-2026-0042")
    assert office.refusal(HE, 1, "--by", "M02", *paper) == "APPROVAL_NOT_ASKED"
    assert office.refusal(HE, 1, "--by", "M99", *paper, status=1) == "DECIDER_UNKNOWN"
    assert office.approve(HE, 1, "--by", "M01", *paper)["person"] == "staff:M01"
    assert office.use() == 1


def test_staff_with_an_account_are_the_person_of_it(office: Office) -> None:
    """Under their staff number the requester and the operator are still themselves."""
    office.access(rule=PAPER)
    employ(office, "M01", "--post", "manager", "--uids", "2001")
    employ(office, "M02", "--post", "manager", "--wecom-id", "he.l")
    office.ask(LI)
    assert office.refusal(HE, 1, "--by", "M01", "--document", "OA-1") == "APPROVAL_OWN_REQUEST"
    assert office.refusal(HE, 1, "--by", "M02", "--document", "OA-1") == "APPROVAL_OWN_NAME"


def test_paper_needs_its_number_or_scan(office: Office, tmp_path: Path) -> None:
    office.access(rule=PAPER)
    office.ask()
    empty = tmp_path / "empty.pdf"
    empty.touch()
    statuses = [
        office.say(HE, "approval", "approve", 1, *words).exit_code
        for words in (
            ["--by", "chen.b"],
            ["--document", "OA-1"],
            ["--by", "chen.b", "--document", "13800138000"],
            ["--by", "chen.b", "--scan", str(empty)],
        )
    ]
    assert statuses == [2, 2, 4, 4]
    assert office.say(WANG, "approval", "reject", 1).exit_code == 2
    assert office.state(1) == "open"
