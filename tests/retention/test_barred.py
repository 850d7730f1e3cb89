"""Who asked to be forgotten is not entered again by an import for a while, where the policy says so (PIPL art. 47)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from casework import Hours, Office
from desks import ADMIN, CUSTOMERS, PERSONAL, STEWARD, SUPERVISOR
from sqlalchemy import select

from crmctl.customers.tables import customer, do_not_recreate

LISTED = "  do_not_recreate: {keep: {months: 12}}\n  plan_valid_hours: 72"
NEW = "customer_type,name,mobile\nindividual,新客户,13500000009\n"


@pytest.fixture
def forgotten(office: Office, hours: Hours) -> int:
    """An office in which C-2, 张三丰, asked to be forgotten and was, with a list; the number of the plan."""
    office.desk.edit("retention.yaml", "  plan_valid_hours: 72", LISTED)
    return destroyed(office, hours)


def destroyed(office: Office, hours: Hours) -> int:
    hours.forward(days=2)
    plan = int(office.json(STEWARD, "purge", "plan", "--customer", "C-2")["plan"])
    office.json(SUPERVISOR, "purge", "approve", plan)
    office.json(STEWARD, "purge", "run", plan)
    return plan


def again(office: Office, *words: object, status: int = 3) -> dict[str, Any]:
    """Import the list that everybody came from once more."""
    return office.json(STEWARD, "customer", "import", _file(office, CUSTOMERS), *words, status=status)


def _file(office: Office, text: str) -> Path:
    path = office.desk.folder.parent / "again.csv"
    path.write_text(text, "utf-8")
    return path


def names(office: Office) -> int:
    return len(office.desk.rows(select(customer.c.customer_id)))


def test_an_old_list_does_not_bring_them_back(office: Office, forgotten: int) -> None:
    """The row is in quarantine with its reason; everybody else is known as before, and new people are entered."""
    before = names(office)
    rehearsed = again(office, "--dry-run")
    done = again(office)
    for outcome in (rehearsed, done):
        assert (outcome["created"], outcome["rejected"], outcome["reasons"]) == (0, 1, {"DO_NOT_RECREATE": 1})
    assert names(office) == before
    rejects = office.json(STEWARD, "batch", "rejects", done["batch"])["rejects"]
    assert [(row["code"], row["candidates"]) for row in rejects] == [("DO_NOT_RECREATE", [])]
    assert again(office, "--mode", "upsert")["rejected"] == 1
    assert office.json(STEWARD, "customer", "import", _file(office, NEW))["created"] == 1
    record = json.loads(_record(office, forgotten))
    assert record["do_not_recreate"] == {"digests": 3, "until": "2027-11-25"}
    assert [body["n"] for body in office.desk.entries("purge.bar")] == [3]
    office.sound()


def _record(office: Office, plan: int) -> str:
    office.json(STEWARD, "purge", "verify", plan)
    return office.desk.say(STEWARD, "purge", "show", plan, "--record").stdout


def test_who_comes_back_is_entered_by_a_word(office: Office, forgotten: int) -> None:
    """It is in the log that it was said, and afterwards they are a customer like any other."""
    assert forgotten
    assert again(office, "--recreate", status=0)["created"] == 1
    assert [body["codes"] for body in office.desk.entries("customer.import") if "RECREATE" in body.get("codes", ())]
    following = again(office, status=0)
    assert (following["created"], following["duplicate"]) == (0, 4)


def test_the_list_forgets_too(office: Office, hours: Hours, forgotten: int) -> None:
    """On the last day they are still refused, on the day after they are not; cron takes the digests away."""
    assert forgotten
    rows = office.desk.rows(select(do_not_recreate))
    assert {row["until_on"] for row in rows} == {"2027-11-25"}
    assert not any(text.encode() in bytes(row["digest"]) for row in rows for text in PERSONAL)
    hours.to("2027-11-25T12:00:00")
    assert again(office)["rejected"] == 1
    assert office.json(ADMIN, "purge", "horizon") is not None
    assert len(office.desk.rows(select(do_not_recreate))) == len(rows)
    hours.to("2027-11-26T00:30:00")
    office.json(ADMIN, "purge", "horizon")
    assert office.desk.rows(select(do_not_recreate)) == []
    assert again(office, status=0)["created"] == 1


def test_a_new_index_key_changes_nothing(office: Office, forgotten: int) -> None:
    assert forgotten
    office.json(ADMIN, "keys", "rotate", "--index")
    assert again(office)["reasons"] == {"DO_NOT_RECREATE": 1}


def test_nobody_is_listed_who_did_not_ask(office: Office, hours: Hours) -> None:
    """Whose time was over comes back as anybody new; so does everybody where the policy has no list."""
    destroyed(office, hours)
    assert office.desk.rows(select(do_not_recreate)) == []
    assert again(office, status=0)["created"] == 1
    office.desk.edit("retention.yaml", "  plan_valid_hours: 72", LISTED)
    hours.forward(days=31 * 62)
    office.json(ADMIN, "keys", "rotate")
    plan = int(office.json(STEWARD, "purge", "plan", "--kind", "customers")["plan"])
    office.json(SUPERVISOR, "purge", "approve", plan)
    assert office.json(STEWARD, "purge", "run", plan)["purges"][0]["destroyed"] == 3
    assert office.desk.rows(select(do_not_recreate)) == []
    assert again(office, status=0)["created"] == 3
