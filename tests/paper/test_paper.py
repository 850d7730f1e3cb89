"""Paper in the register: who has it, where it lies, that a purge reminds of it, that it was destroyed (SEC-06)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from casework import HANDLER, Hours, Office
from desks import ADMIN, AUDITOR, OTHER, STEWARD, SUPERVISOR
from sqlalchemy import select, update

from crmctl import clock
from crmctl.cli.invocation import Invocation
from crmctl.paper import marking
from crmctl.paper.tables import paper_customer, paper_item
from crmctl.runs import run as runs
from crmctl.store.engine import write

PLACE, NOTE = "三楼档案柜乙，张三丰专用夹", "合同原件两份"


def add(office: Office, *customers: str, kind: str = "contract", keeper: str = "K1", uid: int = STEWARD) -> int:
    """Register an item; return its number."""
    about = [word for customer in customers for word in ("--customer", customer)]
    texts = ("--place", office.text(PLACE), "--note", office.text(NOTE))
    made = office.json(uid, "paper", "add", *about, "--kind", kind, "--keeper", keeper, *texts)
    return int(made["items"][0]["item"])


def listed(office: Office, *words: object, uid: int = STEWARD) -> list[int]:
    """Return the numbers that `paper list` has."""
    return [each["item"] for each in office.json(uid, "paper", "list", *words)["items"]]


def state(office: Office, item: int) -> str:
    """Return how an item stands."""
    return str(office.json(STEWARD, "paper", "show", item)["state"])


def purged(office: Office, *customers: str) -> int:
    """Destroy customers who ask for it; return the plan."""
    about = [word for customer in customers for word in ("--customer", customer)]
    plan = int(office.json(STEWARD, "purge", "plan", *about)["plan"])
    office.json(SUPERVISOR, "purge", "approve", plan)
    office.json(STEWARD, "purge", "run", plan)
    return plan


def today(hours: Hours) -> str:
    """Return the company's day."""
    return hours.local()[:10]


def test_a_plan_there_is_not(office: Office) -> None:
    """A wrong number is said, not an empty list."""
    assert office.desk.refusal(STEWARD, "paper", "list", "--plan", 99, status=1) == "PLAN_UNKNOWN"


# Registered -------------------------------------------------------------------------------------------------------


def test_an_item_has_kind_keeper_and_place(office: Office) -> None:
    """SEC-06: registered with place and keeper; where it lies is sealed, and that somebody looked is in the log."""
    assert [add(office, "C-1", "C-2", kind="合同"), add(office, "C-2", kind="disk", keeper="hu.y")] == [1, 2]
    (item,) = office.json(STEWARD, "paper", "list", "--keeper", "K1")["items"]
    wanted = {"item": 1, "kind": "contract", "keeper": "K1", "customers": [1, 2], "state": "kept", "due_on": None,
              "plans": [], "registered_by": "li.na"}  # fmt: skip
    assert wanted.items() <= item.items()
    assert (listed(office), listed(office, "--customer", "C-1"), listed(office, "--due")) == ([2, 1], [1], [])
    assert listed(office, "--limit", 1, "--before", 2) == [1]
    shown = office.json(AUDITOR, "paper", "show", 1)
    assert (shown["place"], shown["note"], [each["customer"] for each in shown["about"]]) == (PLACE, NOTE, [1, 2])
    (entry,) = office.desk.entries("paper.show")
    assert (entry["obj"], entry["looks"], entry["actor"]["person"]) == ("paper:1", 2, "an.q")
    assert {"obj": "paper:1", "n": 2, "about": "K1"}.items() <= office.desk.entries("paper.add")[0].items()


def test_its_texts_are_nowhere_in_clear(office: Office) -> None:
    add(office, "C-1")
    office.json(STEWARD, "paper", "move", 1, "--place", office.text("四楼，张三丰的抽屉"))
    stored = repr(office.desk.rows(select(paper_item))).encode() + b"".join(office.desk.log())
    for word in ("张三丰", "档案柜", "原件", "抽屉"):
        assert word.encode() not in stored and word.encode("unicode_escape") not in stored
        assert word not in office.desk.say(STEWARD, "paper", "list").stdout
    assert "张三丰" in office.desk.say(STEWARD, "paper", "show", 1).stdout


def test_it_is_handed_on(office: Office, hours: Hours) -> None:
    add(office, "C-1")
    hours.forward(hours=1)
    (moved,) = office.json(HANDLER, "paper", "move", 1, "--keeper", "K2")["items"]
    assert (moved["keeper"], moved["moved_at"]) == ("K2", hours.local())
    assert office.json(STEWARD, "paper", "show", 1)["place"] == PLACE
    office.json(STEWARD, "paper", "move", 1, "--place", office.text("地下室"))
    shown = office.json(STEWARD, "paper", "show", 1)
    assert (shown["place"], shown["note"], shown["keeper"]) == ("地下室", NOTE, "K2")
    assert [(each["about"], each["fields"]) for each in office.desk.entries("paper.move")] == [
        ("K2", ["keeper"]), ("K2", ["place"]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("option", "value", "code", "status"),
    [
        ("--kind", "papyrus", "PAPER_KIND_UNKNOWN", 4),
        ("--keeper", "some body", "KEEPER_INVALID", 4),
        ("--keeper", "13812345678", "KEEPER_INVALID", 4),
        ("--keeper", "wang.xm@example.com", "KEEPER_INVALID", 4),
        ("--keeper", "王小明", "KEEPER_INVALID", 4),
        ("--keeper", "K99", "KEEPER_INVALID", 4),
        ("--customer", "C-99", "CUSTOMER_UNKNOWN", 1),
        ("--place", " ", "USAGE", 2),
    ],
)
def test_what_cannot_be_registered(office: Office, option: str, value: str, code: str, status: int) -> None:
    words = ["paper", "add", "--customer", "C-1", "--kind", "form", "--keeper", "K1", "--place", office.text(PLACE)]
    words[words.index(option) + 1] = value
    assert office.desk.refusal(STEWARD, *words, status=status) == code
    assert office.desk.rows(select(paper_item)) == []
    if code == "KEEPER_INVALID":
        assert value not in office.desk.say(STEWARD, *words).stderr, "it may be a customer's"
        assert value not in b"".join(office.desk.log()).decode("unicode_escape")


def test_who_may(office: Office) -> None:
    add(office, "C-1", uid=HANDLER)
    said = ("paper", "destroyed", 1, "--method", "shredded")
    assert office.desk.refusal(HANDLER, *said) == "ACT_NOT_GRANTED"
    assert office.desk.refusal(SUPERVISOR, *said) == "ACT_NOT_GRANTED"
    assert office.desk.refusal(ADMIN, "paper", "show", 1) == "ACT_NOT_GRANTED"
    assert listed(office, uid=ADMIN) == [1]
    for words in (("show", 9), ("move", 9, "--keeper", "K1"), ("destroyed", 9, "--method", "wiped")):
        assert office.desk.refusal(STEWARD, "paper", *words, status=1) == "PAPER_UNKNOWN"


# Due, and destroyed -----------------------------------------------------------------------------------------------


def test_from_the_plan_to_the_record(office: Office, hours: Hours) -> None:
    """DES-03, DES-06: the plan counts it, the purge makes it due, people destroy it, plan and record tell."""
    for customers in (("C-1",), ("C-2",), ("C-3",)):
        add(office, *customers)
    made = office.json(STEWARD, "purge", "plan", "--customer", "C-1", "--customer", "C-2")
    plan = made["plan"]
    assert made["paper_planned"] == 2
    assert listed(office, "--plan", plan) == [2, 1]
    assert office.json(STEWARD, "purge", "show", plan)["paper_planned"] == 2
    office.json(SUPERVISOR, "purge", "approve", plan)
    assert listed(office, "--due") == []
    office.json(STEWARD, "purge", "run", plan)
    due = office.json(STEWARD, "paper", "list", "--plan", plan)["items"]
    hours.forward(days=7)  # as the demo company has decided
    assert [(each["item"], each["state"], each["due_on"], each["plans"]) for each in due] == [
        (2, "due", today(hours), [plan]), (1, "due", today(hours), [plan]),
    ]  # fmt: skip
    assert listed(office, "--due") == [2, 1]
    said = ("--method", "粉碎", "--witness", "K2", "--on", today(hours))
    (gone,) = office.json(STEWARD, "paper", "destroyed", 1, *said)["items"]
    assert (gone["state"], gone["destroyed_at"]) == ("destroyed", hours.local())
    (entry,) = office.desk.entries("paper.destroyed")
    wanted = {"obj": "paper:1", "about": "K2", "codes": ["SHREDDED"], "counts": {f"plan.{plan}": 1}, "n": 1}
    assert wanted.items() <= entry.items()
    assert office.desk.refusal(OTHER, "paper", "destroyed", 1, *said, status=1) == "PAPER_DESTROYED"
    assert office.desk.refusal(OTHER, "paper", "move", 1, "--keeper", "K2", status=1) == "PAPER_DESTROYED"
    assert office.json(STEWARD, "purge", "verify", plan)["clean"]
    record = json.loads(office.desk.say(AUDITOR, "purge", "show", plan, "--record").stdout)
    assert (record["paper"], record["paper_destroyed"]) == ([1, 2], [1])
    office.json(STEWARD, "paper", "destroyed", 2, "--method", "burnt")
    shown = office.json(AUDITOR, "purge", "show", plan)
    assert (shown["paper"], shown["paper_destroyed"]) == ([1, 2], [1, 2])
    assert "2, confirmed destroyed 2" in office.desk.say(AUDITOR, "purge", "show", plan).stdout
    assert record == json.loads(office.desk.say(AUDITOR, "purge", "show", plan, "--record").stdout)
    assert office.json(STEWARD, "purge", "verify", plan)["clean"]  # looks at it named no one who is destroyed
    assert (listed(office), listed(office, "--all"), listed(office, "--plan", plan)) == ([3], [3, 2, 1], [2, 1])
    assert [row["sealed"] for row in office.desk.rows(select(paper_item).order_by("item_id"))][:2] == [None, None]
    assert office.json(STEWARD, "paper", "show", 1)["place"] is None


def test_the_plan_and_its_form_say_how_many(office: Office) -> None:
    add(office, "C-1", "C-2")
    said = office.desk.say(STEWARD, "purge", "plan", "--customer", "C-1", "--customer", "C-2").stdout
    assert "Paper items to be destroyed by hand: 1 (crmctl paper list --plan 1)" in said
    out = office.desk.folder.parent / "form.html"
    office.json(STEWARD, "purge", "form", 1, "--out", out)
    assert "1, destroyed by hand; which: crmctl paper list --plan 1" in out.read_text("utf-8")


def test_what_is_about_others_too_is_redacted_and_stays(office: Office, hours: Hours) -> None:
    add(office, "C-1", "C-2", kind="folder")
    said = ("paper", "destroyed", 1, "--method", "redacted")
    assert office.desk.refusal(STEWARD, *said, status=1) == "PAPER_NOT_DUE"
    first = purged(office, "C-1")
    (item,) = office.json(STEWARD, *said)["items"]
    assert (item["state"], item["plans"]) == ("kept", [first])
    assert office.desk.entries("paper.destroyed")[-1]["codes"] == ["REDACTED", "IN_PART"]
    assert office.json(STEWARD, "purge", "show", first)["paper_destroyed"] == [1]
    assert office.json(STEWARD, "paper", "show", 1)["place"] == PLACE
    second = purged(office, "C-2")
    assert office.json(STEWARD, "purge", "show", second)["paper_destroyed"] == []
    assert listed(office, "--plan", second) == [1]
    assert office.json(STEWARD, *said)["items"][0]["state"] == "destroyed"
    about = office.json(STEWARD, "paper", "show", 1)["about"]
    assert [(each["customer"], each["plan"], each["method"]) for each in about] == [
        (1, first, "redacted"), (2, second, "redacted"),
    ]  # fmt: skip


def test_destroyed_whole_though_somebody_is_there(office: Office) -> None:
    add(office, "C-1", "C-2")
    plan = purged(office, "C-1")
    done = office.desk.say(STEWARD, "paper", "destroyed", 1, "--method", "shredded")
    assert (done.exit_code, "not destroyed: C-000002" in done.stdout + done.stderr) == (0, True)
    assert office.json(STEWARD, "purge", "show", plan)["paper_destroyed"] == [1]
    assert office.json(STEWARD, "purge", "plan", "--customer", "C-2")["paper_planned"] == 0


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (("--on", "2026-11-24"), "DAY_INVALID"),
        (("--on", "2026-11-22"), "DAY_INVALID"),
        (("--on", "yesterday"), "DATE_INVALID"),
        (("--witness", "li.na"), "WITNESS_INVALID"),
        (("--witness", "L1"), "WITNESS_INVALID"),
        (("--witness", "13812345678"), "WITNESS_INVALID"),
        (("--witness", "some body"), "WITNESS_INVALID"),
        (("--method", "eaten"), "PAPER_METHOD_UNKNOWN"),
    ],
)
def test_what_cannot_be_said(office: Office, more: tuple[str, str], code: str) -> None:
    add(office, "C-1")
    assert office.desk.refusal(STEWARD, "paper", "destroyed", 1, "--method", "wiped", *more, status=4) == code
    assert state(office, 1) == "kept"


def test_nothing_is_registered_about_whom_a_purge_destroys(office: Office) -> None:
    """Else nobody would be reminded of it."""
    purged(office, "C-1")
    words = ("--kind", "form", "--keeper", "K1", "--place", office.text(PLACE))
    assert office.desk.refusal(STEWARD, "paper", "add", "--customer", "C-1", *words, status=1) == "CUSTOMER_UNKNOWN"
    assert office.desk.rows(select(paper_customer)) == []


def test_undecided_it_is_due_at_once(office: Office, hours: Hours) -> None:
    value = "paper_destruction_days:\n      value: "
    office.desk.edit("company.yaml", f"{value}7", f"{value}unset")
    add(office, "C-1")
    purged(office, "C-1")
    assert office.json(STEWARD, "paper", "list", "--due")["items"][0]["due_on"] == today(hours)
    found = [each for each in office.json(ADMIN, "doctor")["findings"] if each["subject"] == "paper"]
    assert [(each["level"], each["hint"]) for each in found] == [("warns", "crmctl paper list --due")]
    office.json(STEWARD, "paper", "destroyed", 1, "--method", "shredded")
    assert [each for each in office.json(ADMIN, "doctor")["findings"] if each["subject"] == "paper"] == []
    assert days_of(office) == 0


@contextmanager
def a_run(office: Office) -> Iterator[runs.Run]:
    """Yield a run of the steward that records nothing."""
    call = Invocation(command="paper list", workspace=office.desk.folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "getresuid", lambda: (STEWARD,) * 3)
        with runs.open_run(call, "paper list", "paper.list") as run:
            yield run


def days_of(office: Office) -> int:
    """Return the days that paper may wait when a customer is destroyed now."""
    with a_run(office) as run:
        due = clock.parse_day(marking.due_on(run), "due")
        return (due - runs.today(run.policies, run.at)).days


def test_the_policy_in_force_says_by_when(office: Office, hours: Hours) -> None:
    """One that begins later says nothing yet, though it is the last."""
    later = (hours.at + timedelta(days=30)).date().isoformat()
    policies = office.desk.folder / "policies"
    now = (policies / "use.yaml").read_text("utf-8")
    head, settings = now.split("\nsettings:", 1)
    until = (hours.at + timedelta(days=29)).date().isoformat()
    (policies / "use.yaml").write_text(f"{head}\neffective: {{until: {until}}}\n\nsettings:{settings}", "utf-8")
    said = settings.replace("$paper_destruction_days", "90")
    head += f"\nname: later\neffective: {{from: {later}}}\n"
    (policies / "use.later.yaml").write_text(f"{head}\nsettings:{said}", "utf-8")
    assert days_of(office) == 7
    hours.forward(days=31)
    assert days_of(office) == 90


def test_no_end_of_the_calendar_stops_a_purge(office: Office, hours: Hours) -> None:
    hours.to("9999-06-01T09:00:00")
    office.desk.edit("use.yaml", "paper_for: $paper_destruction_days", "paper_for: 36500")
    with a_run(office) as run:
        assert marking.due_on(run) == "9999-12-31"


def test_a_page_says_how_many_are_due_on_all(office: Office, hours: Hours) -> None:
    for _each in range(3):
        add(office, "C-1", "C-2")
    add(office, "C-2", keeper="K2")
    purged(office, "C-1")
    hours.forward(days=8)
    for words, due in ((("--limit", 1), 3), (("--before", 2), 3), (("--keeper", "K2"), 0), (("--customer", "C-1"), 3)):
        assert office.json(STEWARD, "paper", "list", *words)["due"] == due, words


def test_what_is_about_held_customers_stays(office: Office) -> None:
    """DES-07: holds win; what happened all the same is said with --held, and the entry has it."""
    add(office, "C-1")
    add(office, "C-1", "C-2")
    add(office, "C-3")
    plan = purged(office, "C-1")
    reason = office.text("诉讼保全")
    office.json(STEWARD, "hold", "set", "C-2", "--kind", "legal", "--reason", reason)
    said = ("--method", "shredded")
    assert office.desk.refusal(STEWARD, "paper", "destroyed", 2, *said, status=1) == "PAPER_HELD"
    assert state(office, 2) == "due"
    assert office.json(STEWARD, "paper", "destroyed", 1, *said)["items"][0]["plans"] == [plan]
    office.json(STEWARD, "paper", "destroyed", 2, "--method", "redacted")
    assert office.desk.refusal(STEWARD, "paper", "destroyed", 2, *said, status=1) == "PAPER_HELD"
    assert office.json(STEWARD, "paper", "destroyed", 2, *said, "--held")["items"][0]["state"] == "destroyed"
    codes = [entry["codes"] for entry in office.desk.entries("paper.destroyed") if "codes" in entry]
    assert codes == [["SHREDDED"], ["REDACTED", "IN_PART"], ["SHREDDED", "HELD"]]
    office.json(STEWARD, "hold", "set", "--everybody", "--kind", "audit", "--reason", reason)
    refused = office.desk.say(STEWARD, "paper", "destroyed", 3, *said)
    assert (refused.exit_code, "audit" in refused.stderr, "--held" in refused.stderr) == (1, True, True)


def test_an_open_complaint_keeps_paper_too(office: Office) -> None:
    add(office, "C-1")
    number = office.open()
    said = ("paper", "destroyed", 1, "--method", "shredded")
    assert office.desk.refusal(STEWARD, *said, status=1) == "PAPER_HELD"
    office.through(number)
    assert office.json(STEWARD, *said, "--held")["items"][0]["state"] == "destroyed"
    assert office.desk.entries("paper.destroyed")[-1]["codes"] == ["SHREDDED"]


def test_no_backup_opens_the_place_of_what_is_destroyed(office: Office) -> None:
    """Its key goes with it, with a receipt; the others keep theirs, and what was redacted keeps its own."""
    add(office, "C-1", "C-2")
    add(office, "C-2")
    purged(office, "C-1")
    runs_ = [row["run_id"] for row in office.desk.rows(select(paper_item).order_by(paper_item.c.item_id))]
    (before,) = office.desk.rows(select(paper_item).where(paper_item.c.item_id == 1))

    def levels() -> list[tuple[str, str]]:
        found = office.json(ADMIN, "doctor")["findings"]
        return [(each["subject"], each["level"]) for each in found if each["subject"] != "paper"]

    def kept() -> set[int]:
        with a_run(office) as run:
            return {*run.keys.owner_ids("run")} & {*runs_}

    before_levels = levels()
    office.json(STEWARD, "paper", "destroyed", 1, "--method", "redacted")
    assert kept() == {*runs_}
    with office.desk.broken_log():
        assert office.desk.say(STEWARD, "paper", "destroyed", 1, "--method", "shredded").exit_code != 0
    assert (kept(), office.json(STEWARD, "paper", "show", 1)["place"]) == ({*runs_}, PLACE)
    office.json(STEWARD, "paper", "destroyed", 1, "--method", "shredded")
    assert kept() == {runs_[1]}
    with a_run(office) as run:
        receipts = [(row.reference, row.keys) for row in run.keys.rows.receipts() if row.reference.startswith("paper")]
    assert receipts == [("paper:1", 1)]
    assert levels() == before_levels
    assert office.json(STEWARD, "paper", "show", 2)["place"] == PLACE
    office.sound()
    with write(office.desk.engine) as conn:  # as a backup made before has it, or one killed before the rows went
        values = {"gone_at": None, "sealed": before["sealed"], "sealed_hash": before["sealed_hash"]}
        conn.execute(update(paper_item).where(paper_item.c.item_id == 1).values(**values))
        conn.execute(update(paper_customer).where(paper_customer.c.item_id == 1).values(disposed_at=None))
    assert office.json(STEWARD, "paper", "show", 1)["place"] is None
    assert kept() == {runs_[1]}
    office.json(STEWARD, "paper", "move", 1, "--place", office.text("地下室"))
    assert office.json(STEWARD, "paper", "show", 1)["place"] == "地下室"
    office.json(STEWARD, "paper", "destroyed", 1, "--method", "shredded")
    assert kept() == {runs_[1]}


def test_copies_that_are_destroyed_are_told_too(office: Office, hours: Hours) -> None:
    """DES-06: of the files that left, how many are said to be gone."""
    number = office.open()
    out = office.desk.folder.parent / "complaint.html"
    copy = office.json(HANDLER, "complaint", "form", number, "--out", out)["copy"]
    office.through(number)
    plan = purged(office, "C-1")
    shown: dict[str, Any] = office.json(STEWARD, "purge", "show", plan)
    assert (shown["copies"], shown["copies_destroyed"]) == ([copy], [])
    out.unlink()
    office.json(STEWARD, "use", "destroyed", copy)
    assert office.json(STEWARD, "purge", "show", plan)["copies_destroyed"] == [copy]
    assert "1 of 1" in office.desk.say(STEWARD, "purge", "show", plan).stdout
    office.json(STEWARD, "purge", "verify", plan)
    record = json.loads(office.desk.say(STEWARD, "purge", "show", plan, "--record").stdout)
    assert (record["copies"], record["copies_destroyed"]) == ([copy], [copy])
