"""Cancelled customers (注销): no customers any more, kept until the retention policy says otherwise (UPD-09)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from casework import HANDLER, Office
from desks import ADMIN, AUDITOR, OTHER, STEWARD, SUPERVISOR, Desk
from sqlalchemy import func, select, update

from crmctl import clock
from crmctl.audit.tables import change
from crmctl.customers import cancelling
from crmctl.customers.tables import contact, customer, identity
from crmctl.runs import chunks
from crmctl.runs.run import Run
from crmctl.runs.tables import run as run_table
from crmctl.store.engine import write


def row(desk: Desk, number: int) -> Any:
    """Return the row of a customer."""
    (found,) = desk.rows(select(customer).where(customer.c.customer_id == number))
    return found


def listed(desk: Desk, *words: object) -> list[int]:
    """Return the customers that `customer list` shows."""
    return [each["customer"] for each in desk.json(STEWARD, "customer", "list", *words)["customers"]]


def count(desk: Desk, table: Any, *where: Any) -> int:
    """Return how many rows a table has."""
    return int(desk.rows(select(func.count().label("n")).select_from(table).where(*where))[0]["n"])


def test_a_cancelled_customer_is_kept_and_none_any_more(desk: Desk) -> None:
    """UPD-09: a state of its own, apart from destruction; one change, one entry."""
    before = [count(desk, table) for table in (customer, contact, identity)]
    done = desk.json(STEWARD, "customer", "cancel", "C-2")
    assert (done["cancelled"], done["unchanged"], done["dry_run"]) == (1, 0, False)
    assert [count(desk, table) for table in (customer, contact, identity)] == before
    found = row(desk, 2)
    assert (found["status"], found["version"]) == ("cancelled", 2)
    (entry,) = desk.entries("customer.cancel")
    assert (entry["obj"], entry["n"], entry["counts"]) == ("customer:2", 1, {"cancelled": 1, "unchanged": 0})
    assert clock.stamp(found["cancelled_at"]) == clock.stamp(found["updated_at"])
    (noted,) = desk.rows(select(change).where(change.c.customer_id == 2, change.c.operation == "update"))
    assert (noted["object"], noted["version"]) == ("customer", found["version"] + found["derived_version"])


def test_who_is_cancelled_is_in_no_list_but_its_own(desk: Desk) -> None:
    everybody = listed(desk)
    desk.json(STEWARD, "customer", "cancel", "C-2")
    assert listed(desk) == [number for number in everybody if number != 2]
    assert listed(desk, "--status", "cancelled") == [2]
    assert desk.json(STEWARD, "customer", "list", "--count")["count"] == len(everybody) - 1
    shown = desk.json(STEWARD, "customer", "show", "C-2")["customer"]
    assert shown["status"] == "cancelled"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT.*", shown["cancelled_at"])
    assert [each["customer"] for each in desk.json(STEWARD, "customer", "find", "--number", "2")["customers"]] == [2]


def test_who_is_cancelled_is_neither_graded_nor_assigned_nor_exported(desk: Desk) -> None:
    """UPD-09: grading, ownership and exports are for customers."""
    desk.json(STEWARD, "customer", "cancel", "C-1", "C-2")
    desk.json(ADMIN, "tier", "regrade")
    assert {number: row(desk, number)["tier"] is None for number in (1, 2, 3)} == {1: True, 2: True, 3: False}
    assert sum(desk.json(STEWARD, "tier", "summary")["tiers"].values()) == 1
    wanting = desk.json(ADMIN, "owner", "assign", "--dry-run")
    assert wanting["assigned"] + wanting["unassignable"] == 1
    refused = desk.refusal(SUPERVISOR, "tier", "override", "C-1", "--pin", "core", "--reason", "x", status=1)
    assert refused == "CUSTOMER_CANCELLED"
    out = desk.folder.parent / "out.csv"
    desk.say(STEWARD, "customer", "export", "--fields", "company_name,type", "--purpose", "contact", "--recipient",
             "sales", "--out", out)  # fmt: skip
    assert len(out.read_text("utf-8-sig").splitlines()) == 2


def test_undone_it_is_what_it_was_before(desk: Desk) -> None:
    """UPD-09: the change log says what that was, whatever happened to the customer since."""
    before = row(desk, 3)
    desk.json(STEWARD, "customer", "cancel", "C-3")
    source = desk.folder.parent / "more.csv"
    source.write_text("customer_type,name,mobile,address\nindividual,赵敏敏,13612345671,新地址1号\n", "utf-8")
    merged = desk.json(STEWARD, "customer", "import", source, "--mode", "upsert")
    assert merged["updated"] == 1
    assert row(desk, 3)["status"] == "cancelled"
    done = desk.json(STEWARD, "customer", "cancel", "C-3", "--undo")
    assert (done["restored"], done["unchanged"]) == (1, 0)
    after = row(desk, 3)
    assert (after["status"], after["cancelled_at"]) == (before["status"], None)
    assert after["version"] == before["version"] + 3
    assert listed(desk) == [1, 2, 3]
    again = desk.json(STEWARD, "customer", "cancel", "C-3", "--undo")
    assert (again["restored"], again["unchanged"]) == (0, 1)
    assert row(desk, 3)["version"] == after["version"]


def test_cancelled_again_after_it_was_undone(desk: Desk) -> None:
    first = row(desk, 1)["status"]
    for _turn in range(2):
        desk.json(STEWARD, "customer", "cancel", "C-1")
        assert row(desk, 1)["status"] == "cancelled"
        desk.json(STEWARD, "customer", "cancel", "C-1", "--undo")
        assert row(desk, 1)["status"] == first


def test_many_at_once_from_a_file(desk: Desk) -> None:
    """Who is cancelled already is counted as unchanged, and nothing of them is written."""
    desk.json(STEWARD, "customer", "cancel", "C-2")
    version = row(desk, 2)["version"]
    source = desk.folder.parent / "numbers.txt"
    source.write_text("C-000002\n\n3\n", "utf-8")
    done = desk.json(STEWARD, "customer", "cancel", "C-1", "--from", source)
    assert (done["cancelled"], done["unchanged"]) == (2, 1)
    assert row(desk, 2)["version"] == version
    entry = desk.entries("customer.cancel")[-1]
    assert (entry.get("obj", ""), entry["n"], entry["counts"]) == ("", 3, {"cancelled": 2, "unchanged": 1})
    (ended,) = desk.rows(select(run_table.c.state, run_table.c.counts).where(run_table.c.run_id == done["run_id"]))
    assert (ended["state"], ended["counts"]) == ("done", '{"cancelled":2,"unchanged":1}')
    assert listed(desk) == []
    piped = desk.say(STEWARD, "customer", "cancel", "--from", "-", "--undo", stdin=b"1\n2\n3\n")
    assert piped.exit_code == 0, piped
    assert listed(desk) == [1, 2, 3]


def test_a_dry_run_writes_nothing(desk: Desk) -> None:
    desk.json(STEWARD, "customer", "cancel", "C-2")
    runs, log = count(desk, run_table), desk.log()
    done = desk.json(STEWARD, "customer", "cancel", "C-1", "C-2", "--dry-run")
    assert (done["run_id"], done["cancelled"], done["unchanged"], done["dry_run"]) == (None, 1, 1, True)
    undone = desk.json(STEWARD, "customer", "cancel", "C-1", "C-2", "--undo", "--dry-run")
    assert (undone["restored"], undone["unchanged"]) == (1, 1)
    assert (count(desk, run_table), desk.log(), row(desk, 1)["status"]) == (runs, log, row(desk, 3)["status"])


def test_interrupted_it_is_finished_by_the_same_command(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunk by chunk, each whole: what was done before the interruption is not done again."""
    written = chunks.write

    def write_one(run: Run, ordinal: int, *more: Any, **named: Any) -> Any:
        if ordinal == 1:
            raise KeyboardInterrupt
        return written(run, ordinal, *more, **named)

    monkeypatch.setattr(cancelling, "CHUNK", 1)
    with monkeypatch.context() as patch:
        patch.setattr(chunks, "write", write_one)
        assert desk.say(STEWARD, "customer", "cancel", "C-1", "C-2", "C-3").exit_code == 130
    assert listed(desk) == [2, 3]
    done = desk.json(STEWARD, "customer", "cancel", "C-1", "C-2", "C-3")
    assert (done["cancelled"], done["unchanged"]) == (2, 1)
    assert listed(desk) == []
    assert [row(desk, number)["version"] for number in (1, 2, 3)] == [2, 2, 2]


def test_one_that_there_is_not_stops_all(desk: Desk) -> None:
    assert desk.refusal(STEWARD, "customer", "cancel", "C-1", "C-99", status=1) == "CUSTOMER_UNKNOWN"
    assert desk.refusal(STEWARD, "customer", "cancel", status=2) == "USAGE"
    assert desk.refusal(STEWARD, "customer", "cancel", "13812345678x", status=4) == "NUMBER_INVALID"
    assert listed(desk) == [1, 2, 3]


@pytest.mark.parametrize("uid", [SUPERVISOR, AUDITOR, ADMIN])
def test_only_the_information_post_cancels(desk: Desk, uid: int) -> None:
    """UPD-09: cancellation belongs to the information post; whoever tries is in the log."""
    for words in (("C-1",), ("C-1", "--undo"), ("C-1", "--dry-run")):
        assert desk.refusal(uid, "customer", "cancel", *words) in ("ACT_NOT_GRANTED", "ACT_DENIED")
    assert {entry["result"] for entry in desk.entries("customer.cancel")} == {"denied"}
    assert row(desk, 1)["cancelled_at"] is None


def test_what_was_made_cancelled_behind_the_log_is_not_undone(desk: Desk) -> None:
    with write(desk.engine) as conn:
        conn.execute(update(customer).where(customer.c.customer_id == 1).values(status="cancelled"))
    assert desk.refusal(STEWARD, "customer", "cancel", "C-1", "--undo", status=13) == "STATUS_UNKNOWN"
    with write(desk.engine) as conn:
        conn.execute(update(customer).where(customer.c.customer_id == 1).values(status="draft"))


def test_nobody_is_cancelled_while_a_complaint_is_open(office: Office) -> None:
    """CMP-12: none of those named is, and the refusal says which complaint; closed, it stands in nobody's way."""
    number = office.open("C-1")
    told = office.json(STEWARD, "customer", "cancel", "C-1", "C-2", status=1)
    assert told["code"] == "COMPLAINT_OPEN"
    assert number in told["message"]
    assert "C-000001" in told["message"]
    assert listed(office.desk) == [1, 2, 3]
    assert office.desk.refusal(STEWARD, "customer", "cancel", "C-1", "--dry-run", status=1) == "COMPLAINT_OPEN"
    office.through(number)
    assert office.json(STEWARD, "customer", "cancel", "C-1", "C-2")["cancelled"] == 2
    again = office.open("C-1")  # whoever was a customer may complain all the same
    assert office.json(STEWARD, "customer", "cancel", "C-1", "--undo")["restored"] == 1
    assert office.row(again)["customer_id"] == 1


def test_a_complaint_of_somebody_found_out_later_counts_too(office: Office) -> None:
    """CMP-02: linked to the customer, it is the customer's; the unidentified complainant is no customer to cancel."""
    number = office.open("")
    stranger = office.row(number)["customer_id"]
    assert office.desk.refusal(STEWARD, "customer", "cancel", stranger, status=1) == "PROVISIONAL"
    office.json(HANDLER, "complaint", "link", number, "C-3")
    assert office.json(OTHER, "customer", "cancel", "C-3", status=1)["code"] == "COMPLAINT_OPEN"
