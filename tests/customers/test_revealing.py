"""`customer show --reveal`: in clear only what was asked for, for an allowed purpose, after the log has it."""

from __future__ import annotations

import json
import resource
from pathlib import Path
from typing import Any

import pytest
import workspaces
from desks import AUDITOR, CUSTOMERS, PERSONAL, STEWARD, SUPERVISOR, Desk
from golden import Result, call, spawn
from sqlalchemy import select

from crmctl.audit import entries
from crmctl.cli import render
from crmctl.store import engine
from crmctl.use.tables import use_record

REVEAL = ("customer", "show", 1, "--reveal", "mobile,email", "--purpose", "contact")


def leaked(result: Result) -> list[str]:
    """Return the personal values in what a command said."""
    return [value for value in PERSONAL if value in result.stdout + result.stderr]


def test_only_what_is_named_is_in_clear(desk: Desk) -> None:
    shown = desk.json(STEWARD, *REVEAL)

    first, second = shown["contacts"]
    assert (first["mobile"], first["email"]) == ("+8613812345678", "wang.xm@example.com")
    assert (second["mobile"], second["email"]) == ("+8613912345679", "li.sg@example.com")
    assert (first["name"], shown["personal"]["address"]) == ("王*", "西湖区***")
    assert (shown["revealed"], shown["purpose"], shown["masked"]) == (["mobile", "email"], "contact", True)


def test_a_field_without_a_value_is_said(desk: Desk) -> None:
    """Else nobody sees why what was asked for is not there."""
    done = desk.say(STEWARD, "customer", "show", 3, *REVEAL[3:])
    assert (done.exit_code, "email" in done.stderr, "mobile" in done.stderr) == (0, True, False), done
    assert desk.say(STEWARD, *REVEAL).stderr == ""


def test_the_entry_says_who_what_and_what_for_and_no_value(desk: Desk) -> None:
    shown = desk.json(STEWARD, *REVEAL[:-1], "联系客户", "--ticket", "CRM-4711")

    (entry,) = desk.entries("customer.reveal")
    assert entry["actor"]["person"] == "li.na"
    wanted = {"obj": "customer:1", "n": 1, "fields": ["mobile", "email"], "purpose": "contact", "ticket": "CRM-4711"}
    assert wanted.items() <= entry.items()
    assert (entry["result"], entry["run"]) == ("done", shown["run_id"])
    (record,) = desk.rows(select(use_record))
    assert (record["record_id"], record["person"], record["purpose"], record["rows"], record["run_id"]) == (
        shown["use_record"], "li.na", "contact", 1, shown["run_id"],
    )  # fmt: skip
    assert [value for value in PERSONAL if value.encode() in b"".join(desk.log())] == []


def test_the_entry_is_committed_before_anything_is_shown(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    emit = render.emit

    def watched(*words: Any) -> None:
        seen.append(len(desk.entries("customer.reveal")) + len(desk.rows(select(use_record))))
        emit(*words)

    monkeypatch.setattr(render, "emit", watched)
    desk.json(STEWARD, *REVEAL)
    assert seen == [2]


@pytest.mark.parametrize("purpose", ["competition", "advertising", "unfair_competition", "other", "广告投放", "出售"])
def test_forbidden_purposes_are_refused_and_logged(desk: Desk, purpose: str) -> None:
    assert desk.refusal(STEWARD, *REVEAL[:-1], purpose) == "PURPOSE_FORBIDDEN"

    (entry,) = desk.entries("customer.reveal")
    assert (entry["result"], entry["codes"], entry["obj"]) == ("denied", ["PURPOSE_FORBIDDEN"], "customer:1")
    assert entry["purpose"] in ("competition", "advertising", "unfair_competition", "other")
    assert desk.rows(select(use_record)) == []


@pytest.mark.parametrize("uid", [AUDITOR, SUPERVISOR])
def test_who_may_look_may_not_therefore_reveal(desk: Desk, uid: int) -> None:
    assert desk.say(uid, "customer", "show", 1).exit_code == 0
    assert desk.refusal(uid, *REVEAL) in ("ACT_DENIED", "ACT_NOT_GRANTED")
    assert [entry["result"] for entry in desk.entries("customer.reveal")] == ["denied"]


@pytest.mark.parametrize(
    ("words", "code", "status"),
    [
        (("3", "--reveal", "id_card", "--purpose", "contact"), "FIELD_NOT_FOR_PURPOSE", 6),
        (("2", "--reveal", "name", "--purpose", "analysis"), "FIELD_NOT_FOR_PURPOSE", 6),
        (("2", "--reveal", "mobil", "--purpose", "contact"), "FIELD_UNKNOWN", 4),
        (("2", "--reveal", "first_name", "--purpose", "contact"), "FIELD_UNKNOWN", 4),
        (("2", "--reveal", ",", "--purpose", "contact"), "USAGE", 2),
        (("2", "--reveal", "mobile"), "USAGE", 2),
        (("2", "--purpose", "contact"), "USAGE", 2),
        (("2", "--reveal", "mobile", "--purpose", "fun"), "PURPOSE_UNKNOWN", 4),
        (("2", "--reveal", "mobile", "--purpose", "complaint"), "TICKET_MISSING", 4),
        (("2", "--reveal", "mobile", "--purpose", "complaint", "--ticket", "13812345678"), "TICKET_INVALID", 4),
    ],
)
def test_what_is_refused_shows_nothing(desk: Desk, words: tuple[str, ...], code: str, status: int) -> None:
    words = (("2",) if words[0] == "3" else words[:1]) + words[1:]
    done = desk.say(STEWARD, "customer", "show", *words, "-o", "json")
    assert (done.exit_code, done.stdout, json.loads(done.stderr)["code"]) == (status, "", code)
    assert leaked(done) == []
    denied = [entry["codes"] for entry in desk.entries("customer.reveal")]
    assert denied == ([[code]] if status == 6 else [])


def test_a_sensitive_field_for_a_purpose_that_needs_it(desk: Desk) -> None:
    words = ("customer", "show", 2, "--reveal", "身份证号", "--purpose", "contract", "--ticket", "HT-2026")
    assert desk.json(STEWARD, *words)["personal"]["id_card"] == "110101199003078515"


def test_a_role_that_sees_nothing_of_a_class_reveals_nothing_of_it(desk: Desk) -> None:
    fields = "fields: {view: [open, internal], mask: [personal, sensitive], export: [open, internal, personal]}"
    desk.edit("access.yaml", fields, "fields: {view: [open, internal], mask: [personal]}")
    words = ("customer", "show", 2, "--reveal", "id_card", "--purpose", "contract", "--ticket", "HT-2026")
    assert desk.refusal(STEWARD, *words) == "FIELD_DENIED"


def test_a_customer_that_is_not_there_and_one_out_of_reach_are_answered_alike(desk: Desk) -> None:
    desk.edit("access.yaml", "      scope: all\n      fields: {view: [open, internal], mask: [personal, sensitive], e",
              "      scope: own\n      fields: {view: [open, internal], mask: [personal, sensitive], e")  # fmt: skip
    foreign = desk.say(STEWARD, *REVEAL)
    missing = desk.say(STEWARD, "customer", "show", 99, *REVEAL[3:])
    assert (foreign.exit_code, foreign.stdout) == (missing.exit_code, missing.stdout) == (1, "")
    assert foreign.stderr.replace("C-000001", "C-000099") == missing.stderr
    first, second = desk.entries("customer.reveal")
    assert first.keys() - {"obj"} == second.keys() - {"obj"}
    assert (first["n"], first["codes"]) == (second["n"], second["codes"])


def test_beyond_the_daily_limit_nothing_is_shown(desk: Desk) -> None:
    desk.edit("access.yaml", "{customer.reveal: 100/day", "{customer.reveal: 2/day")
    desk.json(STEWARD, *REVEAL)
    desk.json(STEWARD, "customer", "show", 2, *REVEAL[3:])

    done = desk.say(STEWARD, *REVEAL, "-o", "json")

    assert (done.exit_code, done.stdout, json.loads(done.stderr)["code"]) == (6, "", "LIMIT_REACHED")
    assert [entry["result"] for entry in desk.entries("customer.reveal")] == ["done", "done", "denied"]
    assert len(desk.rows(select(use_record))) == 2


def test_nothing_is_shown_when_the_log_cannot_be_written(desk: Desk) -> None:
    with desk.broken_log():
        done = desk.say(STEWARD, *REVEAL, "-o", "json")
        table = desk.say(STEWARD, *REVEAL)
        denied = desk.say(STEWARD, *REVEAL[:-1], "advertising", "-o", "json")
    for each in (done, table, denied):
        assert each.exit_code in (11, 13, 70, 74), each
        assert (each.stdout, leaked(each)) == ("", []), each
    assert desk.entries("customer.reveal") == []
    assert desk.rows(select(use_record)) == []


def test_nothing_is_shown_while_somebody_else_writes(desk: Desk) -> None:
    with engine.write(desk.engine) as conn:
        entries.settle(conn)  # the log's end stays taken
        done = desk.say(STEWARD, *REVEAL, "-o", "json", "--lock-timeout", "0.2")
    assert (done.exit_code, done.stdout, leaked(done)) == (11, "", [])
    assert desk.entries("customer.reveal") == []


def test_nothing_is_shown_when_the_disk_is_full(tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk."""
    folder = workspaces.make(tmp_path / "crm", demo=True)
    source = tmp_path / "customers.csv"
    source.write_text(CUSTOMERS, "utf-8")
    assert call(["-w", str(folder), "customer", "import", str(source)]).exit_code == 0

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))

    done = spawn(["-w", str(folder), *map(str, REVEAL), "-o", "json"], preexec_fn=limited)
    assert (done.exit_code, done.stdout, leaked(done)) == (74, "", []), done
    assert call(["-w", str(folder), *map(str, REVEAL)]).exit_code == 0
