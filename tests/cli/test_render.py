"""Results in every form."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from datetime import date
from pathlib import Path
from types import MappingProxyType

import golden
import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from crmctl.cli.render import Column, Table, dumps, grid, schema_of
from crmctl.cli.screen import width
from crmctl.cli.sheet import csv_bytes, neutral, restored, xlsx_bytes
from crmctl.errors import Refused

pytestmark = pytest.mark.usefixtures("samples")
LIST = ["probe", "list"]
HOSTILE = "\x1b]52;c;YWJj\x07\u202eevil\u200b\x9b31m\n2"


def test_json_is_one_object_with_schema_and_run_first() -> None:
    result = golden.call([*LIST, "-o", "json"])
    document = json.loads(result.stdout)

    assert list(document) == ["schema", "run_id", "tier", "things"]
    assert document["schema"] == "crmctl/probe-list/1"
    assert document["run_id"] == 7
    assert document["things"][0] == {"id": 1, "name": "杭州某某科技有限公司", "tier": "core", "secret": [1]}
    assert document["things"][3]["name"] == HOSTILE
    assert result.stdout.isascii()
    assert result.stderr == ""


def test_json_on_a_terminal_is_readable_harmless_and_the_same_value() -> None:
    piped = golden.call([*LIST, "-o", "json"])
    shown = golden.call([*LIST, "-o", "json"], terminal=True)

    assert json.loads(shown.stdout) == json.loads(piped.stdout)
    assert "杭州某某科技有限公司" in shown.stdout
    assert not {"\x1b", "\x07", "\x9b", "\u202e", "\u200b"} & set(shown.stdout)


def test_ndjson_is_one_object_a_row() -> None:
    lines = golden.call([*LIST, "-o", "ndjson"]).stdout.splitlines()

    assert [json.loads(line)["id"] for line in lines] == [1, 2, 3, 4]


def test_ndjson_of_a_result_without_a_table_is_its_document() -> None:
    (line,) = golden.call(["probe", "settle", "-o", "ndjson"]).stdout.splitlines()

    assert json.loads(line)["schema"] == "crmctl/probe-settle/1"


@pytest.mark.parametrize("terminal", [False, True])
def test_a_table_shows_no_control_character_and_no_detail_column(terminal: bool) -> None:
    result = golden.call(LIST, terminal=terminal)

    assert "\\x1b]52;c;YWJj\\x07\\u202eevil\\u200b\\x9b31m\\n2" in result.stdout
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(result.stdout)
    assert "secret" not in result.stdout


def test_chinese_keeps_its_columns() -> None:
    lines = golden.call([*LIST, "--lang", "zh"]).stdout.splitlines()

    assert lines[0].split() == ["编号", "名称", "退出码"]
    starts = {width(line[: line.index("核心")]) for line in lines if "核心" in line}
    assert starts == {width(lines[0][: lines[0].index("退出码")])}


@given(
    st.lists(
        st.tuples(st.text("客户A1 é🙂", max_size=8), st.text("名x，", min_size=1, max_size=5)), min_size=1, max_size=5
    )
)
def test_every_row_has_the_same_columns(rows: list[tuple[str, str]]) -> None:
    text = grid(Table((Column("a"), Column("b")), [(first.strip(), second) for first, second in rows]))

    rule, *lines = text.splitlines()[1:]
    second = rule.rindex("  ") + 2
    for line, (_first, value) in zip(lines, rows, strict=True):
        assert width(line[: len(line) - len(value)]) == second


def test_values_are_shown_as_they_are() -> None:
    columns = (Column("a"), Column("b"), Column("c", show=lambda value: f"<{value}>"))

    text = grid(Table(columns, [("1e5", "007", 1), (None, True, 2), ([1, "x"], 12345678901234567890, 3)]))

    cells = [line.split("  ") for line in text.splitlines()[2:]]
    assert [[cell.strip() for cell in line if cell.strip()] for line in cells] == [
        ["1e5", "007", "<1>"],
        ["yes", "<2>"],
        ["1, x", "12345678901234567890", "<3>"],
    ]


def test_headings_follow_the_option_then_the_language() -> None:
    def first(*words: str) -> str:
        return golden.call([*LIST, "-o", "csv", *words]).stdout.splitlines()[0]

    assert first() == "Number,Name,Exit"
    assert first("--lang", "zh") == "编号,名称,退出码"
    assert first("--headers", "zh") == "编号,名称,退出码"
    assert first("--lang", "zh", "--headers", "en") == "Number,Name,Exit"
    assert first("--headers", "code") == "id,name,tier"


def test_csv_to_a_pipe_has_no_mark_and_to_a_file_one(sample_program: tuple[str, ...], tmp_path: Path) -> None:
    piped = golden.spawn([*LIST, "-o", "csv", "-q"], command=sample_program).stdout
    path = tmp_path / "out.csv"
    for _twice in range(2):
        with path.open("ab") as stream:
            subprocess.run(
                [*sample_program, *LIST, "-o", "csv", "-q"],
                stdout=stream,
                check=True,
                env={"PYTHONPATH": str(golden.CHECKOUT)},
            )

    assert piped.startswith("Number,Name")
    assert "\r\n" not in piped
    data = path.read_bytes()
    assert data.startswith("\ufeffNumber,Name,Exit\r\n".encode())
    assert data.count("\ufeff".encode()) == 1


def test_csv_neutralises_formulas_and_keeps_the_rest() -> None:
    rows = list(csv.reader(io.StringIO(golden.call([*LIST, "-o", "csv"]).stdout)))

    assert rows[3] == ["3", "'=1+1", "核心"]
    assert rows[4][1] == HOSTILE
    assert "\x1b" not in golden.call([*LIST, "-o", "csv"], terminal=True).stdout


@pytest.mark.parametrize(
    "text", ["=1", "+86 138", "-5", "@x", "\t=1", "\r=1", "＝1", "＋1", "－1", "＠x", "'=1", "''@"]
)
def test_what_a_spreadsheet_would_run_is_neutralised(text: str) -> None:
    assert neutral(text) == "'" + text
    assert restored(neutral(text)) == text


@given(st.text())
def test_neutralising_is_undone_exactly(text: str) -> None:
    assert restored(neutral(text)) == text


@given(
    st.lists(
        st.lists(
            st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\n\0")), min_size=2, max_size=2
        )
    )
)
def test_a_csv_file_reads_back(rows: list[list[str]]) -> None:
    data = csv_bytes(rows).decode("utf-8-sig")

    assert [[restored(cell) for cell in row] for row in csv.reader(io.StringIO(data))] == rows


def test_a_workbook_holds_texts_as_texts(tmp_path: Path) -> None:
    columns = (Column("a", {"zh": "甲", "en": "A"}), Column("b"), Column("n"))
    rows = [("=1+1", "91310000MA1FL0XX0X", 5), ("007", "http://x", 1234567890123456789), (None, True, -3)]
    path = tmp_path / "book.xlsx"

    path.write_bytes(xlsx_bytes(Table(columns, rows), "zh"))

    book = CalamineWorkbook.from_path(str(path))
    assert book.get_sheet_by_index(0).to_python() == [
        ["甲", "b", "n"],
        ["=1+1", "91310000MA1FL0XX0X", 5.0],
        ["007", "http://x", "1234567890123456789"],
        ["", "yes", -3.0],
    ]


def test_a_workbook_that_would_lose_text_is_refused() -> None:
    with pytest.raises(Refused, match="32,767"):
        xlsx_bytes(Table((Column("a"),), [("x" * 32_768,)]), "")


def test_a_workbook_goes_to_files_and_pipes_never_to_a_terminal(sample_program: tuple[str, ...]) -> None:
    refused = golden.call([*LIST, "-o", "xlsx"], terminal=True)
    done = subprocess.run(
        [*sample_program, *LIST, "-o", "xlsx"],
        capture_output=True,
        check=True,
        env={"PYTHONPATH": str(golden.CHECKOUT)},
    )

    assert (refused.exit_code, refused.stdout) == (2, "")
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(done.stdout)).get_sheet_by_index(0)
    assert sheet.to_python()[1][:2] == [1.0, "杭州某某科技有限公司"]


def test_a_result_without_a_table_is_no_sheet() -> None:
    result = golden.call(["probe", "settle", "-o", "csv"])

    assert (result.exit_code, result.stdout) == (2, "")


def test_a_document_without_parts_is_listed() -> None:
    lines = golden.call(["probe", "settle"]).stdout.splitlines()

    assert lines[0].split() == ["lang", "en"]


def test_a_finished_result_comes_out_whatever_it_holds() -> None:
    value = {"a": Path("/x"), "b": {2, 1}, "c": MappingProxyType({"d": 1}), "e": date(2026, 1, 1)}

    assert json.loads(dumps(value)) == {"a": "/x", "b": [1, 2], "c": {"d": 1}, "e": "2026-01-01"}


def test_no_rows_are_headings() -> None:
    assert grid(Table((Column("a"), Column("b")), [])).splitlines()[0].split() == ["a", "b"]


def test_schema_names_the_command() -> None:
    assert schema_of("customer list") == "crmctl/customer-list/1"


def test_what_is_said_goes_to_people_only() -> None:
    assert golden.call(LIST).stderr == "four rows\n"
    assert golden.call([*LIST, "-q"]).stderr == ""
    assert golden.call([*LIST, "-o", "json"]).stderr == ""
    assert golden.call(LIST, terminal=True, env={"TERM": "xterm"}).stderr == "\x1b[32mfour rows\x1b[0m\n"
