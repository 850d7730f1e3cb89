"""A case of ours as ticket: an open one is purpose and ticket for its own customer, for who may know of it (USE-02)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import workspaces
from desks import ADMIN, OTHER, STEWARD, SUPERVISOR, Desk
from sqlalchemy import select

from crmctl.owners.applying import Applied, Move, apply
from crmctl.staff.tables import staff

HANDLER, AGENT = 3001, 3002
STAFF = (
    "工号,姓名,岗位,部门,系统账号编号,岗前培训通过日期,保密协议签署日期,入职日期\n"
    "H1,Hana,,客服部,3001,2026-01-05,2026-01-05,2025-01-01\n"
    "G1,Gao,,销售部,3002,2026-01-05,2026-01-05,2025-01-01\n"
)
SAID = ("--complainant", "王小明", "--contact", "13812345678", "--matter", "渗水三天", "--demand", "上门维修")


@pytest.fixture
def served(desk: Desk) -> Desk:
    """The desks, with a complaint handler and an agent who owns nobody."""
    papers = "confidentiality_signed: 2026-01-01, training_passed: 2026-01-01"
    lines = (
        f"    hana: {{uids: [{HANDLER}], roles: [complaints], staff: H1, {papers}}}\n"
        f"    gao: {{uids: [{AGENT}], roles: [agent], staff: G1, {papers}}}\n"
    )
    desk.edit("access.yaml", "  people:\n", f"  people:\n{lines}")
    source = desk.folder.parent / "staff.csv"
    source.write_text(STAFF, "utf-8")
    done = desk.say(ADMIN, "staff", "import", source)
    assert done.exit_code == 0, done
    return desk


def opened(desk: Desk, *words: object, customer: object = "C-1") -> str:
    """Open a complaint as the handler; return its number."""
    given = ("complaint", "open", customer, "--channel", "phone", "--category", "quality", *SAID, *words)
    return str(desk.json(HANDLER, *given)["number"])


def reveal(ticket: str, *words: object, customer: int = 1) -> tuple[object, ...]:
    """Return the command that shows a mobile for a ticket."""
    return ("customer", "show", customer, "--reveal", "mobile", "--ticket", ticket, *words)


def refused(desk: Desk, uid: int, *words: object) -> tuple[str, list[Any]]:
    """Return the code of a refusal, and those of the last entry, with its result."""
    code = desk.refusal(uid, *words)
    entry = desk.entries("customer.export" if "export" in words else "customer.reveal")[-1]
    return code, [entry["result"], *entry["codes"]]


def test_an_open_complaint_says_what_its_customer_is_looked_at_for(served: Desk) -> None:
    """ACC-04, USE-02, CMP-02: nobody types a purpose while working on a complaint."""
    number = opened(served)

    shown = served.json(HANDLER, *reveal(number))

    assert (shown["contacts"][0]["mobile"], shown["purpose"]) == ("+8613812345678", "complaint")
    (entry,) = served.entries("customer.reveal")
    assert {"purpose": "complaint", "ticket": number, "obj": "customer:1", "result": "done"}.items() <= entry.items()
    again = served.json(STEWARD, *reveal(number, "--purpose", "service"))
    assert again["purpose"] == "service"


def test_a_ticket_of_another_system_is_known_by_its_form_and_needs_a_purpose(served: Desk) -> None:
    assert served.refusal(STEWARD, *reveal("CRM-4711"), status=2) == "USAGE"
    assert served.refusal(STEWARD, *reveal("4711"), status=4) == "TICKET_INVALID"
    assert served.json(STEWARD, *reveal("CRM-4711", "--purpose", "complaint"))["purpose"] == "complaint"
    assert served.refusal(STEWARD, "customer", "show", 1, "--ticket", "CRM-4711", status=2) == "USAGE"


@pytest.mark.parametrize("purpose", [(), ("--purpose", "complaint"), ("--purpose", "contact")], ids=" ".join)
def test_a_complaint_stands_for_its_own_customer_alone(served: Desk, purpose: tuple[str, ...]) -> None:
    number = opened(served)

    found = refused(served, HANDLER, *reveal(number, *purpose, customer=2))
    assert found == ("TICKET_OF_ANOTHER", ["denied", "TICKET_OF_ANOTHER"])


def test_a_closed_complaint_and_one_there_is_not_stand_for_nothing(served: Desk) -> None:
    first, second = opened(served), opened(served)
    served.json(HANDLER, "complaint", "mark-duplicate", second, "--of", first, "--reason", "同一来电")

    assert refused(served, HANDLER, *reveal(second)) == ("TICKET_CLOSED", ["denied", "TICKET_CLOSED"])
    with_purpose = reveal("CMP-20200101-0001", "--purpose", "complaint")
    assert refused(served, HANDLER, *with_purpose) == ("TICKET_UNKNOWN", ["denied", "TICKET_UNKNOWN"])


def test_a_complaint_that_is_nothing_of_ones_own_looks_like_none(served: Desk) -> None:
    """ACC-01: an agent whose customer is C-2 learns nothing of a complaint of C-1, nor whether there is one."""
    number = opened(served)
    (agent,) = served.rows(select(staff.c.staff_id).where(staff.c.number == "G1"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "getresuid", lambda: (ADMIN, ADMIN, ADMIN))
        with workspaces.running(served.folder, "owner assign") as run:
            apply(run, [Move(2, None, agent["staff_id"], "assign")], Applied())

    for ticket in (number, "CMP-20200101-0001"):
        assert refused(served, AGENT, *reveal(ticket, customer=2)) == ("TICKET_UNKNOWN", ["denied", "TICKET_UNKNOWN"])
    own = opened(served, customer="C-2")
    assert served.json(AGENT, *reveal(own, customer=2))["personal"]["mobile"] == "+8613712345670"


def test_whom_a_complaint_is_about_does_not_use_it(served: Desk) -> None:
    number = opened(served, "--about", "G1", "--handler", "H1")
    served.edit("access.yaml", "gao: {uids: [3002], roles: [agent]", "gao: {uids: [3002], roles: [complaints]")

    assert refused(served, AGENT, *reveal(number)) == ("RECUSED", ["denied", "RECUSED"])
    assert served.json(HANDLER, *reveal(number))["purpose"] == "complaint"


def test_an_unidentified_complainant_is_revealed_once_linked(served: Desk) -> None:
    given = ("complaint", "open", "--unidentified", "--channel", "phone", "--category", "quality", *SAID)
    number = served.json(HANDLER, *given)["number"]
    assert refused(served, HANDLER, *reveal(number))[0] == "TICKET_OF_ANOTHER"

    served.json(HANDLER, "complaint", "link", number, "C-1", "--reason", "回电核对")

    assert served.json(HANDLER, *reveal(number))["contacts"][0]["mobile"] == "+8613812345678"


def test_an_export_with_a_complaint_as_ticket_is_of_its_customer_alone(served: Desk, tmp_path: Path) -> None:
    number = opened(served)
    words = ("customer", "export", "--fields", "mobile", "--purpose", "complaint", "--recipient", "self", "--ticket")

    found = refused(served, STEWARD, *words, number, "--out", tmp_path / "all.csv")
    assert found == ("TICKET_OF_ANOTHER", ["denied", "TICKET_OF_ANOTHER"])
    assert list(tmp_path.glob("all*")) == []
    served.json(STEWARD, *words, number, "--company", "示例科技", "--out", tmp_path / "one.csv")
    assert "13812345678" in (tmp_path / "one.csv").read_text("utf-8-sig")
    served.json(STEWARD, *words, "CRM-4711", "--out", tmp_path / "other.csv")


def test_texts_of_a_closed_complaint_are_not_opened_by_the_ticket_of_another(served: Desk) -> None:
    first, second = opened(served), opened(served)
    foreign = opened(served, customer="C-2")
    served.json(HANDLER, "complaint", "mark-duplicate", second, "--of", first, "--reason", "同一来电")
    show = ("complaint", "show", second, "--reveal", "--purpose", "complaint", "--ticket")

    assert served.refusal(SUPERVISOR, *show, foreign) == "TICKET_OF_ANOTHER"
    assert served.refusal(OTHER, *show, second) in ("ACT_NOT_GRANTED", "TICKET_CLOSED")
    assert served.json(SUPERVISOR, *show, first)["texts"]["matter"] == "渗水三天"
