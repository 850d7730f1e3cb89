"""`crmctl staff …` as people and programs meet it: documents, exit statuses, filters, what is not checked."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import golden
import pytest
import workspaces
from golden import call

KEYS = {
    "staff_id", "number", "name", "post", "level", "department", "org_unit", "region", "capacity", "languages",
    "hr_id", "wecom_id", "dingtalk_id", "uids", "trained_on", "signed_on", "joined_on", "left_on", "attributes",
    "state",
}  # fmt: skip


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace of `init --demo`, which nobody changes."""
    return workspaces.make(tmp_path_factory.mktemp("demo") / "w", demo=True)


def crmctl(folder: Path, *words: str) -> golden.Result:
    return call(["-w", str(folder), "staff", *words])


def listed(folder: Path, *words: str) -> Any:
    done = crmctl(folder, "list", "-o", "json", *words)
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def test_the_document_of_a_person(staff_here: Any) -> None:
    document = staff_here.json("add", "--number", "1", "--name", "甲", "--uids", "1001")
    assert document["schema"] == "crmctl/staff-add/1"
    assert (document["outcome"], document["fields"]) == ("created", ["name", "number", "uids"])
    assert document["staff"].keys() == KEYS
    shown = staff_here.json("show", "S-000001")
    assert shown["staff"] == document["staff"]
    assert [problem["code"] for problem in shown["problems"]] == ["UNTRAINED", "UNSIGNED"]
    assert KEYS | {"absent_until", "deputy", "problems"} == staff_here.json("list")["staff"][0].keys()


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        (("add", "--number", "1"), 2, "USAGE"),
        (("update", "1"), 2, "USAGE"),
        (("update", "1", "--set", "job_title"), 2, "SET_FORM"),
        (("update", "1", "--set", "shoe_size=43"), 4, "FIELD_UNKNOWN"),
        (("update", "1", "--level", "特级"), 4, "VALUE_UNKNOWN"),
        (("update", "1", "--name", ""), 4, "REQUIRED"),
        (("update", "1", "--left-on", "soon"), 4, "DATE_INVALID"),
        (("deactivate", "1", "--left-on", "2026-02-30"), 4, "DATE_INVALID"),
        (("show", "nobody"), 1, "STAFF_UNKNOWN"),
        (("list", "--post", "pilot"), 4, "CODE_UNKNOWN"),
        (("absence", "add", "1", "--from", "2026-1-5", "--until", "2026-01-06"), 4, "DATE_INVALID"),
        (("absence", "add", "1", "--from", "2026-W01-1", "--until", "2026-01-06"), 4, "DATE_INVALID"),
        (("absence", "cancel", "1"), 1, "ABSENCE_UNKNOWN"),
        (("list", "-n"), 2, "USAGE"),
    ],
)
def test_failures(staff_here: Any, words: tuple[str, ...], status: int, code: str) -> None:
    staff_here.add("1", "甲")
    assert staff_here.refused(*words)[:2] == (status, code)


def test_the_demo_has_people_of_every_problem(demo: Path) -> None:
    rows = listed(demo)["staff"]
    assert 6 <= len(rows) <= 8
    codes = {code for row in rows for code in row["problems"]}
    assert codes == {"UNTRAINED", "TRAINING_EXPIRED", "UNSIGNED", "ABSENT"}
    assert [row["number"] for row in rows if row["deputy"]] == ["E003"]
    assert call(["-w", str(demo), "customer", "list", "--count"]).stdout == "0\n"
    assert call(["-w", str(demo), "audit", "verify", "--changes", "--rows"]).exit_code == 14


def test_filters(demo: Path) -> None:
    def numbers(*words: str) -> list[str]:
        return [row["number"] for row in listed(demo, *words)["staff"]]

    everybody = numbers()
    assert numbers("--post", "投诉岗") == ["E005"]
    assert numbers("--level", "Junior consultant") == ["E006", "E007"]
    assert numbers("--org-unit", "总部") == everybody
    assert numbers("--problems") == ["E002", "E005", "E006", "E007"]
    assert numbers("--problems", "--level", "junior") == ["E006", "E007"]
    assert numbers("--state", "inactive") == []
    assert listed(demo, "--count", "--problems")["count"] == 4
    assert crmctl(demo, "list", "--count").stdout == f"{len(everybody)}\n"


def test_a_past_day_is_judged_by_that_day(demo: Path) -> None:
    day = next(row["trained_on"] for row in listed(demo)["staff"] if row["number"] == "E005")
    document = listed(demo, "--as-of", day)
    rows = {row["number"]: row for row in document["staff"]}
    assert document["day"] == day
    assert rows["E005"]["problems"] == []
    assert (rows["E004"]["state"], rows["E004"]["problems"]) == ("inactive", ["INACTIVE", "UNTRAINED", "UNSIGNED"])


def test_what_is_undecided_is_said_and_not_passed_over(staff_here: Any) -> None:
    staff_here.add("1", "甲", "--trained-on", "2001-01-01", "--signed-on", "2001-01-01")
    done = staff_here("list", "--problems")
    assert (done.exit_code, done.stdout.splitlines()[2:]) == (0, [])
    assert "training_valid_months" in done.stderr and "004 §15(一)" in done.stderr
    assert staff_here.json("list")["undecided"] == "training_valid_months"
    assert staff_here("list").stderr == ""


@pytest.mark.parametrize(
    ("role", "allowed", "denied"),
    [
        ("steward", ["staff list", "staff show 1"], ["staff add --number 2 --name 乙", "staff deactivate 1"]),
        ("auditor", ["staff list"], ["staff update 1 --level mid", "staff absence cancel 1"]),
        ("supervisor", ["staff absence add 1 --from 2026-01-05 --until 2026-01-06"], ["staff import x.csv"]),
        ("agent", [], ["staff list", "staff show 1"]),
    ],
)
def test_roles(staff_here: Any, sqlite_folder: Path, role: str, allowed: list[str], denied: list[str]) -> None:
    staff_here.add("1", "甲")
    access = sqlite_folder / "policies" / "access.yaml"
    text = access.read_text("utf-8").replace("roles: [admin]", f"roles: [{role}]")
    access.write_text(text.replace("  people:\n", '  people:\n    "boss":\n      roles: [admin]\n'), "utf-8")
    statuses = [call(["-w", str(sqlite_folder), *line.split()]).exit_code for line in (*allowed, *denied)]
    assert statuses == [0] * len(allowed) + [6] * len(denied)


def test_sheets_and_lines(demo: Path) -> None:
    table = list(csv.reader(io.StringIO(crmctl(demo, "list", "-o", "csv", "--headers", "zh").stdout)))
    assert table[0][:4] == ["工号", "姓名", "岗位", "职级"]
    assert table[1][:4] == ["E001", "周敏", "grading post", "Service supervisor"]
    lines = [json.loads(line) for line in crmctl(demo, "list", "-o", "ndjson").stdout.splitlines()]
    assert [line["level"] for line in lines][:2] == ["supervisor", "senior"]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_transcript(tmp_path: Path, lang: str) -> None:
    """What a person sees, word for word."""
    workspaces.make(tmp_path / "w", demo=True)
    lines = [
        "crmctl staff list",
        "crmctl staff list --problems",
        "crmctl staff add --number E009 --name 周敏 --level 高级 --trained-on 2026-03-05 --set job_title=顾问",
        "crmctl staff show 周敏",
        "crmctl staff show E009",
        "crmctl staff update E009 --level 主管 --languages 英语 --dry-run",
        "crmctl staff deactivate E009 --left-on 2026-06-30",
        "crmctl staff absence add E004 --from 2099-01-05 --until 2099-01-09 --deputy E001",
        "crmctl staff absence add E001 --from 2099-01-01 --until 2099-01-05",
        "crmctl staff absence list E004",
        "crmctl staff absence cancel E004",
        "crmctl staff --help",
        "crmctl staff absence --help",
    ]
    env = {"CRMCTL_LANG": lang, "COLUMNS": "80", "CRMCTL_WORKSPACE": str(tmp_path / "w")}
    shown = golden.transcript(lines, env=env)
    away = re.compile(r"20(?!99|26-0[36])\d\d-\d\d-\d\d")  # absences of the demo begin on the day it is made
    golden.check(f"staff.{lang}", away.sub("YYYY-MM-DD", shown))
