"""`use evaluate` and `use evaluated` (USE-03), and what doctor says of overdue evaluations and copies."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from desks import ADMIN, AUDITOR, PERSONAL, STEWARD, SUPERVISOR, Desk
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from crmctl.store.engine import write
from crmctl.use.evaluating import _months_after
from crmctl.use.tables import copy_register, use_evaluation, use_record

REVEAL = ("customer", "show", 1, "--reveal", "mobile", "--purpose", "contact")
JUDGED = ("use", "evaluated", "--need", "met", "--privacy", "kept", "--note", "王小明处用途相符")
LONG_AGO = datetime(2026, 1, 10, 4, tzinfo=UTC)


def decided(desk: Desk, months: int = 3) -> None:
    """Let the company evaluate use every so many months."""
    path = desk.folder / "policies" / "company.yaml"
    before, _name, after = path.read_text("utf-8").partition("use_evaluation_months:\n      value: ")
    path.write_text(f"{before}{_name}{months}\n{after.partition(chr(10))[2]}", "utf-8")


def aged(desk: Desk) -> None:
    """Let the first use be long ago."""
    with write(desk.engine) as conn:
        conn.execute(update(use_record).where(use_record.c.record_id == 1).values(used_at=LONG_AGO))


def test_what_an_evaluation_looks_at(desk: Desk, tmp_path: Path) -> None:
    desk.json(STEWARD, *REVEAL)
    desk.json(STEWARD, *REVEAL)
    desk.json(STEWARD, "customer", "export", "--fields", "name", "--recipient", "self", "--purpose", "analysis",
              "--out", tmp_path / "f.csv")  # fmt: skip
    desk.json(STEWARD, "use", "record", "R-1", "--result", "done")
    desk.json(STEWARD, "use", "request", "--fields", "name", "--recipient", "sales", "--purpose", "contact",
              "--manner", "phone", "--responsible", "1001", "--why", "年度回访")  # fmt: skip
    found = desk.json(AUDITOR, "use", "evaluate")
    assert [tuple(row.values()) for row in found["uses"]] == [
        ("analysis", "li.na", "customer.export", 1, 3, 1),
        ("contact", "li.na", "customer.reveal", 2, 2, 1),
    ]
    sums = {"sum_uses": 3, "sum_without_result": 2, "sum_requests_unused": 1, "sum_copies_overdue": 0}
    assert sums.items() <= found.items()
    assert desk.json(AUDITOR, "use", "evaluate", "--to", "2026-01-01")["uses"] == []
    shown = desk.say(SUPERVISOR, "use", "evaluate", "--lang", "zh")
    assert "内部经营分析" in shown.stdout and "li.na" in shown.stdout
    assert desk.entries("use.evaluate")[-1]["n"] == 2


def test_it_is_due_after_the_months_of_the_policy(desk: Desk) -> None:
    decided(desk)
    assert desk.json(AUDITOR, "use", "evaluate", "--check")["evaluate_by"] is None, "nothing was used yet"
    desk.json(STEWARD, *REVEAL)
    assert desk.json(AUDITOR, "use", "evaluate", "--check")["overdue"] is False
    aged(desk)
    found = desk.json(AUDITOR, "use", "evaluate", "--check", status=1)
    assert (found["evaluate_by"], found["overdue"]) == ("2026-04-10", True)
    assert "crmctl use evaluated" in desk.say(AUDITOR, "use", "evaluate").stdout
    warned = [line for line in desk.json(ADMIN, "doctor")["findings"] if line["subject"] == "use"]
    assert [(line["level"], "2026-04-10" in line["message"]) for line in warned] == [("warns", True)]

    done = desk.json(SUPERVISOR, *JUDGED)
    assert (done["evaluation"], done["overdue"], done["last_evaluated_by"]) == (1, False, "wang.j")
    assert desk.json(AUDITOR, "use", "evaluate", "--check")["sum_uses"] == 0, "what was evaluated is left out"
    assert desk.json(AUDITOR, "use", "evaluate", "--from", "2026-01-01")["sum_uses"] == 1
    (entry,) = desk.entries("use.evaluated")
    assert (entry["codes"], entry["obj"], entry["counts"]["uses"]) == (
        ["NEED_MET", "PRIVACY_KEPT"], "evaluation:1", 1,
    )  # fmt: skip
    (row,) = desk.rows(select(use_evaluation))
    stored = repr(dict(row)).encode() + b"".join(desk.log())
    assert [value for value in PERSONAL if value.encode() in stored or value in repr(dict(row))] == []


def test_without_a_decision_nothing_is_due(desk: Desk) -> None:
    path = desk.folder / "policies" / "company.yaml"
    before, name, after = path.read_text("utf-8").partition("use_evaluation_months:\n      value: ")
    path.write_text(f"{before}{name}unset\n{after.partition(chr(10))[2]}", "utf-8")
    desk.json(STEWARD, *REVEAL)
    aged(desk)
    assert desk.json(AUDITOR, "use", "evaluate", "--check")["evaluate_by"] is None


@pytest.mark.parametrize("uid", [STEWARD, AUDITOR, ADMIN])
def test_who_uses_or_looks_does_not_judge(desk: Desk, uid: int) -> None:
    assert desk.refusal(uid, *JUDGED) in ("ACT_DENIED", "ACT_NOT_GRANTED")


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("use", "evaluated", "--need", "met", "--privacy", "kept", "--note", " "), 2),
        (("use", "evaluated", "--need", "maybe", "--privacy", "kept", "--note", "x"), 2),
        (("use", "evaluated", "--need", "met", "--privacy", "kept"), 2),
        (("use", "evaluate", "--from", "bald"), 4),
        (("use", "evaluate", "--from", "2026-03-01", "--to", "2026-02-01"), 4),
    ],
)
def test_what_does_not_fit(desk: Desk, words: tuple[str, ...], status: int) -> None:
    desk.refusal(SUPERVISOR, *words, status=status)
    assert desk.rows(select(use_evaluation)) == []


def test_doctor_knows_copies_that_are_overdue(desk: Desk, tmp_path: Path) -> None:
    desk.json(STEWARD, "customer", "export", "--fields", "name", "--recipient", "self", "--purpose", "contact",
              "--out", tmp_path / "f.csv")  # fmt: skip
    with write(desk.engine) as conn:
        conn.execute(update(copy_register).values(due_on="2026-01-31"))
    found = desk.json(ADMIN, "doctor")["findings"]
    assert [(line["level"], line["hint"]) for line in found if line["subject"] == "use"] == [
        ("warns", "crmctl use copies --due")
    ]
    assert desk.json(AUDITOR, "use", "evaluate")["sum_copies_overdue"] == 1


@given(st.dates(date(2020, 1, 1), date(2090, 1, 1)), st.integers(1, 60))
def test_months_later_is_the_same_day_or_the_last_of_the_month(day: date, months: int) -> None:
    later = _months_after(day, months)
    assert (later.year * 12 + later.month) - (day.year * 12 + day.month) == months
    assert later.day == day.day or (later.day < day.day and (later + timedelta(days=1)).day == 1)
