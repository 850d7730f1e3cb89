"""Supervision of destruction: what is overdue, what nobody agreed to, whether the gone are gone (DES-05)."""

from __future__ import annotations

import signal
from typing import Any

from casework import Hours, Office
from desks import ADMIN, AUDITOR, STEWARD, SUPERVISOR
from doomed import Doomed
from sqlalchemy import delete, insert, select, update

from crmctl.approvals.tables import approval_decision
from crmctl.audit.tables import change
from crmctl.customers.tables import customer
from crmctl.store.engine import write


def later(hours: Hours, office: Office, days: int) -> None:
    """Let days go by in which cron did its work."""
    hours.forward(days=days)
    office.json(ADMIN, "keys", "rotate")


def purged(office: Office) -> int:
    """Plan, let somebody agree, destroy; return the number of the plan."""
    plan = int(office.json(STEWARD, "purge", "plan")["plan"])
    office.json(SUPERVISOR, "purge", "approve", plan)
    office.json(STEWARD, "purge", "run", plan)
    return plan


def looked(office: Office, *words: object, status: int = 0) -> dict[str, Any]:
    """Return what a supervision looks at."""
    return office.json(AUDITOR, "purge", "supervise", *words, status=status)


def test_what_is_overdue(office: Office, hours: Hours) -> None:
    """DES-05: listed as due at once, as overdue once the days of the policy are over; what is held is neither."""
    later(hours, office, 31 * 25)
    told = looked(office)
    assert (told["due"], told["overdue"], told["wrong"]) == ({"never_bought": 3}, {}, False)
    later(hours, office, 60)
    office.json(STEWARD, "hold", "set", "C-1", "--kind", "legal", "--reason", office.text("诉讼"))
    told = looked(office, "--check", status=1)
    assert (told["due"], told["overdue"], told["wrong"]) == ({"never_bought": 2}, {"never_bought": 2}, True)
    assert 30 < told["longest_days"] < 120
    purged_of = office.json(STEWARD, "purge", "plan")["destroy"]
    assert purged_of == {"never_bought": 2}


def test_a_period_that_nobody_decided(office: Office, hours: Hours) -> None:
    """What is kept without end as no period is decided is a finding, not nothing."""
    value = "lead_retention_months:\n      value: "
    office.desk.edit("company.yaml", f"{value}24", f"{value}unset")
    later(hours, office, 31 * 36)
    told = looked(office, "--check", status=1)
    assert "lead_retention_months" in told["undecided"]
    assert (told["due"], told["overdue"]) == ({}, None)


def test_nobody_supervises_themselves(office: Office, hours: Hours) -> None:
    """DES-05: judged by somebody with no hand in it, with the figures in the log; the next counts from then on."""
    later(hours, office, 31 * 26)
    plan = purged(office)
    assert looked(office)["unverified"] == [plan]
    office.json(STEWARD, "purge", "verify", plan)
    told = looked(office, "--check")
    assert (told["destroyed"], told["sampled"], told["found"], told["unapproved"]) == ({str(plan): 3}, 3, 0, [])
    assert office.desk.refusal(STEWARD, "purge", "supervised", "--outcome", "compliant") == "ACT_NOT_GRANTED"
    office.desk.edit("retention.yaml", "sample: 50", "sample: 2")
    assert looked(office)["sampled"] == 2
    hours.forward(minutes=1)
    done = office.json(AUDITOR, "purge", "supervised", "--outcome", "compliant")
    (entry,) = office.desk.entries("purge.supervised")[-1:]
    assert (entry["codes"], entry["counts"]["destroyed"], entry["run"]) == (["COMPLIANT"], 3, done["run_id"])
    told = looked(office)
    assert (told["destroyed"], told["sampled"]) == ({}, 0)
    assert told["since"]
    later(hours, office, 31 * 7)
    assert looked(office, "--check", status=1)["supervision_overdue"]
    found = office.desk.say(ADMIN, "doctor").stdout
    assert "purge supervise" in found


def test_who_had_a_hand_in_it(office: Office, hours: Hours) -> None:
    """DES-05: who may judge, and carried the purge out all the same, is refused."""
    office.desk.edit("access.yaml", "deny: [use.evaluated, hold.lift]", "deny: [hold.lift]")
    office.desk.edit("access.yaml", "purge.show, purge.supervise,\n            hold.set,",
                     "purge.show, purge.supervise, purge.supervised,\n            hold.set,")  # fmt: skip
    later(hours, office, 31 * 26)
    purged(office)
    assert office.desk.refusal(STEWARD, "purge", "supervised", "--outcome", "compliant", status=1) == "SUPERVISES_OWN"


def test_a_purge_across_a_supervision(office: Office, hours: Hours) -> None:
    """DES-05: begun before it and finished after, it is supervised the next time, and its hands are not clean."""
    later(hours, office, 31 * 26)
    plan = int(office.json(STEWARD, "purge", "plan")["plan"])
    office.json(SUPERVISOR, "purge", "approve", plan)
    doomed = Doomed(office, 3)
    assert doomed.purge("SIGKILL:after:1:crmctl.retention.records:begin").returncode == -signal.SIGKILL
    assert looked(office)["unfinished"] == [plan]
    office.json(AUDITOR, "purge", "supervised", "--outcome", "deficient")
    hours.forward(minutes=5)
    office.json(STEWARD, "purge", "run", plan)
    told = looked(office)
    assert (told["destroyed"], told["sampled"]) == ({str(plan): 3}, 3)
    hours.forward(minutes=5)
    office.json(AUDITOR, "purge", "supervised", "--outcome", "compliant")
    assert looked(office)["destroyed"] == {}


def test_a_policy_that_has_ended_says_nothing(office: Office, hours: Hours) -> None:
    """What counts as overdue is what the policy in force says."""
    policies = office.desk.folder / "policies"
    text = (policies / "retention.yaml").read_text("utf-8").replace("$purge_within_days", "5000")
    head = "kind: retention\nname: before\neffective: {until: 2027-01-01}"
    (policies / "retention.before.yaml").write_text(text.replace("kind: retention", head, 1), "utf-8")
    office.desk.edit("retention.yaml", "kind: retention\n", "kind: retention\neffective: {from: 2027-01-02}\n")
    later(hours, office, 31 * 28)
    assert looked(office)["overdue"] == {"never_bought": 3}


def test_times_that_cannot_be(office: Office, hours: Hours) -> None:
    """Below nothing is refused, with its place; beyond every calendar is never late, and no crash."""
    office.desk.edit("retention.yaml", "destroy_within: {days: $purge_within_days}", "destroy_within: {days: -5}")
    done = office.desk.say(STEWARD, "policy", "validate")
    assert done.exit_code == 4
    assert "P301 a time of 0 or more is wanted" in done.stdout
    office.desk.edit("retention.yaml", "destroy_within: {days: -5}", "destroy_within: {days: 99999999}")
    later(hours, office, 31 * 28)
    assert looked(office)["overdue"] == {}


def test_what_was_not_agreed_to(office: Office, hours: Hours) -> None:
    """DES-05: destruction without approval is found, and so is what is there again."""
    later(hours, office, 31 * 26)
    plan = purged(office)
    office.json(STEWARD, "purge", "verify", plan)
    decisions = office.desk.rows(select(approval_decision))
    gone = change.c.operation == "destroy"
    row = {"customer_id": 1, "type": "enterprise", "status": "draft", "version": 1, "derived_version": 0}
    at = {"created_at": hours.at, "updated_at": hours.at, "sealed": b"x", "sealed_hash": bytes(32)}
    with write(office.desk.engine) as conn:
        conn.execute(delete(approval_decision))
        conn.execute(update(change).where(gone).values(salt=bytes(16)))
        conn.execute(insert(customer).values(**row, **at))
    told = looked(office, "--check", status=1)
    assert told["unapproved"] == [plan]
    assert told["found"] > 1
    with write(office.desk.engine) as conn:  # as it was: log and rows are verified afterwards
        conn.execute(insert(approval_decision), [dict(each) for each in decisions])
        conn.execute(update(change).where(gone).values(salt=None))
        conn.execute(delete(customer))
