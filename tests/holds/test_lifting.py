"""`hold lift`, `hold list`, `hold show`: what is over, who is let out, what stays on record (DES-07)."""

from __future__ import annotations

import json
from typing import Any

import golden
import pytest
from desks import ADMIN, AUDITOR, STEWARD, SUPERVISOR, Desk
from holdwork import SET, hold, items, planned, text
from sqlalchemy import select

from crmctl import clock
from crmctl.audit.tables import change
from crmctl.holds import writing
from crmctl.holds.tables import legal_hold

OVER = "稽查结束"


def lift(desk: Desk, *words: object, uid: int = SUPERVISOR, status: int = 0) -> dict[str, Any]:
    """Lift a hold; return the document, or the failure."""
    return desk.json(uid, "hold", "lift", *words, "--reason", text(desk, OVER), status=status)


def versions(desk: Desk, customer: int) -> list[tuple[str, int]]:
    """Return what was done to a customer's item of a hold, and the versions."""
    columns = change.c
    query = select(columns.operation, columns.version).where(
        columns.object == "hold_item", columns.customer_id == customer
    )
    return [(row["operation"], row["version"]) for row in desk.rows(query.order_by(columns.change_id))]


def test_all_of_it_is_lifted(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """In chunks; with the last customer the hold itself is over, and who lifted it and why is on record."""
    hold(desk, 1, 2, 3)
    monkeypatch.setattr(writing, "CHUNK", 2)
    done = lift(desk, 1)
    assert [done[name] for name in ("hold", "lifted", "absent", "whole", "dry_run")] == [1, 3, 0, True, False]
    assert items(desk) == []
    shown = desk.json(AUDITOR, "hold", "show", 1)
    assert (shown["lifted_by"], shown["customers"], shown["first"]) == ("wang.j", 0, [])
    assert [(note["what"], note["text"], note["person"]) for note in shown["notes"]] == [("lifted", OVER, "wang.j")]
    assert [(entry["obj"], entry["n"]) for entry in desk.entries("hold.lift")] == [("hold:1", 2), ("hold:1", 1)]
    assert lift(desk, 1, status=1)["code"] == "HOLD_LIFTED"
    assert lift(desk, 9, status=1)["code"] == "HOLD_UNKNOWN"


def test_some_are_let_out_and_held_again(desk: Desk) -> None:
    """The changes of a customer's item go on counting, whatever happened between."""
    hold(desk, 1, 2)
    done = lift(desk, 1, 1, 3)
    assert [done[name] for name in ("lifted", "absent", "whole")] == [1, 1, False]
    assert items(desk) == [(2, 1)]
    desk.json(STEWARD, *SET, 1, "--hold", 1, "--reason", text(desk, OVER))
    assert versions(desk, 1) == [("create", 1), ("destroy", 2), ("create", 3)]
    assert desk.problems() == []
    assert lift(desk, 1, 1, 2)["whole"], "nobody is left under it"
    assert versions(desk, 1)[-1] == ("destroy", 4)
    (row,) = desk.rows(select(legal_hold))
    assert (row["lifted_by"], row["version"]) == ("wang.j", 4)


def test_who_is_not_under_it(desk: Desk) -> None:
    hold(desk, 1)
    before = len(desk.entries("hold.lift"))
    assert lift(desk, 1, 2, status=1)["code"] == "NOT_HELD"
    assert lift(desk, 1, 99, status=1)["code"] == "CUSTOMER_UNKNOWN"
    assert items(desk) == [(1, 1)] and len(desk.entries("hold.lift")) == before + 1, "the unknown customer alone"
    assert desk.say(SUPERVISOR, "hold", "lift", 1).exit_code == 2, "without a reason"


def test_a_hold_on_everybody_is_lifted_as_a_whole(desk: Desk) -> None:
    hold(desk, "--everybody", kind="audit")
    assert lift(desk, 1, 1, status=1)["code"] == "HOLD_EVERYBODY"
    assert desk.json(AUDITOR, "hold", "list", "--customer", 2)["kept"] == ["audit"]
    done = lift(desk, 1)
    assert (done["everybody"], done["lifted"], done["whole"]) == (True, 0, True)
    assert desk.json(AUDITOR, "hold", "list", "--customer", 2)["kept"] == []


def test_a_dry_run_lifts_nothing(desk: Desk) -> None:
    hold(desk, 1, 2)
    before = len(desk.log())
    assert [lift(desk, 1, "-n")[name] for name in ("run_id", "lifted", "whole")] == [None, 2, True]
    assert [lift(desk, 1, 1, "-n")[name] for name in ("run_id", "lifted", "whole")] == [None, 1, False]
    assert (items(desk), len(desk.log())) == ([(1, 1), (2, 1)], before)


def test_lists(desk: Desk) -> None:
    """In force and newest first, unless asked for more; of a customer also the holds it was under once."""
    hold(desk, 1, 2)
    hold(desk, 2, 3, kind="audit")
    hold(desk, 1, kind="appeal")
    lift(desk, 2, 2)
    lift(desk, 3)

    def listed(*words: object) -> list[int]:
        return [row["hold"] for row in desk.json(AUDITOR, "hold", "list", *words)["holds"]]

    assert listed() == [2, 1]
    assert listed("--all") == [3, 2, 1]
    assert listed("--kind", "audit") == [2]
    assert listed("--customer", 2) == [1]
    assert listed("--customer", 2, "--all") == [2, 1]
    assert listed("--customer", 1, "--all", "--kind", "appeal") == [3]
    assert listed("--limit", 1) == [2] and listed("--before", 2) == [1]
    found = desk.json(AUDITOR, "hold", "list", "--limit", 1)
    assert (found["next"], found["holds"][0]["customers"]) == (2, 1)
    assert desk.entries("hold.list")[-1]["n"] == 1
    assert desk.refusal(AUDITOR, "hold", "list", "--customer", 99, status=1) == "CUSTOMER_UNKNOWN"


def test_as_people_see_it(desk: Desk) -> None:
    hold(desk, 1, 2, "--review-on", "2099-06-30", "--authority", text(desk, "市税务局"))
    desk.json(STEWARD, *SET, 3, "--hold", 1, "--reason", text(desk, "案件扩大"))
    lift(desk, 1, 2)
    english = desk.say(AUDITOR, "hold", "show", 1).stdout
    for part in (
        "legal proceedings",
        "市税务局",
        "li.na",
        "2099-06-30",
        "案件扩大",
        "wang.j",
        OVER,
        "C-000001, C-000003",
    ):
        assert part in english
    chinese = desk.say(AUDITOR, "hold", "list", "--customer", 1, "--lang", "zh").stdout
    assert "法律程序" in chinese and "legal" not in chinese
    assert "everybody" not in desk.say(ADMIN, "hold", "list", "--lang", "zh").stdout


def test_doctor_names_holds_that_were_to_be_reviewed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line for all of them; a lifted one needs no review."""
    hold(desk, 1, "--review-on", "2099-06-30")
    hold(desk, 2, "--review-on", "2099-01-31")
    hold(desk, 3, "--review-on", "2099-01-30")
    lift(desk, 3)

    def said() -> list[tuple[str, str]]:
        done = desk.say(ADMIN, "doctor", "-o", "json")
        return [
            (found["message"], found["hint"])
            for found in json.loads(done.stdout)["findings"]
            if found["subject"] == "holds"
        ]

    assert said() == []
    day = clock.now().replace(year=2099, month=6, day=30)
    monkeypatch.setattr(clock, "now", lambda: day.replace(hour=1))
    assert said() == [("holds whose review day has passed: 1 (2)", "crmctl hold show 2")], "on the day itself not yet"
    monkeypatch.setattr(clock, "now", lambda: day.replace(month=7, day=2))
    assert said() == [("holds whose review day has passed: 2 (2, 1)", "crmctl hold show 2")]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_transcript(desk: Desk, lang: str) -> None:
    """What a person sees from the first hold to the last, word for word."""
    why, over = text(desk, "税务稽查"), text(desk, "稽查已结束")
    planned(desk, 3)
    said = ""
    for uid, words in (
        (STEWARD, f"hold set C-1 C-2 --kind audit --reason {why} --review-on 2099-06-30 --dry-run"),
        (STEWARD, f"hold set C-1 C-2 --kind audit --reason {why} --review-on 2099-06-30"),
        (STEWARD, f"hold set C-3 --kind legal --reason {why}"),
        (STEWARD, f"hold set C-99 --kind legal --reason {why}"),
        (STEWARD, f"hold set --everybody --kind incident --reason {why}"),
        (STEWARD, f"hold lift 2 --reason {over}"),
        (SUPERVISOR, f"hold lift 2 --reason {over}"),
        (SUPERVISOR, f"hold lift 1 C-1 C-3 --reason {over}"),
        (AUDITOR, "hold list --all"),
        (AUDITOR, "hold list --customer C-2"),
        (AUDITOR, "hold show 1"),
        (SUPERVISOR, f"hold lift 1 --reason {over}"),
        (SUPERVISOR, f"hold lift 1 --reason {over}"),
    ):
        done = desk.say(uid, *words.split(), env={"CRMCTL_LANG": lang, "COLUMNS": "80"})
        lines = [*done.stdout.splitlines(), *(f"! {line}".rstrip() for line in done.stderr.splitlines())]
        shown = words.replace(str(desk.folder.parent), "")
        said += f"$ crmctl {shown}\n" + "".join(f"{line}\n" for line in lines) + f"[exit {done.exit_code}]\n\n"
    golden.check(f"hold.{lang}", said, {r"\d{4}-\d\d-\d\d \d\d:\d\d": "YYYY-MM-DD HH:MM"})
