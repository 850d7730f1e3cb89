"""Cancelled customers and invalid records end in the process that everything else ends in (DES-08, UPD-08, UPD-09)."""

from __future__ import annotations

from casework import Hours, Office
from desks import ADMIN, STEWARD, SUPERVISOR
from doomed import Doomed
from sqlalchemy import func, select

from crmctl.customers.tables import contact, customer, identity


def later(hours: Hours, office: Office, months: int) -> None:
    """Let months go by in which cron signed the log, as it does."""
    hours.forward(days=31 * months)
    office.json(ADMIN, "keys", "rotate")


def customers(office: Office) -> list[int]:
    """Return the customers that there are."""
    return [row["customer_id"] for row in office.desk.rows(select(customer.c.customer_id).order_by("customer_id"))]


def destroyed(office: Office, plan: int) -> int:
    """Have a plan agreed to, carry it out, and prove it; return how many it destroyed."""
    office.json(SUPERVISOR, "purge", "approve", plan)
    (done,) = office.json(STEWARD, "purge", "run", plan)["purges"]
    assert done["spared"] == {}
    assert office.json(STEWARD, "purge", "verify", plan)["clean"]
    return int(done["destroyed"])


def test_a_cancelled_customer_goes_when_its_time_is_over(office: Office, hours: Hours) -> None:
    """DES-08: planned, agreed to by somebody else, carried out and proved like everybody's; not a day before."""
    office.json(STEWARD, "customer", "cancel", "C-1")
    later(hours, office, 6)
    assert office.json(STEWARD, "purge", "plan")["destroy"] == {}
    later(hours, office, 1)
    made = office.json(STEWARD, "purge", "plan")
    assert made["destroy"] == {"cancelled": 1}
    assert destroyed(office, made["plan"]) == 1
    assert customers(office) == [2, 3]
    for table in (contact, identity):
        query = select(func.count().label("n")).select_from(table).where(table.c.customer_id == 1)
        assert office.desk.rows(query)[0]["n"] == 0


def test_undone_after_the_plan_it_is_spared(office: Office, hours: Hours) -> None:
    """DES-07: somebody changed their mind; who is being destroyed can no longer be cancelled or brought back."""
    office.json(STEWARD, "customer", "cancel", "C-1", "C-2")
    later(hours, office, 7)
    plan = office.json(STEWARD, "purge", "plan")["plan"]
    office.json(SUPERVISOR, "purge", "approve", plan)
    office.json(STEWARD, "customer", "cancel", "C-1", "--undo")
    (done,) = office.json(STEWARD, "purge", "run", plan, status=3)["purges"]
    assert (done["destroyed"], done["spared"]) == (1, {"edited": 1})
    assert customers(office) == [1, 3]
    assert office.desk.refusal(STEWARD, "customer", "cancel", "C-2", "--undo", status=1) == "CUSTOMER_UNKNOWN"


def test_a_cancellation_after_the_plan_is_an_edit(office: Office, hours: Hours) -> None:
    later(hours, office, 36)
    plan = office.json(STEWARD, "purge", "plan")
    assert plan["destroy"] == {"never_bought": 3}
    office.json(SUPERVISOR, "purge", "approve", plan["plan"])
    office.json(STEWARD, "customer", "cancel", "C-1")
    (done,) = office.json(STEWARD, "purge", "run", plan["plan"], status=3)["purges"]
    assert done["spared"] == {"edited": 1}


def test_whose_destruction_has_begun_is_neither_cancelled_nor_brought_back(doomed: Doomed) -> None:
    """DES-06: killed after the point of no return, it only goes forward."""
    doomed.purge("SIGKILL:before:1:crmctl.retention.forgetting:forget")
    for words in (("C-5",), ("C-5", "--undo"), ("C-5", "--dry-run")):
        assert doomed.office.desk.refusal(STEWARD, "customer", "cancel", *words, status=1) == "PURGE_BEGUN"
    assert doomed.purge().returncode == 0
    assert doomed.left() == {}


def test_invalid_records_are_candidates_first(office: Office, hours: Hours) -> None:
    """UPD-08: listed by the policy's own rule; nothing goes before somebody else agreed to the list."""
    source = office.desk.folder.parent / "bare.csv"
    source.write_text("customer_type,name,external_code\nindividual,周无名,K-77\n", "utf-8")
    assert office.json(STEWARD, "customer", "import", source)["created"] == 1
    later(hours, office, 8)
    made = office.json(STEWARD, "purge", "plan")
    assert made["destroy"] == {"invalid": 1}
    assert customers(office) == [1, 2, 3, 4]
    candidates = office.json(STEWARD, "purge", "show", made["plan"], "--customers")["customers"]
    assert [each["customer"] for each in candidates] == ["C-000004"]
    assert office.desk.refusal(STEWARD, "purge", "run", made["plan"]) == "APPROVAL_MISSING"
    assert destroyed(office, made["plan"]) == 1
    assert customers(office) == [1, 2, 3]
