"""`policy questions`: every form, and sheets back into company.yaml with permission, entry and nothing half-written."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import workspaces
import xlsxwriter
from sqlalchemy import Connection, Engine, select

from crmctl.cli.app import main
from crmctl.policy import load
from crmctl.policy.asking import records
from crmctl.runs import run as runs
from crmctl.runs.tables import policy_version, run
from crmctl.store import engine as engines
from crmctl.workspace import find

Called = Callable[..., tuple[int, str, str]]
ANSWERS = "Name,Answer\ncore_annual_amount,100万元\nimportant_annual_amount,30万元\ntag_accuracy_target,\n"


@pytest.fixture
def place(tmp_path: Path, database_url: str) -> Path:
    return workspaces.make(tmp_path / "crm", database_url)


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Called:
    """Return a function that runs a command and returns status, standard output, standard error."""

    def one(folder: Path, *words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["--lang", "en", "-w", str(folder), *words])
        told = capsys.readouterr()
        return code, told.out, told.err

    return one


def answers(folder: Path, text: str = ANSWERS, name: str = "a.csv") -> str:
    path = folder.parent / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def entries(folder: Path, call: Called) -> list[dict[str, object]]:
    _code, out, _err = call(folder, "audit", "list", "-o", "json")
    return [each for each in json.loads(out)["entries"] if each["act"] == "policy.answer"]


def test_every_form(place: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    for form in ("table", "json", "csv", "html", "xlsx"):
        assert main(["--lang", "en", "-w", str(place), "policy", "questions", "-o", form]) == 0
        out = capfdbinary.readouterr().out
        if form == "xlsx":
            assert out.startswith(b"PK")
        else:
            assert out.count(b"tier_regrade_months") == 1
            assert b"004 \xc2\xa75" in out or b"\\u00a75" in out


def test_answers_are_written_logged_and_kept(place: Path, call: Called) -> None:
    before = load(place / "policies")
    mode = (place / "policies" / "company.yaml").stat().st_mode
    code, out, err = call(place, "policy", "questions", "--import", answers(place), "-o", "json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert (told["changed"], told["unchanged"], told["dry_run"]) == (2, 0, False)
    assert told["values"] == [
        {"name": "core_annual_amount", "before": "unset", "after": 1_000_000},
        {"name": "important_annual_amount", "before": "unset", "after": 300_000},
    ]
    after = load(place / "policies")
    assert after.hash == told["hash"] != before.hash
    assert after.values["core_annual_amount"].value == 1_000_000
    assert (place / "policies" / "company.yaml").stat().st_mode == mode
    (entry,) = entries(place, call)
    assert entry["fields"] == ["core_annual_amount", "important_annual_amount"]
    assert (entry["policy"], entry["n"], entry["run"]) == (after.hash, 2, told["run_id"])
    base = engines.open_engine(runs.database_url(find(place)), workspace=place)
    with engines.read(base) as conn:
        kept = conn.scalar(select(policy_version.c.text).where(policy_version.c.policy_hash == after.hash))
        ended = conn.execute(select(run.c.state, run.c.policy_hash).where(run.c.run_id == told["run_id"])).one()
    base.dispose()
    assert kept == after.text()
    assert tuple(ended) == ("done", before.hash)
    assert call(place, "audit", "verify")[0] == 14


def test_a_dry_run_and_the_second_time_write_nothing(place: Path, call: Called) -> None:
    company = place / "policies" / "company.yaml"
    data, sheet = company.read_bytes(), answers(place)
    code, out, _err = call(place, "policy", "questions", "--import", sheet, "-n")
    assert code == 0
    assert "2 values would be decided or changed" in out
    assert company.read_bytes() == data
    assert entries(place, call) == []
    assert call(place, "policy", "questions", "--import", sheet)[0] == 0
    data = company.read_bytes()
    code, out, _err = call(place, "policy", "questions", "--import", sheet, "-o", "json")
    assert (code, json.loads(out)["unchanged"], json.loads(out)["run_id"]) == (0, 2, None)
    assert company.read_bytes() == data
    assert len(entries(place, call)) == 1


def test_wrong_answers_change_nothing_and_name_row_and_column(place: Path, call: Called) -> None:
    data = (place / "policies" / "company.yaml").read_bytes()
    sheet = answers(place, "Name,Answer\ncore_annual_amount,many\ntag_accuracy_target,0.98\n")
    code, _out, err = call(place, "policy", "questions", "--import", sheet)
    assert code == 4
    assert f"{sheet}:2:2: P201 'many' is no number" in err
    assert f"{sheet}:3:2: P202 '0.98' could mean two shares; write it with the sign: 0.98 % or 98 %" in err
    assert (place / "policies" / "company.yaml").read_bytes() == data


def test_without_the_right_nothing_is_written_and_the_attempt_is_logged(place: Path, call: Called) -> None:
    access = place / "policies" / "access.yaml"
    text = access.read_text(encoding="utf-8")
    access.write_text(text.replace("policy.*", "policy.list"), encoding="utf-8")
    data = (place / "policies" / "company.yaml").read_bytes()
    code, _out, err = call(place, "policy", "questions", "--import", answers(place))
    assert (code, "policy.answer" in err) == (6, True)
    assert (place / "policies" / "company.yaml").read_bytes() == data
    (entry,) = entries(place, call)
    assert (entry["result"], entry["codes"]) == ("denied", ["ACT_NOT_GRANTED"])


def test_without_a_database_it_is_said_that_nothing_is_logged(tmp_path: Path, sqlite_url: str, call: Called) -> None:
    folder = workspaces.make(tmp_path / "crm")
    (folder / "data" / "crmctl.db").unlink()
    code, _out, err = call(folder, "policy", "questions", "--import", answers(folder))
    assert code == 0
    assert "not in the log" in err
    assert load(folder / "policies").values["core_annual_amount"].value == 1_000_000
    access = folder / "policies" / "access.yaml"
    access.write_text(access.read_text(encoding="utf-8").replace("policy.*", "policy.list"), encoding="utf-8")
    assert call(folder, "policy", "questions", "--import", answers(folder))[0] == 6


def test_a_commit_that_fails_puts_the_file_back(place: Path, call: Called, monkeypatch: pytest.MonkeyPatch) -> None:
    data = (place / "policies" / "company.yaml").read_bytes()
    real = engines.write

    @contextlib.contextmanager
    def failing(base: Engine) -> Iterator[Connection]:
        with real(base) as conn:
            yield conn
            if load(place / "policies").values["core_annual_amount"].value != "unset":
                raise OSError(28, "No space left on device")

    monkeypatch.setattr(engines, "write", failing)
    code, _out, _err = call(place, "policy", "questions", "--import", answers(place))
    assert code == 74
    assert (place / "policies" / "company.yaml").read_bytes() == data
    monkeypatch.undo()
    assert entries(place, call) == []


def test_a_file_edited_meanwhile_is_not_overwritten(place: Path, call: Called, monkeypatch: pytest.MonkeyPatch) -> None:
    company = place / "policies" / "company.yaml"
    real = runs.begin

    def edited(run: runs.Run) -> runs.Run:
        company.write_bytes(company.read_bytes() + b"# by hand\n")
        return real(run)

    monkeypatch.setattr(runs, "begin", edited)
    code, _out, err = call(place, "policy", "questions", "--import", answers(place))
    assert (code, "was changed meanwhile" in err) == (1, True)
    assert company.read_bytes().endswith(b"# by hand\n")
    assert load(place / "policies").values["core_annual_amount"].undecided
    assert entries(place, call) == []


@pytest.mark.parametrize(
    "words",
    [["-n"], ["--import", "x.csv", "-o", "xlsx"], ["--import", "x.csv", "-o", "html"], ["-o", "ndjson"]],
    ids=" ".join,
)
def test_what_does_not_go_together(place: Path, call: Called, words: list[str]) -> None:
    assert call(place, "policy", "questions", *words)[0] == 2


def workbook(rows: list[list[str | int | float]]) -> bytes:
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream, {"in_memory": True}) as book:
        book.add_worksheet("hidden").hide()
        page = book.add_worksheet("answers")
        page.activate()
        for number, row in enumerate(rows):
            page.write_row(number, 0, row)
    return stream.getvalue()


def test_records_of_a_workbook_and_of_csv(tmp_path: Path) -> None:
    book = tmp_path / "a.xlsx"
    book.write_bytes(workbook([["Name", "Answer"], ["x", 1_000_000], ["y", 97.5], ["z", "'=1"]]))
    wanted = [(1, ["Name", "Answer"]), (2, ["x", "1000000"]), (3, ["y", "97.5"]), (4, ["z", "=1"])]
    assert [(number, list(cells)) for number, cells in records(book)] == wanted
    plain = tmp_path / "a.csv"
    for encoding, delimiter in (("utf-8-sig", ","), ("gb18030", ";"), ("utf-16", "\t")):
        rows = [["名称", "Answer"], ["x", "1000000"], ["y", 'a "b"\nc']]
        text = "".join(delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) + "\r\n" for row in rows)
        plain.write_bytes(text.encode(encoding))
        assert [list(cells) for _number, cells in records(plain)] == rows


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"PK\x03\x04 no workbook", "WORKBOOK_BROKEN"),
        (b'Name,Answer\nx,"1', "CSV_TORN"),
        (b"Name,Answer\nx,\xff\xff\n", "ENCODING_UNKNOWN"),
        (b"x" * ((4 << 20) + 1), "ANSWERS_TOO_LARGE"),
        (b"", "ANSWERS_NO_HEADER"),
    ],
    ids=["workbook", "quote", "encoding", "size", "empty"],
)
def test_files_that_are_no_sheet(tmp_path: Path, place: Path, call: Called, data: bytes, code: str) -> None:
    path = tmp_path / "broken"
    path.write_bytes(data)
    status, _out, err = call(place, "policy", "questions", "--import", str(path), "-o", "json")
    assert (status, json.loads(err)["code"]) == (4, code)
