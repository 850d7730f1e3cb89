"""`use list`, `show`, `record`, `copies`, `destroyed` (USE-02, ACC-07, the register of copies)."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from desks import ADMIN, AUDITOR, OTHER, PERSONAL, STEWARD, SUPERVISOR, Desk, imported
from sqlalchemy import select, update

from crmctl import clock
from crmctl.store.engine import write
from crmctl.use.tables import copy_register, use_record, use_request

FIELDS = "company_name,name,mobile"
REVEAL = ("customer", "show", 1, "--reveal", "mobile", "--purpose", "contact")
REQUEST = ("use", "request", "--fields", FIELDS, "--recipient", "sales", "--purpose", "contact", "--manner", "phone",
           "--responsible", "1001", "--why", "请王小明回电")  # fmt: skip


def export(desk: Desk, name: str = "out.csv", *words: object) -> Path:
    """Export everybody."""
    out = desk.folder.parent / name
    given = words or ("--fields", FIELDS, "--recipient", "sales", "--purpose", "contact")
    done = desk.say(STEWARD, "customer", "export", *given, "--out", out)
    assert done.exit_code == 0, done
    return out


def copies(desk: Desk, *words: object, uid: int = STEWARD) -> list[dict[str, Any]]:
    """Return what `use copies` lists."""
    found: list[dict[str, Any]] = desk.json(uid, "use", "copies", *words)["copies"]
    return found


# Requests ---------------------------------------------------------------------------------------------------------


def test_a_request_says_what_for_how_and_who_answers_for_it(desk: Desk) -> None:
    asked = desk.json(STEWARD, *REQUEST)

    (row,) = desk.json(AUDITOR, "use", "list")["requests"]
    wanted = {
        "use": asked["use"], "person": "li.na", "purpose": "contact", "manner": "phone", "responsible": "1001",
        "recipient": "sales", "fields": FIELDS.split(","), "customers": 3, "state": "open", "approval": None,
    }  # fmt: skip
    assert wanted.items() <= row.items()
    (entry,) = desk.entries("use.request")
    assert {"use": 1, "n": 3, "purpose": "contact", "recipient": "sales", "fields": FIELDS.split(",")}.items() <= (
        entry.items()
    )


def test_why_is_sealed_and_shown_to_who_may_see_it(desk: Desk) -> None:
    desk.json(STEWARD, *REQUEST)
    assert desk.json(SUPERVISOR, "use", "show", 1)["why"] == "请王小明回电"
    stored = repr(desk.rows(select(use_request))).encode() + b"".join(desk.log())
    assert [value for value in PERSONAL if value.encode() in stored] == []
    assert "王小明".encode("unicode_escape") not in stored


@pytest.mark.parametrize(
    ("option", "value", "code", "status"),
    [
        ("--purpose", "advertising", "PURPOSE_FORBIDDEN", 6),
        ("--recipient", "contractor", "RECIPIENT_OUTSIDE", 6),
        ("--manner", "pigeon", "MANNER_UNKNOWN", 4),
        ("--fields", "nothing", "FIELD_UNKNOWN", 4),
        ("--responsible", "some body", "RESPONSIBLE_INVALID", 4),
        ("--why", " ", "USAGE", 2),
    ],
)
def test_what_cannot_be_asked_for(desk: Desk, option: str, value: str, code: str, status: int) -> None:
    words = [*REQUEST]
    words[words.index(option) + 1] = value
    assert desk.refusal(STEWARD, *words, status=status) == code
    assert desk.rows(select(use_request)) == []
    assert [entry["result"] for entry in desk.entries("use.request")] == (["denied"] if status == 6 else [])


def test_who_may_not_ask(desk: Desk) -> None:
    assert desk.refusal(AUDITOR, *REQUEST) == "ACT_NOT_GRANTED"
    assert desk.refusal(ADMIN, "use", "record", "R-1", "--result", "done") == "ACT_NOT_GRANTED"


# Records and their results ----------------------------------------------------------------------------------------


def test_every_use_has_a_record_and_later_its_result(desk: Desk) -> None:
    revealed = desk.json(STEWARD, *REVEAL)
    export(desk)
    found = desk.json(AUDITOR, "use", "list", "--records")["records"]
    assert [(each["record"], each["act"], each["customers"], each["result"]) for each in found] == [
        (2, "customer.export", 3, None), (1, "customer.reveal", 1, None),
    ]  # fmt: skip

    words = ("use", "record", f"R-{revealed['use_record']}", "--result", "已按目的使用", "--note", "已联系王小明")
    assert desk.json(STEWARD, *words)["records"][0]["result"] == "done"

    left = desk.json(AUDITOR, "use", "list", "--records", "--open")
    assert ([each["record"] for each in left["records"]], left["evaluated_every_months"]) == ([2], 3)
    assert desk.refusal(STEWARD, *words, status=1) == "USE_SETTLED"
    (entry,) = [entry for entry in desk.entries("use.record") if entry["result"] == "done"]
    assert (entry["obj"], entry["purpose"]) == ("use_record:1", "contact")
    stored = repr(desk.rows(select(use_record))).encode() + b"".join(desk.log())
    assert [value for value in PERSONAL if value.encode() in stored] == []


def test_the_result_of_a_request_is_that_of_all_that_was_used_under_it(desk: Desk) -> None:
    desk.json(STEWARD, *REQUEST)
    assert desk.refusal(STEWARD, "use", "record", 1, "--result", "done", status=1) == "USE_OPEN"
    export(desk, "out.csv", "--use", 1)
    done = desk.json(STEWARD, "use", "record", 1, "--result", "partly", "--note", "一半")
    assert [(each["use"], each["result"]) for each in done["records"]] == [(1, "partly")]
    shown = desk.json(STEWARD, "use", "show", 1)
    assert (shown["request"]["state"], shown["notes"], shown["records"][0]["result"]) == ("used", ["一半"], "partly")


@pytest.mark.parametrize(
    ("uid", "which", "result", "code", "status"),
    [
        (OTHER, "R-1", "done", "USE_NOT_YOURS", 6),
        (STEWARD, "R-9", "done", "USE_RECORD_UNKNOWN", 1),
        (STEWARD, "9", "done", "USE_UNKNOWN", 1),
        (STEWARD, "R-1", "great", "RESULT_UNKNOWN", 4),
        (STEWARD, "it", "done", "NUMBER_INVALID", 4),
    ],
)
def test_what_cannot_be_recorded(desk: Desk, uid: int, which: str, result: str, code: str, status: int) -> None:
    desk.json(STEWARD, *REVEAL)
    assert desk.refusal(uid, "use", "record", which, "--result", result, status=status) == code
    assert desk.rows(select(use_record))[0]["result"] is None


# The register of copies -------------------------------------------------------------------------------------------


def test_a_copy_has_its_day_and_is_destroyed_once(desk: Desk) -> None:
    out = export(desk)
    (copy,) = copies(desk, "--check")
    assert (copy["found"], copy["path"], copy["sha256"]) == ("there", str(out), sha256(out.read_bytes()).hexdigest())
    assert copy["due_on"] > copy["at"][:10]

    assert desk.refusal(STEWARD, "use", "destroyed", copy["copy"], status=1) == "COPY_THERE"
    out.unlink()
    assert copies(desk, "--check")[0]["found"] == "gone"
    done = desk.json(OTHER, "use", "destroyed", copy["copy"])["copies"][0]
    assert (done["destroyed_by"], done["destroyed_at"] is None) == ("he.l", False)

    assert copies(desk) == []
    assert copies(desk, "--all", "--check")[0]["found"] == "destroyed"
    assert desk.refusal(STEWARD, "use", "destroyed", copy["copy"], status=1) == "COPY_DESTROYED"
    assert desk.refusal(STEWARD, "use", "destroyed", 99, status=1) == "COPY_UNKNOWN"
    (entry,) = [each for each in desk.entries("use.destroyed") if each["result"] == "done"]
    assert (entry["obj"], entry["source"]) == (f"copy:{copy['copy']}", copy["sha256"])


def test_a_copy_that_was_changed_is_seen(desk: Desk) -> None:
    out = export(desk)
    out.write_text("something else", "utf-8")
    assert copies(desk, "--check")[0]["found"] == "changed"
    out.unlink()
    out.symlink_to("/etc/hostname")
    assert copies(desk, "--check")[0]["found"] == "unseen"


def test_copies_that_are_due(desk: Desk) -> None:
    export(desk)
    assert copies(desk, "--due") == []
    with write(desk.engine) as conn:
        yesterday = (clock.now() - timedelta(days=1)).date().isoformat()
        conn.execute(update(copy_register).values(due_on=yesterday))
    listed = desk.json(STEWARD, "use", "copies", "--due")
    assert (len(listed["copies"]), listed["due"]) == (1, 1)


def test_without_a_decision_how_long_a_copy_has_no_day(desk: Desk) -> None:
    desk.edit("company.yaml", "      value: 30\n      unit: days\n      labels: {zh: 导出副本保留期限",
              "      value: unset\n      unit: days\n      labels: {zh: 导出副本保留期限")  # fmt: skip
    export(desk)
    assert copies(desk)[0]["due_on"] is None


def test_rejected_rows_are_copies_too(desk: Desk) -> None:
    rejects = desk.folder.parent / "rejects.csv"
    done = imported(desk.folder, "type,name,mobile\nindividual,,1391\n", "--rejects", rejects)
    assert done.exit_code == 3
    again = desk.folder.parent / "again.csv"
    assert desk.say(STEWARD, "batch", "rejects", 2, "--export", again).exit_code == 0

    found = copies(desk, "--check")

    assert [(each["kind"], each["batch"], each["found"], each["path"]) for each in found] == [
        ("rejects", 2, "there", str(again)), ("rejects", 2, "there", str(rejects)),
    ]  # fmt: skip
    assert [each["bytes"] for each in found] == [again.stat().st_size, rejects.stat().st_size]
    assert all(each["due_on"] for each in found)


def test_every_list_is_logged(desk: Desk) -> None:
    for words in (("use", "list"), ("use", "list", "--records", "--mine"), ("use", "copies", "--check")):
        desk.json(AUDITOR, *words)
    assert [entry["actor"]["person"] for entry in desk.entries("use.list")] == ["an.q", "an.q"]
    assert len(desk.entries("use.copies")) == 1
