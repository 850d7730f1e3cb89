"""The morning lists: what is due first, whose it is, how much working time is left (CMP-09, CMP-10, CMP-21)."""

from __future__ import annotations

import csv
import io
from typing import Any

import orjson
import pytest
from casework import ADMIN, AGENT, AUDITOR, HANDLER, SECOND, STEWARD, SUPERVISOR, Office
from sqlalchemy import Engine, event, insert, select

from crmctl.audit.tables import look
from crmctl.complaints.columns import CLOCK, COMPLAINT
from crmctl.complaints.tables import complaint, complaint_clock
from crmctl.store.engine import write


def listed(office: Office, *words: object, uid: int = HANDLER, status: int = 0) -> list[dict[str, Any]]:
    """Return the complaints of a list."""
    found: list[dict[str, Any]] = office.json(uid, "complaint", "list", *words, status=status)["complaints"]
    return found


def numbers(office: Office, *words: object, uid: int = HANDLER) -> list[str]:
    """Return the acceptance numbers of a list, in its order."""
    return [row["number"] for row in listed(office, *words, uid=uid)]


def test_the_first_deadline_stands_first_with_the_working_time_left(office: Office) -> None:
    """Monday 09:00: 30 working minutes to respond; after the response one working day to verify."""
    first = office.open()
    office.hours.forward(minutes=10)
    second = office.open("C-2", handler="K2")
    (one, two) = listed(office)
    assert (one["number"], one["stage"], one["left_minutes"], one["left_wall_minutes"]) == (first, "respond", 20, 20)
    assert (two["number"], two["left_minutes"], two["due_at"]) == (second, 30, "2026-11-23T09:40:00+08:00")
    office.step(first, "respond", "--text", office.text("已联系"))
    (one, two) = listed(office)
    assert (one["number"], two["number"], two["stage"]) == (second, first, "verify")
    # Until Tuesday 18:00: the rest of Monday without the lunch break, and Tuesday.
    assert two["left_minutes"] == (8 * 60 - 10) + 8 * 60
    assert two["left_wall_minutes"] == 33 * 60 - 10
    assert one["handler"] == office.staff_ids["K2"] and one["notes"] == [] and one["customer"] == 2


def test_overdue_is_what_ended_a_second_ago_and_not_what_ends_now(office: Office) -> None:
    number = office.open()
    office.hours.forward(minutes=30)
    assert numbers(office, "--overdue") == []
    assert listed(office)[0]["overdue"] is False
    office.hours.forward(seconds=1)
    assert numbers(office, "--overdue") == [number]
    office.hours.forward(minutes=59, seconds=59)
    (row,) = listed(office, "--overdue")
    assert (row["overdue"], row["left_minutes"], row["notes"]) == (True, -60, ["OVERDUE"])
    shown = office.desk.say(HANDLER, "complaint", "list").stdout
    assert "-1 h 00 min" in shown and "overdue" in shown


def test_check_fails_while_there_are_any_and_is_quiet_when_there_are_none(office: Office) -> None:
    assert office.desk.say(HANDLER, "-q", "complaint", "list", "--check")[:2] == (0, "")
    number = office.open()
    assert office.desk.say(HANDLER, "-q", "complaint", "list", "--check", "--overdue")[:2] == (0, "")
    office.hours.forward(hours=1)
    done = office.desk.say(HANDLER, "-q", "complaint", "list", "--check", "--overdue")
    assert done.exit_code == 1 and number in done.stdout
    assert office.json(HANDLER, "complaint", "list", "--by", "handler", "--check", status=1)["groups"]


def test_due_today_tomorrow_and_on_a_day(office: Office) -> None:
    """Respond ends today, verify tomorrow, progress on Wednesday, feedback next Wednesday."""
    number = office.open()
    assert [row["stage"] for row in listed(office, "--due", "today")] == ["respond"]
    (row,) = listed(office, "--due", "tomorrow")
    assert (row["number"], row["stage"], row["due_at"]) == (number, "verify", "2026-11-24T18:00:00+08:00")
    assert [row["stage"] for row in listed(office, "--due", "2026-11-25")] == ["progress"]
    assert listed(office, "--due", "2026-11-27") == []
    assert [row["stage"] for row in listed(office, "--stage", "反馈时限")] == ["feedback"]
    told = office.json(HANDLER, "complaint", "list", "--due", "soon", status=4)
    assert told["code"] == "DATE_INVALID"


def test_the_customers_turn(office: Office) -> None:
    asked, other = office.open(), office.open("C-2")
    office.through(asked, "propose")
    assert numbers(office, "--waiting") == [asked]
    assert listed(office, "--waiting")[0]["notes"] == ["CUSTOMERS_TURN"]
    assert numbers(office, "--status", "accepted") == [other]
    office.step(asked, "agree")
    assert numbers(office, "--waiting") == []


def test_without_a_word_for_too_long(office: Office) -> None:
    """CMP-10: two working days after the last word; each word begins anew."""
    silent, told = office.open(), office.open("C-2")
    office.hours.to("2026-11-25T12:00")
    office.step(told, "progress", "--text", office.text("正在处理"))
    office.hours.to("2026-11-25T18:00:01")
    found = office.json(HANDLER, "complaint", "list", "--no-progress")
    assert [row["number"] for row in found["complaints"]] == [silent]
    assert found["not_configured"] == 0
    assert "NO_PROGRESS_NOTE" in found["complaints"][0]["notes"]
    assert found["complaints"][0]["stage"] == "progress"


def test_progress_that_nobody_limited_is_not_configured_rather_than_kept(office: Office) -> None:
    name = "complaint_progress_days:\n      value: "
    office.desk.edit("company.yaml", f"{name}2", f"{name}unset")
    office.open()
    office.hours.forward(days=30)
    found = office.json(HANDLER, "complaint", "list", "--no-progress")
    assert (found["complaints"], found["not_configured"]) == ([], 1)
    assert "not configured for 1 complaints" in office.desk.say(HANDLER, "complaint", "list", "--no-progress").stdout


def test_mine_is_what_i_handle_or_received_first(office: Office) -> None:
    """CMP-21: the first receiver stays; the agent with two accounts is one person."""
    mine = office.open()
    passed = office.open("C-2")
    office.step(passed, "handoff", "--to", "K2")
    theirs = office.open("C-3", uid=SECOND)
    assert numbers(office, "--mine") == [mine, passed]
    assert numbers(office, "--mine", uid=SECOND) == [passed, theirs]
    assert numbers(office, "--handler", "K2", uid=SUPERVISOR) == [passed, theirs]
    assert office.desk.refusal(HANDLER, "complaint", "list", "--handler", "nobody", status=1)


def test_nobody_handles_it_when_none_may_or_the_handler_left(office: Office) -> None:
    first, second = office.open(about="K1"), office.open("C-2", handler="K7")
    assert numbers(office, "--unhandled", uid=SECOND) == [first]
    office.json(ADMIN, "staff", "deactivate", "K7", "--left-on", "2026-11-23")
    assert numbers(office, "--unhandled", uid=SECOND) == [first, second]
    assert [row["notes"] for row in listed(office, uid=SECOND)] == [["NOBODY_HANDLES"], ["HANDLER_LEFT"]]
    assert office.json(SECOND, "complaint", "list")["unhandled"] == 2


def test_filters_by_classification_customer_and_department(office: Office) -> None:
    first = office.open(category="质量")
    second = office.open("C-2", category="attitude", severity="serious")
    office.verify(second)
    assert numbers(office, "--category", "服务态度") == [second]
    assert numbers(office, "--severity", "一般") == [first]
    assert numbers(office, "--customer", "C-1") == [first]
    assert numbers(office, "--department", "安装部") == [second]
    assert numbers(office, "--category", "quality", "--severity", "serious") == []
    assert office.json(HANDLER, "complaint", "list", "--category", "nothing", status=4)["code"] == "CATEGORY_UNKNOWN"
    assert office.json(HANDLER, "complaint", "list", "--closed", "--all", status=2)


def test_closed_ones_are_listed_when_asked_for(office: Office) -> None:
    closed, open_ = office.open(), office.open("C-2")
    again = office.open("C-2")
    office.through(closed)
    office.step(again, "mark-duplicate", "--of", open_, "--reason", office.text("同一件事"))
    assert numbers(office) == [open_]
    assert sorted(numbers(office, "--closed")) == [closed, again]
    assert sorted(numbers(office, "--all")) == [closed, open_, again]
    assert numbers(office, "--status", "duplicate", "--all") == [again]


def test_as_of_a_moment_before_it_was_closed_it_was_open(office: Office) -> None:
    number = office.open()
    office.hours.forward(minutes=40)
    late = office.hours.local()
    office.hours.forward(minutes=10)
    office.through(number)
    later = office.open("C-2")
    assert numbers(office) == [later]
    (row,) = listed(office, "--as-of", late)
    assert (row["number"], row["stage"], row["left_minutes"]) == (number, "respond", -10)
    assert numbers(office, "--as-of", late, "--closed") == []
    assert numbers(office, "--as-of", "2026-11-22") == []
    office.hours.forward(minutes=1)
    office.step(number, "reopen", "--reason", office.text("又坏了"))
    assert sorted(numbers(office)) == [number, later]
    assert numbers(office, "--as-of", office.hours.local(seconds=30), "--closed") == [number]


def test_who_has_scope_own_sees_their_customers_and_what_they_handle(office: Office) -> None:
    """ACC-01: another's complaint looks like one that there is not."""
    office.open()
    theirs = office.open("C-2", handler="K3")
    assert numbers(office, uid=AGENT) == [theirs]
    assert numbers(office, "--customer", "C-1", uid=AGENT) == []
    assert office.json(AGENT, "complaint", "list", "--by", "department")["groups"][0]["open"] == 1
    office.sql("UPDATE customer SET owner_id = :own WHERE customer_id = 1", own=office.staff_ids["K3"])
    try:
        assert len(numbers(office, uid=AGENT)) == 2
    finally:
        office.sql("UPDATE customer SET owner_id = NULL WHERE customer_id = 1")


def test_the_log_says_whose_complaints_were_shown(office: Office) -> None:
    """ACC-07: an entry with the customers, each once; no text is on the page."""
    office.open(), office.open(), office.open("C-2")
    done = office.desk.say(STEWARD, "complaint", "list")
    assert "赵铁柱" not in done.stdout and "漏水" not in done.stdout
    entry = office.desk.entries("complaint.list")[-1]
    assert (entry["n"], entry["looks"]) == (3, 2)
    seen = {row["customer_id"] for row in office.desk.rows(select(look).where(look.c.run_id == entry["run"]))}
    assert seen == {1, 2}
    assert office.json(AUDITOR, "complaint", "list")["count"] == 3


def test_a_page_goes_on_where_the_last_one_ended(office: Office) -> None:
    """Every complaint once, whatever their deadlines; those without one come last."""
    made = [office.open(f"C-{1 + n % 3}") for n in range(7)]
    office.step(made[0], "respond", "--text", office.text("已联系"))
    for number, first in ((made[4], made[1]), (made[5], made[2])):  # of the same customer
        office.step(number, "mark-duplicate", "--of", first, "--reason", office.text("同一件事"))
    seen: list[str] = []
    after: list[object] = []
    while True:
        page = office.json(HANDLER, "complaint", "list", "--all", "--limit", 2, *after)
        seen += [row["number"] for row in page["complaints"]]
        assert page["count"] == 7
        if page["next"] is None:
            break
        after = ["--after", page["next"]]
    assert seen == [*made[1:4], made[6], made[0], made[4], made[5]]
    for place in ("yesterday", "-", "2026-11-23T09:00/CMP-20261123-0001x", f"never/{made[0]}"):
        assert office.desk.refusal(HANDLER, "complaint", "list", "--after", place, status=4)


def test_counts_by_owner_department_and_handler(office: Office) -> None:
    office.open()
    second, _third = office.open("C-2", handler="K2"), office.open("C-2", handler="K2")
    office.verify(second)
    office.step(second, "respond", "--text", office.text("已联系"))
    office.hours.forward(minutes=31)
    by = {
        key: office.json(HANDLER, "complaint", "list", "--by", key)["groups"]
        for key in ("owner", "department", "handler")
    }
    own = {row["number"]: row for row in by["handler"]}
    assert {name: (row["open"], row["overdue"]) for name, row in own.items()} == {"K1": (1, 1), "K2": (2, 1)}
    assert {row["department"]: row["open"] for row in by["department"]} == {"安装部": 1, None: 2}
    assert [(row["owner"], row["open"]) for row in by["owner"]] == [(None, 3)]
    assert "nobody" in office.desk.say(HANDLER, "complaint", "list", "--by", "owner").stdout
    done = office.desk.say(HANDLER, "complaint", "list", "--by", "handler", "-o", "csv")
    assert list(csv.reader(io.StringIO(done.stdout)))[1:] == [
        ["Qi X (K2)", "2", "0", "1"],
        ["Hu Y (K1)", "1", "0", "1"],
    ]


@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_the_list_as_a_file(office: Office, form: str) -> None:
    number = office.open()
    done = office.desk.say(HANDLER, "complaint", "list", "-o", form)
    assert done.exit_code == 0
    if form == "csv":
        assert [row[0] for row in csv.reader(io.StringIO(done.stdout))][1:] == [number]
    else:
        assert orjson.loads(done.stdout)["number"] == number


def test_many_complaints_take_a_few_statements(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one a row: a page of 400 of 2,000 takes as many statements as a page of 10."""
    number = office.open()
    _copies(office, number, 2000)
    try:
        counts = []
        for limit in (10, 400):
            asked: list[str] = []

            def note(*words: Any, told: list[str] = asked) -> None:
                told.append(words[2])

            event.listen(Engine, "before_cursor_execute", note)
            try:
                page = office.json(HANDLER, "complaint", "list", "--limit", limit)
            finally:
                event.remove(Engine, "before_cursor_execute", note)
            assert (page["count"], len(page["complaints"])) == (2001, limit)
            counts.append(len(asked))
        assert counts[0] == counts[1]
        assert sum(row["open"] for row in office.json(HANDLER, "complaint", "list", "--by", "owner")["groups"]) == 2001
    finally:
        office.sql("DELETE FROM complaint_clock WHERE clock_id >= 100000")
        office.sql("DELETE FROM complaint WHERE complaint_id >= 100000")


def _copies(office: Office, number: str, many: int) -> None:
    """Put so many copies of a complaint and its clocks beside it, behind the program's back."""
    row = office.row(number)
    clocks = [dict(each) for each in office.desk.rows(select(complaint_clock))]
    assert set(row) == {*COMPLAINT, "sealed", "sealed_hash"} and set(clocks[0]) == set(CLOCK)
    with write(office.desk.engine) as conn:
        copies = [row | {"complaint_id": 100_000 + n, "number": f"CMP-20200101-{n:05d}"} for n in range(many)]
        conn.execute(insert(complaint), copies)
        conn.execute(
            insert(complaint_clock),
            [
                each | {"complaint_id": 100_000 + n, "clock_id": 100_000 + n * len(clocks) + place}
                for n in range(many)
                for place, each in enumerate(clocks)
            ],
        )
