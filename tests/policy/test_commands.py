"""`crmctl policy …` as people and programs see it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from crmctl.cli.app import main
from crmctl.locate import shipped
from crmctl.policy import load

Edit = Callable[[str, str, str], None]
FILES = len(list(shipped("policies").glob("[!_]*.yaml")))
INSTANCE = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"


@pytest.fixture
def workspace(folder: Path) -> Path:
    (folder.parent / "crmctl.yaml").write_text(f'schema: 1\ninstance: "{INSTANCE}"\n', encoding="utf-8")
    return folder.parent


def line_of(folder: Path, text: str) -> int:
    """Return the line of tiers.yaml where a text stands."""
    lines = (folder / "tiers.yaml").read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, start=1) if text in line)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(["policy", *arguments])
    out, err = capsys.readouterr()
    return status, out, err


def test_a_clean_set(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "validate", "-w", str(workspace))
    assert (status, out) == (0, "")
    assert "errors: 0" in err
    assert run(capsys, "validate", "-q", "-w", str(workspace)) == (0, "", "")


def test_problems_go_to_standard_output_and_exit_4(
    workspace: Path, edit: Edit, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    edit("tiers.yaml", "rank: 2", "rnak: 2")
    monkeypatch.chdir(workspace)
    status, out, _err = run(capsys, "validate")
    lines = out.splitlines()
    assert status == 4
    assert len(lines) == 2
    wrong = line_of(workspace / "policies", "rnak: 2")
    assert lines[0].startswith(f"policies/tiers.yaml:{wrong - 1}:7: P105 settings.tiers[1].rank: missing")
    assert lines[1] == f"policies/tiers.yaml:{wrong}:7: P103 rnak: unknown key; did you mean 'rank'?"


def test_the_same_as_json(workspace: Path, edit: Edit, capsys: pytest.CaptureFixture[str]) -> None:
    edit("tiers.yaml", "rank: 2", "rank: 0")
    status, out, _err = run(capsys, "validate", "-w", str(workspace), "-o", "json")
    document = json.loads(out)
    assert status == 4
    assert (document["files"], document["errors"], document["warnings"]) == (FILES, 1, 0)
    (problem,) = document["problems"]
    wrong = line_of(workspace / "policies", "rank: 0")
    assert (problem["line"], problem["column"], problem["code"]) == (wrong, 13, "P204")
    assert Path(problem["path"]).name == "tiers.yaml"


def test_strict_makes_warnings_count(workspace: Path, edit: Edit, capsys: pytest.CaptureFixture[str]) -> None:
    exception = "exceptions: [{match: {customer: C-000001}, reason: court, approved_by: legal, expires: 2020-01-01}]\n"
    edit("tags.yaml", "settings:\n", exception + "settings:\n")
    status, out, _err = run(capsys, "validate", "-w", str(workspace))
    assert (status, "P401" in out) == (0, True)
    assert run(capsys, "validate", "--strict", "-w", str(workspace))[0] == 4


def test_one_file_is_checked_with_its_folder(folder: Path, edit: Edit, capsys: pytest.CaptureFixture[str]) -> None:
    edit("tags.yaml", "schema: 1", "schema: 2")
    edit("tiers.yaml", "{gte: $core_annual_amount}", "{gte: $nothing}")
    status, out, _err = run(capsys, "validate", str(folder / "tiers.yaml"))
    assert status == 4
    assert [line.split(": ")[1][:4] for line in out.splitlines()] == ["P302"]


def test_a_file_alone_may_refer_to_what_is_elsewhere(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = tmp_path / "tiers.yaml"
    alone.write_bytes((folder / "tiers.yaml").read_bytes())
    assert run(capsys, "validate", str(alone))[0] == 0


CASES = """kind: tests
schema: 1
policy: tiers
as_of: 2026-02-30
cases:
  - name: one
    facts: {annual_amonut: 5}
    expect: {decison: core}
"""


def test_cases_are_checked_with_their_policies(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "tests").mkdir()
    cases = folder / "tests" / "tiers.yaml"
    cases.write_text(CASES, encoding="utf-8")
    status, out, _err = run(capsys, "validate", str(folder), "-o", "json")
    document = json.loads(out)
    assert (status, document["files"]) == (4, FILES + 1)
    found = [(Path(each["path"]), each["line"], each["column"], each["code"]) for each in document["problems"]]
    assert found == [(cases, 4, 8, "P206"), (cases, 7, 13, "P103"), (cases, 8, 5, "P105"), (cases, 8, 14, "P103")]
    for path in (cases, cases.parent):
        alone = json.loads(run(capsys, "validate", str(path), "-o", "json")[1])
        assert (alone["problems"], alone["files"]) == (document["problems"], 1)
    assert load(folder).policies  # a mistake in a case stops nothing else


def test_what_cases_refer_to_is_looked_up_where_the_policies_are_sound(
    folder: Path, edit: Edit, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "tests").mkdir()
    text = CASES.replace("30", "28").replace("decison", "decision").replace("amonut: 5", "amount: $nothing, tier: gold")
    (folder / "tests" / "one.yaml").write_text(text.replace("policy: tiers", "policy: tiers.north"), encoding="utf-8")
    (folder / "tests" / "two.yml").write_text(text, encoding="utf-8")
    lines = run(capsys, "validate", str(folder))[1].splitlines()
    assert [line.split(": ")[1][:4] for line in lines] == ["P307", "P307", "P307", "P115"]
    edit("tags.yaml", "schema: 1", "schema: 2")
    lines = run(capsys, "validate", str(folder))[1].splitlines()
    assert [line.split(": ")[1][:4] for line in lines] == ["P203", "P115"]


def test_a_path_that_does_not_exist(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _err = run(capsys, "validate", str(tmp_path / "nothing.yaml"))
    assert (status, "P100" in out) == (4, True)


def test_list(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _err = run(capsys, "list", "-w", str(workspace), "-o", "json")
    document = json.loads(out)
    assert status == 0
    assert len(document["hash"]) == 64
    assert [policy["kind"] for policy in document["policies"]] == sorted(p["kind"] for p in document["policies"])
    assert {"kind", "name", "version", "mode", "owner", "scope", "file", "hash"} <= set(document["policies"][0])
    status, out, _err = run(capsys, "list", "-w", str(workspace))
    assert (status, "calendar.yaml" in out) == (0, True)


def test_show(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _err = run(capsys, "show", "tiers", "-w", str(workspace))
    assert status == 0
    assert "tiers[core].when.annual_amount.gte" in out
    assert "$core_annual_amount" in out
    status, out, _err = run(capsys, "show", "working", "-w", str(workspace), "-o", "json")
    policy = json.loads(out)["policy"]
    assert (policy["kind"], policy["settings"]["holidays"]) == ("calendar", "CN")


def test_show_in_chinese(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _status, out, _err = run(capsys, "show", "tiers", "-w", str(workspace), "--lang", "zh")
    assert "核心客户" in out
    _status, out, _err = run(capsys, "list", "-w", str(workspace), "--lang", "zh")
    assert "客户分级与跟进岗" in out
    _status, out, _err = run(capsys, "list", "-w", str(workspace), "--lang", "zh", "-o", "json")
    assert {policy["owner"] for policy in json.loads(out)["policies"]} >= {"grading post"}


def test_show_what_there_is_not(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "show", "teirs", "-w", str(workspace))
    assert (status, out) == (4, "")
    assert "'tiers'" in err


def test_broken_policies_stop_list_and_show(workspace: Path, edit: Edit, capsys: pytest.CaptureFixture[str]) -> None:
    edit("tiers.yaml", "rank: 2", "rnak: 2")
    for arguments in (["list"], ["show", "tags"]):
        status, out, err = run(capsys, *arguments, "-w", str(workspace))
        assert (status, out) == (4, "")
        assert f"tiers.yaml:{line_of(workspace / 'policies', 'rnak: 2')}:7: P103" in err


def test_schema_lists_kinds_and_header(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _err = run(capsys, "schema")
    assert status == 0
    assert "calendar" in out
    assert "effective.until" in out


def test_schema_of_a_kind_and_of_a_part(capsys: pytest.CaptureFixture[str]) -> None:
    assert "tiers[].standard.contact.times" in run(capsys, "schema", "tiers")[1]
    status, out, _err = run(capsys, "schema", "tiers.tiers.standard.contact", "-o", "json")
    document = json.loads(out)
    assert status == 0
    assert document["fields"][1]["name"] == "tiers[].standard.contact.times"
    status, _out, err = run(capsys, "schema", "tiers.tiers.standrad")
    assert (status, "standard" in err) == (4, True)
    assert run(capsys, "schema", "teirs")[0] == 4


def test_json_schema(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _err = run(capsys, "schema", "calendar", "--json")
    assert status == 0
    assert json.loads(out)["properties"]["kind"]["const"] == "calendar"
    assert "tiers" in json.loads(run(capsys, "schema", "--json")[1])


def test_template(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, out, err = run(capsys, "schema", "tags", "--template")
    assert (status, err) == (0, "")
    assert out.startswith("# yaml-language-server: $schema=schema/tags.json\n")
    (tmp_path / "tags.yaml").write_text(out, encoding="utf-8")
    assert run(capsys, "validate", str(tmp_path / "tags.yaml"))[0] == 0
    _status, out, _err = run(capsys, "schema", "tags", "--template", "--lang", "zh")
    assert "标签" in out


@pytest.mark.parametrize("words", [["--template"], ["tags", "--template", "--json"], ["tags.tags", "--template"]])
def test_a_template_is_of_one_kind(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    status, out, _err = run(capsys, "schema", *words)
    assert (status, out) == (2, "")


@pytest.mark.parametrize("arguments", [["validate"], ["list"], ["show", "tags"], ["schema", "customers"]])
def test_policy_commands_load_no_database_library(workspace: Path, arguments: list[str]) -> None:
    program = (
        "import sys; from crmctl.cli.app import main;"
        f"status = main(['policy', *{arguments!r}, '-q', '-w', {str(workspace)!r}]);"
        "heavy = {'sqlalchemy', 'alembic', 'cryptography', 'phonenumbers'} & set(sys.modules);"
        "sys.exit(', '.join(heavy) or status)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
