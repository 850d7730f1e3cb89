"""What the approval commands say: to programs, to people in both languages, and as they end."""

from __future__ import annotations

import csv
import io
import json

import golden
import pytest
from office import HASH, Office

LI, WANG, SUN = 1001, 1002, 1004

ROW = {
    "approval", "state", "act", "subject", "rows", "requested_by", "agreed", "people", "assurance", "created_at",
    "expires_at", "subject_hash", "run", "used_at", "used_run",
}  # fmt: skip
DECISION = {
    "decision", "person", "for", "assurance", "entered_by", "at", "document", "reason", "scan", "statement",
    "signature", "signers_hash", "evidence", "run",
}  # fmt: skip
DECIDED = {
    "schema", "run_id", "dry_run", "approval", "state", "decision", "person", "for", "assurance", "agreed", "people",
}  # fmt: skip


def numbers(office: Office, uid: int, *words: object) -> list[int]:
    """Return which approvals are listed."""
    return [row["approval"] for row in office.json(uid, "approval", "list", *words)["approvals"]]


def test_documents(office: Office) -> None:
    office.ask()
    (row,) = office.json(WANG, "approval", "list")["approvals"]
    assert row.keys() == ROW
    assert (row["state"], row["subject_hash"], row["expires_at"][-6:]) == ("open", HASH, "+08:00")
    assert office.json(WANG, "approval", "show", 1)["decisions"] == []
    assert office.approve(WANG, 1, "--dry-run").keys() == DECIDED
    assert office.state(1) == "open"
    assert office.approve(WANG, 1).keys() == DECIDED
    shown = office.json(WANG, "approval", "show", 1)
    assert shown.keys() == {"schema", *ROW, "run_id", "decisions", "may_decide", "why_not", "about"}
    assert shown["decisions"][0].keys() == DECISION
    assert office.json(WANG, "approval", "statement", 1, status=8)["code"] == "APPROVAL_APPROVED"


def test_lists(office: Office) -> None:
    office.ask(LI, "plan:1")
    office.ask(LI, "plan:2")
    office.ask(1005, "plan:3")
    office.ask(LI, "plan:4")
    office.approve(WANG, 2)
    office.age(4, 100)
    assert numbers(office, LI) == [4, 3, 2, 1]
    assert numbers(office, LI, "--mine") == [4, 2, 1]
    assert numbers(office, WANG, "--mine") == []
    assert numbers(office, WANG, "--open") == numbers(office, WANG, "--state", "open") == [3, 1]
    assert numbers(office, WANG, "--state", "approved") == [2]
    assert numbers(office, WANG, "--state", "expired") == [4]
    assert numbers(office, WANG, "--limit", 2) == [4, 3]
    assert numbers(office, WANG, "--limit", 2, "--before", 3) == [2, 1]
    sheet = csv.reader(io.StringIO(office.say(WANG, "approval", "list", "-o", "csv").stdout.lstrip("\ufeff")))
    assert len(list(sheet)) == 5


def test_who_may_see_whether_they_may_decide(office: Office) -> None:
    office.ask()
    told = {uid: office.json(uid, "approval", "show", 1) for uid in (LI, WANG, SUN)}
    assert {uid: (each["may_decide"], each["why_not"]) for uid, each in told.items()} == {
        LI: (False, "APPROVAL_OWN_REQUEST"),
        WANG: (True, None),
        SUN: (False, "APPROVAL_NOT_ASKED"),
    }


@pytest.mark.parametrize("verb", ["show", "statement", "approve", "reject", "revoke"])
def test_an_approval_there_is_not(office: Office, verb: str) -> None:
    words = ("--reason", "r") if verb in ("reject", "revoke") else ()
    assert office.json(WANG, "approval", verb, 9, *words, status=1)["code"] == "APPROVAL_UNKNOWN"


def test_usage(office: Office) -> None:
    office.ask()
    wrong = (
        ["list", "--open", "--state", "used"], ["list", "--state", "lost"], ["show", "x"], ["show", "0"],
        ["reject", "1"], ["revoke", "1", "--reason", "  "], ["approve", "1", "--by", "chen.b"],
    )  # fmt: skip
    assert [office.say(WANG, "approval", *words).exit_code for words in wrong] == [2] * len(wrong)


def test_a_statement_is_the_same_for_people_and_programs(office: Office) -> None:
    office.ask()
    office.access(rule="by: [supervisor], assurance: authenticated")
    shown = office.say(WANG, "approval", "statement", 1).stdout
    assert office.json(WANG, "approval", "statement", 1)["statement"] == shown
    head, body, rest = shown.split("\n")
    assert (head, rest) == ("crmctl-approval-v1", "")
    assert json.loads(body)["person"] == "wang.j"
    assert office.json(LI, "approval", "statement", 1, status=6)["code"] == "APPROVAL_OWN_REQUEST"


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_what_people_see(office: Office, lang: str, kind: str) -> None:
    if kind != "sqlite":
        pytest.skip("the same words on both")
    office.access(rule="by: [supervisor], people: 2, assurance: recorded")
    office.ask()
    said = [
        (LI, ["approval", "list", "--open"]),
        (LI, ["approval", "approve", "1"]),
        (WANG, ["approval", "approve", "1", "--reason", "as agreed"]),
        (WANG, ["approval", "approve", "1"]),
        (1005, ["approval", "approve", "1", "--by", "chen.b", "--document", "OA-20261"]),
        (LI, ["approval", "show", "1"]),
        (LI, ["approval", "revoke", "1", "--reason", "r"]),
        (WANG, ["approval", "approve", "1"]),
        (LI, ["approval", "list"]),
    ]
    env = {"CRMCTL_LANG": lang, "COLUMNS": "200"}
    text = ""
    for uid, words in said:
        done = office.say(uid, *words, env=env)
        lines = [*done.stdout.splitlines(), *(f"! {line}" for line in done.stderr.splitlines())]
        text += f"# uid {uid}\n$ crmctl {' '.join(words)}\n" + "".join(f"{line}\n" for line in lines)
        text += f"[exit {done.exit_code}]\n\n"
    replace = {r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+08:00": "YYYY-MM-DDTHH:MM:SS+08:00"}
    golden.check(f"approval.{lang}", text, replace)
