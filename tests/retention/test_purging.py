"""A purge from plan to proof: who is planned, who agrees, what goes, what stays, what is refused (DES-01 to DES-07)."""

from __future__ import annotations

import json
import signal
from datetime import timedelta
from typing import Any

import pytest
from casework import HANDLER, Hours, Office
from desks import ADMIN, AUDITOR, OTHER, PERSONAL, STEWARD, SUPERVISOR
from doomed import Doomed
from sqlalchemy import func, select

from crmctl.audit.tables import change, look
from crmctl.customers.tables import contact, customer, identity
from crmctl.retention import purging
from crmctl.retention.belongings import belongings
from crmctl.retention.tables import destruction
from crmctl.runs.tables import plan_item
from crmctl.runs.tables import run as run_table
from crmctl.store import engine


def later(hours: Hours, office: Office, months: int) -> None:
    """Let months go by in which cron signed the log, as it does."""
    hours.forward(days=31 * months)
    office.json(ADMIN, "keys", "rotate")  # the newest entry of the log is of today


def planned(office: Office, *words: object, uid: int = STEWARD) -> dict[str, Any]:
    """Make a plan."""
    return office.json(uid, "purge", "plan", *words)


def approved(office: Office, *words: object) -> int:
    """Make a plan and let somebody else agree to it; return its number."""
    number = int(planned(office, *words)["plan"])
    office.json(SUPERVISOR, "purge", "approve", number)
    return number


def purged(office: Office, number: int, status: int = 0) -> dict[str, Any]:
    """Carry a plan out; return what it did."""
    found: dict[str, Any] = office.json(STEWARD, "purge", "run", number, status=status)["purges"][0]
    return found


def count(office: Office, table: Any, *where: Any) -> int:
    """Return how many rows a table has."""
    return int(office.desk.rows(select(func.count().label("n")).select_from(table).where(*where))[0]["n"])


def undecided(office: Office) -> None:
    """Let the company not have decided a period."""
    value = "lead_retention_months:\n      value: "
    office.desk.edit("company.yaml", f"{value}24", f"{value}unset")


def test_from_plan_to_proof(office: Office, hours: Hours) -> None:
    """DES-01, DES-02, DES-04, DES-06: their time is over, yet nobody is destroyed without somebody else's word."""
    later(hours, office, 36)
    made = planned(office)
    assert made["destroy"] == {"never_bought": 3}
    assert made["keep"] == {}
    assert made["rows"]["customer"] == 3
    assert office.desk.refusal(STEWARD, "purge", "run", made["plan"]) == "APPROVAL_MISSING"
    assert office.desk.refusal(STEWARD, "purge", "approve", made["plan"]) == "ACT_NOT_GRANTED"
    office.json(SUPERVISOR, "purge", "approve", made["plan"])
    done = purged(office, made["plan"])
    assert (done["destroyed"], done["spared"]) == (3, {})
    for table in (*belongings(), identity):
        assert count(office, table) == 0, table.name
    assert count(office, change, change.c.salt.is_not(None), change.c.customer_id > 0) == 0
    assert count(office, change, change.c.before_sealed.is_not(None), change.c.customer_id > 0) == 0
    assert count(office, look, look.c.salt.is_not(None)) == 0
    office.sound()
    verified = office.json(STEWARD, "purge", "verify", made["plan"])
    assert verified["clean"]
    assert {each["check"]: each["found"] for each in verified["checks"]} == dict.fromkeys(
        ("digests", "rows", "identities", "images", "keys", "files"), 0
    )
    shown = office.json(AUDITOR, "purge", "show", made["plan"])
    assert (shown["state"], shown["destroyed"], shown["approved_by"]) == ("verified", 3, ["wang.j"])
    record = json.loads(office.desk.say(AUDITOR, "purge", "show", made["plan"], "--record").stdout)
    assert record["planned_by"] == "li.na"
    assert [each["person"] for each in record["approved_by"]] == ["wang.j"]
    assert record["digests"] == 3
    assert not any(text in json.dumps(record, ensure_ascii=False) for text in PERSONAL)


def test_the_second_execution_is_refused(office: Office, hours: Hours) -> None:
    """DES-02: an approval is for one execution."""
    later(hours, office, 36)
    number = approved(office)
    purged(office, number)
    assert office.desk.refusal(STEWARD, "purge", "run", number, status=8) == "PLAN_APPLIED"


def test_a_plan_without_anybody_says_so(office: Office) -> None:
    """Nobody was asked to agree to it, and nobody has to be."""
    number = planned(office)["plan"]
    for words in (("purge", "run", number), ("purge", "run", number, "--dry-run")):
        assert office.desk.refusal(STEWARD, *words, status=1) == "PLAN_EMPTY"
    assert office.desk.refusal(SUPERVISOR, "purge", "approve", number, status=1) == "PLAN_EMPTY"


def test_a_plan_of_other_policies_keeps_no_other_from_being_carried_out(office: Office, hours: Hours) -> None:
    """Cron says 8, because somebody has to plan again; what can be done is done."""
    later(hours, office, 36)
    approved(office, "--customer", "C-1")
    office.desk.edit("retention.yaml", "the shortest time the purpose needs", "no longer than needed")
    second = approved(office, "--customer", "C-2")
    done = office.desk.say(STEWARD, "purge", "run", "-o", "json")
    assert (done.exit_code, json.loads(done.stderr)["code"]) == (8, "PLAN_OTHER_POLICY")
    assert [each["plan"] for each in json.loads(done.stdout)["purges"]] == [second]
    assert count(office, customer) == 2
    assert office.json(STEWARD, "purge", "show", second)["state"] == "done"


def test_an_expired_plan_is_refused(office: Office, hours: Hours) -> None:
    later(hours, office, 36)
    number = approved(office)
    hours.forward(hours=73)
    assert office.desk.refusal(STEWARD, "purge", "run", number, status=8) == "PLAN_EXPIRED"
    assert count(office, customer) == 3


def test_a_clock_set_back_revives_nothing(office: Office, hours: Hours) -> None:
    """Somebody whose papers are older than the wrong clock: the clock itself is what is refused."""
    papers = '"he.l": {uids: [1005], roles: [steward], confidentiality_signed: '
    office.desk.edit(
        "access.yaml", f"{papers}2026-01-01, training_passed: 2026", f"{papers}2010-01-01, training_passed: 2010"
    )
    later(hours, office, 36)
    number = approved(office)
    hours.forward(days=5)
    office.json(ADMIN, "keys", "rotate")
    hours.at -= timedelta(days=3650)
    assert office.desk.refusal(OTHER, "purge", "run", number, status=1) == "CLOCK_BACK"
    assert office.desk.refusal(OTHER, "purge", "plan", status=1) == "CLOCK_BACK"
    assert count(office, customer) == 3


def test_a_clock_far_ahead_has_to_be_confirmed(office: Office, hours: Hours) -> None:
    hours.forward(days=3650)
    assert office.desk.refusal(STEWARD, "purge", "plan", status=1) == "CLOCK_AHEAD"
    assert planned(office, "--accept-clock")["destroy"] == {"never_bought": 3}


def test_an_unset_period_destroys_nothing(office: Office, hours: Hours) -> None:
    """DES-01: purge refuses for a kind without a policy value."""
    undecided(office)
    later(hours, office, 36)
    assert office.desk.refusal(STEWARD, "purge", "plan", status=4) == "VALUE_UNDECIDED"


def test_no_purge_without_anybody_to_approve_it(office: Office, hours: Hours) -> None:
    """DES-02: a workspace whose access.yaml asks nobody destroys nothing."""
    office.desk.edit("access.yaml", "    purge.run:\n      by:", "    purge.other:\n      by:")
    later(hours, office, 36)
    assert office.desk.refusal(STEWARD, "purge", "plan", status=4) == "PURGE_UNAPPROVED"


def test_whoever_is_held_or_edited_after_approval_is_spared(office: Office, hours: Hours) -> None:
    """DES-07: the rest goes, and exit 3 says that not all did."""
    later(hours, office, 36)
    number = approved(office)
    office.json(ADMIN, "hold", "set", "C-1", "--kind", "legal", "--reason", office.text("诉讼保全"))
    source = office.desk.folder.parent / "more.csv"
    source.write_text("customer_type,name,mobile,address\nindividual,张三丰,13712345670,新地址1号\n", "utf-8")
    office.json(STEWARD, "customer", "import", source, "--mode", "update")
    done = purged(office, number, status=3)
    assert (done["destroyed"], done["spared"]) == (1, {"hold:legal": 1, "edited": 1})
    assert count(office, customer) == 2
    rows = office.json(STEWARD, "purge", "show", number, "--kept")["customers"]
    assert [(row["customer"], row["why"]) for row in rows] == [("C-000001", "hold:legal"), ("C-000002", "edited")]
    office.json(STEWARD, "customer", "show", "C-1")
    assert office.json(STEWARD, "purge", "verify", number)["clean"]


def test_an_open_complaint_keeps_its_customer(office: Office, hours: Hours) -> None:
    """DES-07, CMP-23: a complaint is not destroyed with its customer while it is open."""
    later(hours, office, 36)
    office.open("C-1")
    made = planned(office)
    assert made["destroy"] == {"never_bought": 2}
    hours.forward(days=1)
    office.json(SUPERVISOR, "purge", "approve", made["plan"])
    office.open("C-2")
    done = purged(office, made["plan"], status=3)
    assert (done["destroyed"], done["spared"]) == (1, {"hold:complaint": 1})


def test_who_asks_gets_a_receipt_that_proves_it(office: Office, hours: Hours) -> None:
    """DES-04: an erasure request does not wait for the company's period, and leaves a proof to the person."""
    made = planned(office, "--customer", "C-3")
    assert made["destroy"] == {"never_bought": 1}
    (receipt,) = made["receipts"]
    paper = office.text(receipt["receipt"])
    office.json(SUPERVISOR, "purge", "approve", made["plan"])
    assert purged(office, made["plan"])["destroyed"] == 1
    assert office.desk.refusal(STEWARD, "purge", "prove", "--receipt", paper, status=1) == "PURGE_UNVERIFIED"
    office.json(STEWARD, "purge", "verify", made["plan"])
    proof = office.json(AUDITOR, "purge", "prove", "--receipt", paper)
    assert (proof["plan"], proof["index"], proof["size"]) == (made["plan"], 0, 1)
    wrong = office.text(receipt["receipt"].replace(receipt["receipt"][8], "Z" if receipt["receipt"][8] != "Z" else "Y"))
    assert office.desk.refusal(AUDITOR, "purge", "prove", "--receipt", wrong, status=4) == "RECEIPT_INVALID"
    foreign = office.text("收据")
    assert office.desk.refusal(AUDITOR, "purge", "prove", "--receipt", foreign, status=4) == "RECEIPT_INVALID"
    assert not any(receipt["receipt"].encode() in line for line in office.desk.log())


def test_source_files_of_whatever_is_theirs_are_named(office: Office, hours: Hours) -> None:
    """DES-06: the file that brought somebody's orders names them as much as the one that brought the customer."""
    orders = office.desk.folder.parent / "orders.csv"
    orders.write_text("number,customer_number,amount,ordered_on\nO1,C-3,100.00,2026-01-05\n", "utf-8")
    batch = office.json(ADMIN, "order", "import", orders)["batch"]
    later(hours, office, 62)
    assert planned(office, "--customer", "C-3")["batches"] == [1, batch]
    assert planned(office, "--customer", "C-2")["batches"] == [1]


@pytest.mark.parametrize("office", ["sqlite"], indirect=True)
def test_who_still_reads_is_no_trace_of_the_destroyed(office: Office, hours: Hours) -> None:
    """DES-05: while somebody reads an older picture the files cannot be searched: that is said, not a false alarm."""
    later(hours, office, 36)
    number = approved(office)
    purged(office, number)
    with engine.read(office.desk.engine) as conn:
        conn.execute(select(func.count()).select_from(run_table)).scalar_one()
        office.json(STEWARD, "customer", "list")  # an entry that the reader's picture does not have
        verify = ("purge", "verify", number, "--lock-timeout", 1)
        assert office.desk.refusal(STEWARD, *verify, status=11) == "DATABASE_READ"
    assert office.json(STEWARD, *verify)["clean"]


def test_more_than_was_counted_is_counted_again(office: Office, hours: Hours, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others who write while a chunk is counted get it undone, never two changes of one number; run again, it goes."""
    later(hours, office, 36)
    number, before = approved(office), count(office, customer)
    with monkeypatch.context() as patch:
        patch.setattr(purging, "protected_rows", lambda *_: 1 - purging._SLACK)
        assert office.desk.refusal(STEWARD, "purge", "run", number, status=11) == "CHANGED_MEANWHILE"
    assert count(office, customer) == before
    assert purged(office, number)["resumed"]
    office.sound()
    assert office.json(STEWARD, "purge", "verify", number)["clean"]


def test_a_dry_run_writes_nothing(office: Office, hours: Hours) -> None:
    later(hours, office, 36)
    runs = count(office, run_table)
    assert planned(office, "--dry-run")["destroy"] == {"never_bought": 3}
    assert count(office, run_table) == runs
    number = approved(office)
    runs = count(office, run_table)
    assert office.json(STEWARD, "purge", "run", number, "--dry-run")["purges"][0]["destroyed"] == 3
    assert (count(office, run_table), count(office, customer), count(office, destruction)) == (runs, 3, 0)


def test_a_nightly_regrade_does_not_spoil_a_plan(office: Office, hours: Hours) -> None:
    later(hours, office, 36)
    number = approved(office)
    office.json(ADMIN, "tier", "regrade")
    assert purged(office, number)["destroyed"] == 3


def test_nobody_approves_their_own_plan(office: Office, hours: Hours) -> None:
    """DES-02: not even somebody who may approve what others plan."""
    office.desk.edit(
        "access.yaml", "L1, uids: [1001], roles: [steward]", "L1, uids: [1001], roles: [steward, supervisor]"
    )
    later(hours, office, 36)
    number = planned(office)["plan"]
    assert office.desk.refusal(STEWARD, "purge", "approve", number) == "APPROVAL_OWN_REQUEST"
    assert office.desk.refusal(STEWARD, "purge", "run", number) == "APPROVAL_MISSING"


@pytest.mark.parametrize(
    ("uid", "code"),
    [
        (AUDITOR, "ACT_DENIED"),
        (HANDLER, "ACT_NOT_GRANTED"),
        (SUPERVISOR, "ACT_NOT_GRANTED"),
        (ADMIN, "ACT_NOT_GRANTED"),
    ],
)
def test_only_a_steward_plans_and_destroys(office: Office, uid: int, code: str) -> None:
    assert office.desk.refusal(uid, "purge", "plan") == code
    assert office.desk.refusal(uid, "purge", "run") == code


def test_an_unidentified_complainant_goes_with_whom_it_was(office: Office, hours: Hours) -> None:
    """CMP-02: the case keeps its row and its key; a purge follows both."""
    number = office.open("")
    office.json(HANDLER, "complaint", "link", number, "C-3")
    hours.forward(hours=1)
    office.through(number)
    later(hours, office, 40)
    made = planned(office)
    assert made["destroy"] == {"never_bought": 3}
    office.json(OTHER, "customer", "show", "C-3")
    office.json(SUPERVISOR, "purge", "approve", made["plan"])
    assert purged(office, made["plan"])["destroyed"] == 3
    assert (count(office, customer), count(office, contact)) == (0, 0)
    assert office.json(STEWARD, "purge", "verify", made["plan"])["clean"]


def test_a_purge_is_complete_when_no_copy_of_its_keys_opens(office: Office, hours: Hours) -> None:
    """DES-06: not even last month's copy of the keys brings anybody back after the stated day."""
    later(hours, office, 36)
    number = approved(office)
    purged(office, number)
    told = office.json(AUDITOR, "purge", "show", number)["erasure_complete_after"]
    (standing,) = office.json(STEWARD, "purge", "horizon")["purges"]
    assert (standing["plan"], standing["complete_at"]) == (number, None)
    assert standing["expected"] == told
    newest = standing["master_keys"][-1]
    hours.forward(days=7)
    office.json(ADMIN, "keys", "rotate")
    hours.forward(days=21)
    assert hours.local() == told
    for epoch in range(1, newest + 1):
        office.json(ADMIN, "keys", "destroy", epoch, "--yes")
    (standing,) = office.json(STEWARD, "purge", "horizon")["purges"]
    assert (standing["master_keys"], standing["complete_at"]) == ([], hours.local())
    hours.forward(days=1)
    assert office.json(STEWARD, "purge", "horizon")["purges"] == [standing]
    assert len(office.desk.entries("purge.horizon")) == 3


def test_why_a_customer_stays_or_goes_is_told(office: Office, hours: Hours) -> None:
    """DES-01, DES-07: rule, clause, the day it runs from, what is left, what keeps it besides."""
    told = office.json(STEWARD, "policy", "explain", "C-3", "--policy", "retention")["retention"]
    assert (told["state"], told["rule"], told["clauses"]) == ("running", "never_bought", ["003 §3.六 6.1"])
    assert told["left_days"] == told["destroyed_after_days"] - told["days_since"]["added"] > 700
    office.json(ADMIN, "hold", "set", "C-3", "--kind", "audit", "--reason", office.text("审计"))
    later(hours, office, 36)
    told = office.json(STEWARD, "policy", "explain", "C-3", "--policy", "retention")["retention"]
    assert (told["state"], told["left_days"], told["holds"]) == ("due", 0, ["audit"])
    assert "retention.yaml" in office.desk.say(STEWARD, "policy", "explain", "C-3").stdout
    undecided(office)
    told = office.json(STEWARD, "policy", "explain", "C-3", "--policy", "retention")["retention"]
    assert told["state"] == "undecided"


def test_every_plan_is_carried_out_and_told_though_one_cannot_be(office: Office, hours: Hours) -> None:
    """Cron names no plan: one that is stale stops none of the others, and the command still says so."""
    first = approved(office, "--customer", "C-1")
    second = approved(office, "--customer", "C-2")
    office.sql("UPDATE plan_item SET before = 'other' WHERE plan_id = :plan", plan=first)
    done = office.desk.say(STEWARD, "purge", "run", "-o", "json")
    assert (done.exit_code, json.loads(done.stderr)["code"]) == (8, "PLAN_CHANGED")
    assert [(each["plan"], each["destroyed"]) for each in json.loads(done.stdout)["purges"]] == [(second, 1)]
    assert office.json(STEWARD, "purge", "show", first)["state"] == "approved"


def test_a_plan_whose_making_was_interrupted_says_so(office: Office, hours: Hours) -> None:
    later(hours, office, 36)
    number = int(planned(office)["plan"])
    office.sql("DELETE FROM approval WHERE subject = :plan", plan=f"plan:{number}")
    office.sql("UPDATE plan SET summary = '{}' WHERE plan_id = :plan", plan=number)
    assert office.json(STEWARD, "purge", "show", number)["state"] == "unasked"
    assert office.desk.refusal(STEWARD, "purge", "run", number, status=1) == "PLAN_UNASKED"
    assert office.desk.refusal(SUPERVISOR, "purge", "approve", number, status=1) == "PLAN_UNASKED"


def test_a_policy_in_mode_report_destroys_nobody_and_gives_nobody_away(office: Office, hours: Hours) -> None:
    """RULE-07: whom a narrower policy only reports on is not destroyed by the wider one."""
    folder = office.desk.folder / "policies"
    text = (folder / "retention.yaml").read_text("utf-8")
    head = "kind: retention\nname: people\nscope: {customer_type: [individual]}\nmode: report"
    text = text[: text.index("  rejected_rows:")] + text[text.index("  plan_valid_hours") :]
    (folder / "retention.people.yaml").write_text(text.replace("kind: retention", head, 1), "utf-8")
    later(hours, office, 36)
    made = planned(office)
    assert sum(made["destroy"].values()) == 1
    assert sum(made["states"].values()) == 1
    assert made["reported"] == {"never_bought": 2}
    assert office.desk.refusal(STEWARD, "purge", "plan", "--customer", "C-2", status=1) == "RETENTION_NONE"
    found = office.json(SUPERVISOR, "purge", "findings")["findings"]
    assert {each["rule"] for each in found} == {"never_bought"}
    assert {each["customer"] for each in found} == {"C-000002", "C-000003"}
    shown = office.desk.entries("purge.list")[-1]
    assert (shown["n"], shown["looks"]) == (2, 2)
    (last,) = office.json(SUPERVISOR, "purge", "findings", "--after", "C-2")["findings"]
    assert (last["customer"], last["policy"]) == ("C-000003", "people")
    assert planned(office, "--dry-run")["reported"] == {"never_bought": 2}
    assert len(office.json(SUPERVISOR, "purge", "findings")["findings"]) == 2, "each once, however many plans"


def test_a_policy_on_trial_alone(office: Office, hours: Hours) -> None:
    """RULE-07: with no policy that acts nothing is destroyed, and what the one on trial finds is told."""
    office.desk.edit("retention.yaml", "kind: retention\n", "kind: retention\nmode: report\n")
    later(hours, office, 36)
    made = planned(office)
    assert (made["destroy"], made["reported"], made["approval"]) == ({}, {"never_bought": 3}, None)
    assert office.desk.refusal(STEWARD, "purge", "run", made["plan"], status=1) == "PLAN_EMPTY"
    assert len(office.json(SUPERVISOR, "purge", "findings")["findings"]) == 3
    office.desk.edit("retention.yaml", "mode: report\n", "")
    office.json(SUPERVISOR, "purge", "approve", planned(office)["plan"])
    assert office.json(SUPERVISOR, "purge", "findings")["findings"] == [], "the next plan replaces them"


def test_findings_of_a_plan_that_was_killed(office: Office, hours: Hours) -> None:
    """What was half written down is never read, and goes with the next plan."""
    office.desk.edit("retention.yaml", "kind: retention\n", "kind: retention\nmode: report\n")
    later(hours, office, 36)
    line = Doomed(office, 3).purge("SIGKILL:after:1:crmctl.runs.plans:Draft.add", "purge", "plan")
    assert line.returncode == -signal.SIGKILL
    assert office.json(SUPERVISOR, "purge", "findings")["findings"] == []
    planned(office)
    planned(office)
    assert len(office.json(SUPERVISOR, "purge", "findings")["findings"]) == 3
    assert count(office, plan_item) == 3


def test_a_policy_on_trial_that_waits_for_a_value(office: Office, hours: Hours) -> None:
    """One on trial with a value that nobody decided finds nothing, and keeps no other from acting."""
    office.desk.edit("retention.yaml", "kind: retention\n", "kind: retention\nmode: report\n")
    undecided(office)
    later(hours, office, 36)
    assert planned(office)["reported"] == {}


def test_who_is_excepted_stays(office: Office, hours: Hours) -> None:
    reason = "{match: {customer: [C-1]}, reason: 诉讼, approved_by: legal, expires: 2099-12-31}"
    text = (office.desk.folder / "policies" / "retention.yaml").read_text("utf-8")
    assert "exceptions" not in text
    office.desk.edit("retention.yaml", "\nsettings:\n", f"\nexceptions: [{reason}]\nsettings:\n")
    later(hours, office, 36)
    assert sum(planned(office)["destroy"].values()) == 2
