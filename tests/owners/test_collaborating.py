"""Collaborators: named, ended, over by themselves; what they see; a former owner who stays for a while (OWN-05)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillWaiting
from datetime import date
from typing import Any

import pytest
from desks import SUPERVISOR
from officeworld import ADMIN, ANNA, BEN, STEWARD, Office
from sqlalchemy import select, update

from crmctl.customers import ownership as owning
from crmctl.customers.ownership import ownership
from crmctl.customers.tables import customer
from crmctl.owners import handing
from crmctl.store.engine import write

ADD, END = ("owner", "collaborator", "add"), ("owner", "collaborator", "end")


def seen(office: Office, uid: int) -> list[int]:
    return [row["customer"] for row in office.json("customer", "list", uid=uid)["customers"]]


def rows(office: Office, number: int) -> list[tuple[Any, ...]]:
    """Return the collaborators' rows of a customer: who, whether it is open, the last day, why it ended."""
    found = office.desk.rows(
        select(ownership).where(ownership.c.customer_id == number, ownership.c.role == "collaborator")
    )
    names = {staff_id: name for name, staff_id in office.ids.items()}
    return [
        (names[row["staff_id"]], row["until_at"] is None, row["until_on"], row["end_reason"])
        for row in sorted(found, key=lambda row: int(row["ownership_id"]))
    ]


def pass_day(office: Office, number: int) -> None:
    """Let the last day of a customer's collaborators be yesterday."""
    office.sql("UPDATE ownership SET until_on = :day WHERE customer_id = :n", day=office.day(-1), n=number)


def test_a_collaborator_sees_the_customer_until_it_is_ended(office: Office) -> None:
    office.give("A1", 4, 5)
    office.give("B2", 6)
    before = office.json("owner", "workload")["staff"]
    tried = office.json(*ADD, 4, "B2", "--dry-run")
    assert (tried["run_id"], tried["dry_run"], rows(office, 4)) == (None, True, [])
    done = office.json(*ADD, 4, "B2")
    assert {name: done[name] for name in done if name not in ("run_id", "schema")} == {
        "dry_run": False, "customer": 4, "collaborator": office.ids["B2"], "collaborator_number": "B2",
        "until_on": None,
    }  # fmt: skip
    assert seen(office, BEN) == [4, 6] and seen(office, ANNA) == [4, 5]
    assert office.say("customer", "show", 4, uid=BEN).exit_code == 0
    assert office.owners()[4] == office.ids["A1"]
    assert office.json("owner", "workload")["staff"] == before, "owners are counted, and nobody else"
    entries = office.desk.entries("owner.collaborator")
    assert [(each["obj"], each["counts"]) for each in entries] == [
        (f"staff:{office.ids['B2']}", {"added": 1}), ("customer:4", {"added": 1}),
    ]  # fmt: skip
    newest = office.json("owner", "history", 4)["history"][0]
    assert [newest[name] for name in ("role", "number", "reason", "to", "until_on", "run")] == [
        "collaborator", "B2", "manual", None, None, done["run_id"],
    ]  # fmt: skip
    assert office.json(*END, 4, "B2", "--dry-run")["dry_run"] and seen(office, BEN) == [4, 6]
    office.json(*END, 4, "B2")
    assert seen(office, BEN) == [6] and rows(office, 4) == [("B2", False, None, "manual")]
    assert office.json(*END, 4, "B2", status=1)["code"] == "NO_COLLABORATOR"


def test_after_the_last_day_it_is_over_and_nothing_is_taken_back(office: Office) -> None:
    office.give("A1", 4)
    assert office.json(*ADD, 4, "B2", "--until", office.day())["until_on"] == office.day()
    assert seen(office, BEN) == [4], "the last day counts"
    pass_day(office, 4)
    assert seen(office, BEN) == []
    assert office.json("customer", "show", 4, uid=BEN, status=1)["code"] == "CUSTOMER_UNKNOWN"
    assert office.json(*END, 4, "B2", status=1)["code"] == "NO_COLLABORATOR"
    office.json(*ADD, 4, "B2", "--until", office.day(3))
    assert seen(office, BEN) == [4]
    assert rows(office, 4) == [("B2", True, office.day(-1), None), ("B2", True, office.day(3), None)]
    assert office.day(3) in office.say("owner", "history", 4).stdout


@pytest.mark.parametrize(
    ("number", "words", "code"),
    [
        (4, ("C3",), "UNTRAINED"),
        (4, ("D4",), "UNSIGNED"),
        (4, ("F6",), "INACTIVE"),
        (4, ("A1",), "IS_OWNER"),
        (4, ("E5",), "COLLABORATOR_ALREADY"),
        (4, ("nobody",), "STAFF_UNKNOWN"),
        (999, ("B2",), "CUSTOMER_UNKNOWN"),
        (6, ("B2",), "CUSTOMER_CANCELLED"),
    ],
)
def test_who_cannot_be_a_collaborator(office: Office, number: int, words: Any, code: str) -> None:
    office.give("A1", 4)
    office.json(*ADD, 4, "E5")
    (was,) = office.desk.rows(select(customer.c.status).where(customer.c.customer_id == 6))
    office.sql("UPDATE customer SET status = 'cancelled' WHERE customer_id = 6")
    assert office.json(*ADD, number, *words, status=1)["code"] == code
    office.sql("UPDATE customer SET status = :was WHERE customer_id = 6", was=was["status"])  # as the log has it
    assert rows(office, 4) == [("E5", True, None, None)] and rows(office, 6) == []


def test_a_last_day_is_a_day_to_come(office: Office) -> None:
    office.give("A1", 4)
    assert "2026-01-01" in office.json(*ADD, 4, "B2", "--until", "2026-01-01", status=4)["message"]
    assert office.json(*ADD, 4, "B2", "--until", "soon", status=4)["code"] == "DATE_INVALID"
    assert office.json("owner", "handover", "A1", "--to", "B2", "--stay-until", "2026-01-01", status=4)["hint"]
    assert rows(office, 4) == []


def test_an_owner_names_them_and_a_collaborator_brings_in_nobody(office: Office) -> None:
    office.give("A1", 4)
    office.give("B2", 5)
    office.json(*ADD, 4, "B2", uid=ANNA)
    assert office.json(*ADD, 4, "E5", uid=BEN, status=1)["code"] == "NOT_THE_OWNER"
    assert office.json(*END, 4, "B2", uid=BEN, status=1)["code"] == "NOT_THE_OWNER"
    assert office.json(*ADD, 5, "E5", uid=ANNA, status=1)["code"] == "CUSTOMER_UNKNOWN"
    assert office.json(*ADD, 4, "E5", uid=STEWARD, status=6)["code"] == "ACT_NOT_GRANTED"
    office.json(*ADD, 4, "E5", uid=SUPERVISOR)
    office.json(*END, 4, "E5", uid=ADMIN)
    office.json(*END, 4, "B2", uid=ANNA)
    assert rows(office, 4) == [("B2", False, None, "manual"), ("E5", False, None, "manual")]


def test_who_becomes_the_owner_is_a_collaborator_no_more(office: Office) -> None:
    for number in (4, 5):
        office.json(*ADD, number, "B2")
        office.json(*ADD, number, "A1")
    office.json("owner", "take", 4, uid=BEN)
    file = office.write("named.csv", "customer_type,company_name,name,mobile,owner\n"
                                     "enterprise,公司002有限公司,联系人002,13800000002,B2\n")  # fmt: skip
    assert office.say("customer", "import", file, "--mode", "upsert", uid=STEWARD).exit_code == 0
    assert office.owners()[4] == office.owners()[5] == office.ids["B2"]
    assert rows(office, 4) == [("B2", False, None, "take"), ("A1", True, None, None)]
    assert rows(office, 5) == [("B2", False, None, "import"), ("A1", True, None, None)]
    office.json("owner", "handover", "B2", "--to", "E5")
    assert seen(office, BEN) == [] and seen(office, ANNA) == [4, 5], "a handover leaves the others"


def test_the_former_owner_stays_for_a_while(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handing, "chunks", lambda moves: ([move] for move in moves))
    office.give("A1", 4, 5)
    until = office.day(9)
    words = ("owner", "handover", "A1", "--to", "B2", "--stay-until", until)
    assert office.json(*words, "--dry-run")["stay_until"] == until and rows(office, 4) == []
    assert f"A1 stays as a collaborator until {until}" in office.say(*words).stdout
    assert seen(office, ANNA) == seen(office, BEN) == [4, 5]
    assert rows(office, 4) == rows(office, 5) == [("A1", True, until, None)]
    office.json("owner", "handover", "return", 1, "--partial", "4", uid=BEN)
    assert office.owners()[4] == office.ids["A1"] and rows(office, 4) == [("A1", False, until, "return")]
    pass_day(office, 5)
    assert seen(office, ANNA) == [4]


def test_who_has_left_stays_with_nobody(office: Office) -> None:
    office.give("F6", 4)
    words = ("owner", "handover", "F6", "--to", "B2")
    assert office.json(*words, "--stay-until", office.day(9), status=1)["code"] == "INACTIVE"
    assert office.owners()[4] == office.ids["F6"]
    assert office.json(*words)["stay_until"] is None
    assert rows(office, 4) == []


def test_the_question_for_a_persons_customers_is_answered_by_an_index(office: Office) -> None:
    with office.desk.engine.connect() as conn:
        if conn.dialect.name == "sqlite":
            query = owning.collaborating((1, 2), date(2026, 11, 22))
            asked = str(query.compile(conn, compile_kwargs={"literal_binds": True})).replace("\n", " ")
            (plan,) = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}").all()
            assert "ix_ownership_open_collaborator" in plan[-1]
        else:
            found = conn.exec_driver_sql("SELECT indexdef FROM pg_indexes WHERE tablename = 'ownership'").scalars()
            assert any("(staff_id, customer_id)" in each for each in found)


def test_who_only_stands_in_does_not_stay_by_being_a_collaborator(office: Office) -> None:
    office.give("A1", 4)
    words = ("staff", "absence", "add", "A1", "--from", office.day(), "--until", office.day(3), "--deputy", "B2")
    assert office.say(*words).exit_code == 0
    assert seen(office, BEN) == [4]
    assert office.json(*ADD, 4, "B2", uid=BEN, status=1)["code"] == "ONESELF"
    assert rows(office, 4) == []
    assert office.json(*ADD, 4, "B2", uid=ANNA)["collaborator_number"] == "B2"


def test_who_becomes_the_owner_meanwhile_is_no_collaborator(office: Office) -> None:
    """Somebody else's transaction has written the owner and is not committed: it is waited for, and then seen."""
    with ThreadPoolExecutor(1) as other:
        with write(office.desk.engine) as conn:
            conn.execute(update(customer).where(customer.c.customer_id == 4).values(owner_id=office.ids["B2"]))
            told = other.submit(office.json, *ADD, 4, "B2", status=1)
            with pytest.raises(StillWaiting):
                told.result(2)
        assert told.result(60)["code"] == "IS_OWNER"
    assert rows(office, 4) == []
    with write(office.desk.engine) as conn:  # the log knows of no such owner: as it was, for it is verified afterwards
        conn.execute(update(customer).where(customer.c.customer_id == 4).values(owner_id=None))
