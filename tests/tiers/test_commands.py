"""What the tier commands say: to programs, to people in both languages, and as they end."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from typing import Any

import golden
import pytest
from company import Company

REGRADE = {
    "schema", "run_id", "dry_run", "plan", "findings", "graded", "changed", "unchanged", "undecided", "waiting",
    "recovered", "exempt", "reported", "missed", "approval", "matrix", "matrix_reported", "moves_listed", "moves",
}  # fmt: skip
KEYS = {
    ("tier", "regrade"): REGRADE,
    ("tier", "regrade", "--dry-run"): REGRADE,
    ("tier", "regrade", "--plan"): REGRADE,
    ("tier", "override", "2", "--pin", "core", "--reason", "r"): REGRADE,
    ("tier", "explain", "2"): {
        "schema", "run_id", "customer", "tier", "policy", "decision", "cause", "rule", "clauses", "inputs", "rules",
        "near_misses", "score", "override", "waiting_since", "exception",
    },
    ("tier", "history", "2"): {"schema", "run_id", "customer", "changes"},
    ("tier", "overrides"): {"schema", "run_id", "overrides"},
    ("tier", "findings"): {"schema", "run_id", "findings"},
    ("tier", "summary"): {"schema", "run_id", "tiers"},
    ("tier", "list"): {"schema", "run_id", "tiers"},
}  # fmt: skip
ROWS = {
    ("tier", "regrade", "moves"): {
        "customer", "action", "from", "to", "rule", "override", "inputs", "reported",
    },
    ("tier", "findings", "findings"): {
        "customer", "finding", "action", "from", "to", "policy", "version", "rule", "override", "inputs", "found_at",
        "plan",
    },
    ("tier", "history", "changes"): {
        "at", "effective_at", "from", "to", "cause", "policy", "version", "rule", "inputs", "person", "run",
    },
    ("tier", "overrides", "overrides"): {"customer", "kind", "tier", "until", "person", "reason"},
    ("tier", "list", "tiers"): {
        "policy", "rank", "tier", "label", "who", "contact", "services", "care", "source",
    },
}  # fmt: skip
EVERYWHERE = (["tier", "regrade", "-n"], ["tier", "regrade"], ["tier", "explain", "2"], ["tier", "summary"])
# What is no word of a language: numbers, names of files and places in them, names people gave, codes.
NO_WORDS = (
    r"C-\d+|tiers\.yaml:\d+|tiers\[\d+\]|\btiers\b|--[a-z-]+|-o csv|"
    r"\bli\.na\b|\b(core|important|ordinary|potential)\b"
)


@pytest.fixture
def kind() -> str:
    """One database: what is said is the same on both."""
    return "sqlite"


@pytest.fixture
def company(company: Company) -> Company:
    """The person at work is li.na, whoever runs the tests."""
    access = company.folder / "policies" / "access.yaml"
    text, count = re.subn(r'^    ".+":$', '    "li.na":', access.read_text("utf-8"), flags=re.M)
    assert count == 1
    access.write_text(text, "utf-8")
    return company


def test_what_programs_read(company: Company) -> None:
    company.regrade()
    company.declare(K001="5")
    for words, keys in KEYS.items():
        told = company.json(*words)
        assert set(told) == keys, words
        assert told["schema"] == f"crmctl/{'-'.join(words[:2])}/1"
        for key, value in told.items():
            wanted = ROWS.get((*words[:2], key))
            if wanted is not None:
                assert all(set(row) == wanted for row in value), (words, key)
    assert company.json("tier", "summary")["tiers"] == {
        "core": 3, "important": 2, "ordinary": 5, "potential": 2, "none": 0,
    }  # fmt: skip


def test_moves_as_a_sheet_and_as_lines(company: Company) -> None:
    """A dry run lists every move, however few a person would be shown."""
    lines = company.say("tier", "regrade", "-n", "-o", "ndjson", "--limit", "1").stdout.splitlines()
    assert [json.loads(line)["customer"] for line in lines] == list(range(1, 13))
    told = company.say("tier", "regrade", "-n", "-o", "csv").stdout
    rows = list(csv.DictReader(io.StringIO(told.lstrip("\ufeff"))))
    assert [row["New tier"] for row in rows][:3] == ["Core", "Important", "Core"]
    assert len(rows) == 12
    few = company.regrade("-n", "--limit", 2)
    assert (len(few["moves"]), few["moves_listed"]) == (2, 2)
    assert company.regrade("-n", "--limit", 0)["moves"] == []


def test_what_is_not_listed_is_counted(company: Company) -> None:
    assert "… and 10 more" in company.say("tier", "regrade", "-n", "--limit", "2").stdout
    assert "more" not in company.say("tier", "regrade", "-n", "--limit", "12").stdout


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        (["regrade", "--apply", "7"], 1, "PLAN_UNKNOWN"),
        (["regrade", "--plan", "--dry-run"], 2, "USAGE"),
        (["regrade", "--plan", "--apply", "1"], 2, "USAGE"),
        (["regrade", "--apply", "1", "--customer", "1"], 2, "USAGE"),
        (["regrade", "--apply", "1", "--as-of", "2026-01-05"], 2, "USAGE"),
        (["regrade", "--max-changes", "-1"], 2, "USAGE"),
        (["regrade", "--as-of", "2999-01-01"], 4, "AS_OF_FUTURE"),
        (["regrade", "--as-of", "yesterday"], 4, "AS_OF_INVALID"),
        (["explain", "99"], 1, "CUSTOMER_UNKNOWN"),
        (["explain", "nobody"], 4, "NUMBER_INVALID"),
        (["history", "99"], 1, "CUSTOMER_UNKNOWN"),
        (["history", "1", "--limit", "0"], 2, "USAGE"),
        (["regrade", "-o", "yaml"], 2, "USAGE"),
        (["regrde"], 2, "USAGE"),
    ],
)
def test_how_it_ends(company: Company, words: list[str], status: int, code: str) -> None:
    done = company.say("tier", *words, *([] if "-o" in words else ["-o", "json"]))
    assert done.exit_code == status, done
    assert done.stdout == ""
    if "-o" not in words:
        told = json.loads(done.stderr)
        assert (told["exit_code"], told["code"]) == (status, code)


def test_who_may_not_grade_is_refused_and_that_is_an_entry(company: Company) -> None:
    access = company.folder / "policies" / "access.yaml"
    text = access.read_text("utf-8")
    second = '    "someone":\n      uids: [64999]\n      roles: [admin]\n'
    text = text.replace("roles: [admin]", "roles: [agent]").replace("  people:\n", "  people:\n" + second)
    access.write_text(text, "utf-8")
    assert f"uids: [{os.getuid()}]" in text
    for words in (["regrade"], ["regrade", "-n"], ["override", "1", "--lift"], ["summary"]):
        assert company.json("tier", *words, status=6)["exit_code"] == 6


def test_no_personal_value_is_shown(company: Company) -> None:
    """The names of companies are open; a grade needs none of them."""
    company.regrade()
    for words in EVERYWHERE:
        assert "Company 00" not in company.say(*words).stdout


def test_chinese_tables_are_chinese(company: Company) -> None:
    company.edit("tiers.yaml", "  regrade_every: $tier_regrade_months\n", "  downgrade_after: 2\n")
    said = []

    def say(*words: str) -> None:
        done = company.say(*words, env={"CRMCTL_LANG": "zh"})
        assert (done.exit_code, done.stderr) == (0, ""), done
        said.append(done.stdout)

    for words in EVERYWHERE:
        say(*words)
    company.declare(K001="400000", K003="1", K005="1000000")
    say("tier", "regrade", "--limit", "1")
    say("tier", "override", "2", "--floor", "core", "--reason", "战略客户", "--until", "2999-12-31")
    for noun in ("list", "overrides", "summary"):
        say("tier", noun)
    for number in ("1", "2", "8"):
        say("tier", "explain", number)
        say("tier", "history", number)
    words = re.findall(r"[A-Za-z]{2,}", re.sub(NO_WORDS, "", "\n".join(said)))
    assert words == []


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_transcript(company: Company, lang: str) -> None:
    company.regrade()
    company.declare(K001="400000", K005="1000000")
    lines = [
        "crmctl tier regrade --dry-run",
        "crmctl tier regrade",
        "crmctl tier regrade",
        "crmctl tier override C-2 --floor core --reason 战略客户 --until 2999-12-31",
        "crmctl tier explain C-2",
        "crmctl tier overrides",
        "crmctl tier override C-2 --lift",
        "crmctl tier override C-2 --lift",
        "crmctl tier history C-2",
        "crmctl tier summary",
        "crmctl tier list",
        "crmctl tier override C-2 --pin 金牌 --reason r",
    ]
    env = {"CRMCTL_LANG": lang, "CRMCTL_WORKSPACE": str(company.folder), "COLUMNS": "200"}
    replace = {
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+08:00": "YYYY-MM-DDTHH:MM:SS+08:00",
    }
    golden.check(f"tier.{lang}", golden.transcript(lines, env=env), replace)


def test_a_sheet_for_people(company: Company) -> None:
    done: Any = company.say("tier", "list", "-o", "csv", "--headers", "zh")
    header = next(csv.reader(io.StringIO(done.stdout.lstrip("\ufeff"))))
    assert header == ["级别", "代码", "客户等级", "归属条件", "联系频次", "服务内容", "关怀方式", "条款"]
