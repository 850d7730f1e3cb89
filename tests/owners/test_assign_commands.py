"""What `owner assign` and `owner explain` say: to programs, to people in both languages, and as they end."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable

import golden
import pytest
from firm import Firm

NO_WORDS = r"C-\d+|\b[TN] ?\d+\b|owners|rules\[\d+\]|--[a-z-]+|-o csv|Core|Finance|Rest|\(\w+\)|T\d\d:"


@pytest.fixture
def desk(founded: Callable[..., Firm]) -> Firm:
    """One database, and a person li.na at work, whoever runs the tests: what is said is the same on both."""
    firm = founded("sqlite")
    access = firm.folder / "policies" / "access.yaml"
    text, count = re.subn(r'^    ".+":$', '    "li.na":', access.read_text("utf-8"), flags=re.M)
    assert count == 1
    access.write_text(text, "utf-8")
    return firm


def test_moves_as_a_sheet_and_as_lines(desk: Firm) -> None:
    """A dry run lists every move, however few a person would be shown."""
    planned = desk.assign("-n", "--limit", "1")
    assert (len(planned["moves"]), planned["moves_listed"]) == (1, 1)
    lines = desk.say("owner", "assign", "-n", "-o", "ndjson", "--limit", "1").stdout.splitlines()
    assert len(lines) == planned["assigned"] and json.loads(lines[0]) == planned["moves"][0]
    told = desk.say("owner", "assign", "-n", "-o", "csv").stdout
    rows = list(csv.DictReader(io.StringIO(told.lstrip("\ufeff"))))
    assert len(rows) == planned["assigned"] and "Runner-up" in rows[0]


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        (["assign", "--apply", "7"], 1, "PLAN_UNKNOWN"),
        (["assign", "--plan", "--dry-run"], 2, "USAGE"),
        (["assign", "--plan", "--apply", "1"], 2, "USAGE"),
        (["assign", "--apply", "1", "--customer", "1"], 2, "USAGE"),
        (["assign", "--max-changes", "-1"], 2, "USAGE"),
        (["assign", "--as-of", "2999-01-01"], 4, "AS_OF_FUTURE"),
        (["assign", "--customer", "999"], 1, "CUSTOMER_UNKNOWN"),
        (["explain", "999"], 1, "CUSTOMER_UNKNOWN"),
        (["explain", "nobody"], 4, "NUMBER_INVALID"),
    ],
)
def test_how_it_ends(desk: Firm, words: list[str], status: int, code: str) -> None:
    done = desk.say("owner", *words, "-o", "json")
    assert (done.exit_code, done.stdout) == (status, "")
    told = json.loads(done.stderr)
    assert (told["exit_code"], told["code"]) == (status, code)


def test_who_may_not_assign_is_refused(desk: Firm) -> None:
    access = desk.folder / "policies" / "access.yaml"
    text = access.read_text("utf-8")
    second = '    "someone":\n      uids: [64999]\n      roles: [admin]\n'
    text = text.replace("roles: [admin]", "roles: [agent]").replace("  people:\n", "  people:\n" + second)
    access.write_text(text, "utf-8")
    for words in (["-n"], []):
        assert desk.assign(*words, status=6)["exit_code"] == 6
    assert desk.open_rows() == {}


def test_only_the_customers_named(desk: Firm) -> None:
    done = desk.assign("--customer", "3", "--customer", "C-000011")
    assert done["assigned"] + done["unassignable"] == 2 and set(desk.open_rows()) <= {3, 11}


def test_chinese_is_chinese(desk: Firm) -> None:
    said = []
    for words in (["assign", "-n", "--limit", "3"], ["explain", "5"], ["assign"], ["explain", "3"], ["assign", "-n"]):
        done = desk.say("owner", *words, env={"CRMCTL_LANG": "zh"})
        assert (done.exit_code, done.stderr) == (0, "")
        said.append(done.stdout)
    found = re.findall(r"[A-Za-z]{2,}", re.sub(NO_WORDS, "", "\n".join(said).replace("li.na", "")))
    assert found == []


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_transcript(desk: Firm, lang: str) -> None:
    day = ["--as-of", "2025-11-15"]
    lines = [
        f"crmctl owner assign --dry-run --limit 3 {' '.join(day)}",
        f"crmctl owner assign --plan --limit 0 {' '.join(day)}",
        "crmctl owner assign --apply 1",
        f"crmctl owner assign --limit 2 {' '.join(day)}",
        "crmctl owner explain C-3",
        "crmctl owner assign --help",
        "crmctl owner explain --help",
    ]
    env = {"CRMCTL_LANG": lang, "CRMCTL_WORKSPACE": str(desk.folder), "COLUMNS": "160"}
    replace = {r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+08:00": "YYYY-MM-DDTHH:MM:SS+08:00"}
    golden.check(f"owner-assign.{lang}", golden.transcript(lines, env=env), replace)
