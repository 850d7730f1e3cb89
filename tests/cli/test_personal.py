"""Options whose value is personal."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

import golden
import pytest

pytestmark = pytest.mark.usefixtures("samples")
FIND = ["probe", "find", "-o", "json"]
MOBILE = "13812345678"


def test_a_dash_reads_one_line_of_standard_input() -> None:
    result = golden.call([*FIND, "--mobile", "-"], f"{MOBILE}\nrest\n".encode())

    assert json.loads(result.stdout)["mobile"] == MOBILE
    assert result.stderr == ""


def test_an_at_sign_reads_a_file(tmp_path: Path) -> None:
    path = tmp_path / "value"
    path.write_text(f"\ufeff{MOBILE}\n", encoding="utf-8")

    result = golden.call([*FIND, "--mobile", f"@{path}"])

    assert json.loads(result.stdout)["mobile"] == MOBILE
    assert result.stderr == ""


def test_a_value_on_the_command_line_works_with_a_warning_that_does_not_repeat_it() -> None:
    result = golden.call(["probe", "find", "--mobile", MOBILE])

    assert result.exit_code == 0
    assert "warning: --mobile: its value shows in process lists" in result.stderr
    assert MOBILE not in result.stderr


def test_under_json_the_warning_is_an_object() -> None:
    warning = json.loads(golden.call([*FIND, "--mobile", MOBILE]).stderr)

    assert warning["level"] == "warning"


def test_several_values_of_one_option(tmp_path: Path) -> None:
    path = tmp_path / "value"
    path.write_text("李四")

    result = golden.call([*FIND, "--name", "-", "--name", f"@{path}"], "张三".encode())

    assert json.loads(result.stdout)["names"] == ["张三", "李四"]


def test_not_given_is_none_and_nobody_is_asked() -> None:
    document = json.loads(golden.call(FIND).stdout)

    assert (document["mobile"], document["names"]) == (None, [])


@pytest.mark.parametrize("words", [["--mobile"], ["--mobile", "-q"]])
def test_without_a_value_and_without_a_terminal_the_flag_to_give_is_named(words: list[str]) -> None:
    result = golden.call(["probe", "find", *words])

    assert result.exit_code == 2
    assert "--mobile - or --mobile @FILE" in result.stderr


def test_without_a_value_the_question_goes_to_standard_error() -> None:
    result = golden.call([*FIND, "--mobile"], f"{MOBILE}\n".encode(), terminal=True)

    assert result.stderr == "--mobile: "
    assert json.loads(result.stdout)["mobile"] == MOBILE


def test_no_input_asks_nobody_even_on_a_terminal() -> None:
    result = golden.call(["--no-input", *FIND, "--mobile"], b"1\n", terminal=True)

    assert result.exit_code == 2


def test_standard_input_serves_one_value() -> None:
    result = golden.call([*FIND, "--mobile", "-", "--name", "-"], b"1\n2\n")

    assert result.exit_code == 2
    assert "already taken" in json.loads(result.stderr)["message"]


@pytest.mark.parametrize(
    ("data", "status"),
    [(b"", 2), (b"  \n", 2), (b"\xff\xfe\n", 4), (b"1" * 70_000, 4)],
    ids=["end", "blank", "bytes", "long"],
)
def test_a_value_that_is_none_is_refused_without_showing_it(data: bytes, status: int) -> None:
    result = golden.call([*FIND, "--mobile", "-"], data)

    assert (result.exit_code, result.stdout) == (status, "")
    assert "1111111" not in result.stderr


def test_an_empty_value_is_no_missing_option() -> None:
    assert golden.call([*FIND, "--mobile", ""]).exit_code == 2


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    assert golden.call([*FIND, "--mobile", f"@{tmp_path / 'none'}"]).exit_code == 4


def test_on_a_real_terminal_the_answer_is_read_and_data_stays_clean(sample_program: tuple[str, ...]) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*sample_program, *FIND, "--mobile"],
        stdin=theirs,
        stderr=theirs,
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(golden.CHECKOUT), "TERM": "xterm"},
    )
    os.close(theirs)
    os.write(ours, f"{MOBILE}\n".encode())
    out, _err = process.communicate(timeout=30)
    os.close(ours)

    assert json.loads(out)["mobile"] == MOBILE


def test_a_value_in_the_wrong_place_is_not_repeated() -> None:
    result = golden.call(["probe", "find", MOBILE])

    assert result.exit_code == 2
    assert MOBILE not in result.stderr


def test_help_shows_the_ways_to_give_it() -> None:
    assert "--mobile [-|@FILE]" in golden.call(["probe", "find", "--help"]).stdout
