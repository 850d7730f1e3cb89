"""Failures as people and programs see them."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import click
import golden
import pytest

from crmctl import errors, files
from crmctl.cli.failure import Caller, explain, problem_line

pytestmark = pytest.mark.usefixtures("samples")


def test_an_expected_failure_is_one_line_and_what_to_do() -> None:
    result = golden.call(["probe", "fail", "limit"])

    assert result == golden.Result(7, "", "crmctl: too much\\x1b[2J\n  → less\n")


def test_under_json_it_is_one_ascii_object() -> None:
    for form in ("json", "ndjson"):
        result = golden.call(["probe", "fail", "limit", "-o", form])
        assert result.stderr.isascii()
        assert result.stderr.count("\n") == 1
        assert json.loads(result.stderr) == {
            "code": "LIMIT_EXCEEDED",
            "exit_code": 7,
            "message": "too much\x1b[2J",
            "hint": "less",
            "details": {"rows": 5},
        }
        assert result.stdout == ""


def test_only_the_prefix_is_coloured_on_a_terminal() -> None:
    result = golden.call(["probe", "fail", "limit"], terminal=True, env={"TERM": "xterm"})

    assert result.stderr.startswith("\x1b[31mcrmctl:\x1b[0m too much\\x1b[2J\n")


def test_problems_come_before_the_message_and_are_counted() -> None:
    lines = golden.call(["probe", "fail", "policy"]).stderr.splitlines()

    assert lines[0] == "p.yaml:3:1: P101 bad; fix"
    assert lines[-2:] == ["… and 10 more", "crmctl: 1 problem"]


@pytest.mark.parametrize(
    "kind", [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.CrmctlError)]
)
def test_every_class_has_its_documented_exit_code(kind: type[errors.CrmctlError]) -> None:
    error = kind(15) if kind is errors.Interrupted else kind("x")  # type: ignore[arg-type]

    assert explain(error, Caller()).exit_code == error.exit_code
    assert error.exit_code in errors.EXIT_CODES


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (KeyboardInterrupt(), 130, "INTERRUPTED"),
        (errors.Interrupted(2), 130, "INTERRUPTED"),
        (errors.Interrupted(15), 143, "TERMINATED"),
        (click.Abort(), 130, "INTERRUPTED"),
        (OSError(errno.ENOSPC, "full"), 74, "STORAGE_FAILED"),
        (OSError(errno.EIO, "broken"), 74, "STORAGE_FAILED"),
        (click.UsageError("x"), 2, "USAGE"),
        (click.FileError("x"), 4, "REFUSED"),
        (click.ClickException("x"), 1, "REFUSED"),
        (OSError(errno.EACCES, "no"), 70, "BUG"),
        (MemoryError(), 70, "BUG"),
        (RecursionError(), 70, "BUG"),
        (BrokenPipeError(errno.EPIPE, "not ours"), 70, "BUG"),
    ],
)
def test_what_python_and_click_raise(error: BaseException, status: int, code: str) -> None:
    failure = explain(error, Caller())

    assert (failure.exit_code, failure.code) == (status, code)


@pytest.mark.parametrize(("lang", "words"), [("en", "'x' is not a valid whole number"), ("zh", "'x' 不是有效的 整数")])
def test_a_type_is_called_what_people_call_it(lang: str, words: str) -> None:
    assert words in golden.call(["--lang", lang, "tier", "regrade", "--max-changes", "x"]).stderr


@pytest.mark.parametrize(
    ("number", "next_step"),
    [
        (errno.ENOENT, "make its folder first"),
        (errno.EACCES, "correct the permissions"),
        (errno.ENOSPC, "free space"),
    ],
)
def test_a_file_that_cannot_be_written_says_what_would_help(number: int, next_step: str) -> None:
    failure = files.storage_failure(Path("out/x.csv"), OSError(number, "x"))

    assert (failure.hint or "").startswith(next_step)


@pytest.mark.parametrize(
    ("words", "suggestion"),
    [
        (["custmer"], "customer"),
        (["customer", "improt"], "customer import"),
        (["verify"], "complaint verify or purge verify or audit verify"),
        (["Customer"], "customer"),
        (["lst"], "customer list or batch list or order list"),
    ],
)
def test_did_you_mean(words: list[str], suggestion: str) -> None:
    result = golden.call(words)

    assert result.exit_code == 2
    assert f"did you mean {suggestion}" in result.stderr


def test_usage_errors_are_json_too_wherever_the_form_is_asked_for() -> None:
    for words in (["-o", "json", "lst"], ["lst", "--output=json"], ["-qojson", "lst"], ["lst", "-o", "json"]):
        document = json.loads(golden.call(words).stderr)
        assert (document["code"], document["exit_code"]) == ("USAGE", 2)
        assert document["details"]["suggestions"][0] == "customer list"


def test_click_speaks_chinese_too() -> None:
    result = golden.call(["--lang", "zh", "probe", "list", "-o", "yaml"])

    assert result.stderr == (
        "crmctl: '-o' / '--output' 的值无效：'yaml' 不在可选值之中：'table', 'json', 'ndjson', 'csv', 'xlsx'。\n"
        "  → 用法见 crmctl probe list --help\n"
    ).replace("。\n", "\n")


def test_a_problem_may_be_a_line() -> None:
    assert problem_line("a line") == "a line"
    assert problem_line({"message": "no place"}) == "no place"
