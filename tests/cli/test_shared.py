"""Options that work everywhere, before and after the verb."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import golden
import pytest

pytestmark = pytest.mark.usefixtures("samples")


def settled(*words: str, **settings: Any) -> dict[str, Any]:
    result = golden.call([*words, "-o", "json"], **settings)
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


@pytest.mark.parametrize(
    "words",
    [
        ["-w", "/a", "-q", "--lock-timeout", "5", "probe", "settle"],
        ["probe", "-w", "/a", "-q", "--lock-timeout", "5", "settle"],
        ["probe", "settle", "-w", "/a", "-q", "--lock-timeout", "5"],
        ["-q", "probe", "--lock-timeout=5", "settle", "--workspace=/a"],
    ],
)
def test_places_are_equal(words: list[str]) -> None:
    document = settled(*words)

    assert (document["workspace"], document["quiet"], document["timeout"]) == ("/a", True, 5.0)
    assert {"workspace", "quiet", "lock_timeout"} <= set(document["given"])


def test_the_later_one_wins() -> None:
    assert settled("-w", "/a", "probe", "-w", "/b", "settle", "-w", "/c")["workspace"] == "/c"
    assert settled("-w", "/a", "probe", "-w", "/b", "settle")["workspace"] == "/b"
    assert golden.call(["-o", "json", "probe", "list", "-o", "csv"]).stdout.startswith("Number,Name")


def test_verbose_adds_up() -> None:
    assert settled("-v", "probe", "-v", "settle")["verbose"] == 2
    assert settled("probe", "settle", "-vv")["verbose"] == 2
    assert settled("probe", "settle")["verbose"] == 0


def test_what_is_not_given_has_its_default() -> None:
    document = settled("probe", "settle")

    assert document["workspace"] is None
    assert document["timeout"] == 30.0
    assert document["given"] == ["output"]


def test_the_workspace_variable_counts_less_than_the_option(tmp_path: Path) -> None:
    env = {"CRMCTL_WORKSPACE": str(tmp_path)}

    assert settled("probe", "settle", env=env)["workspace"] == str(tmp_path)
    assert settled("-w", "/a", "probe", "settle", env=env)["workspace"] == "/a"


@pytest.mark.parametrize(
    ("terminal", "words", "env", "expected"),
    [
        (True, [], {"TERM": "xterm"}, True),
        (False, [], {"TERM": "xterm"}, False),
        (True, ["--no-color"], {"TERM": "xterm"}, False),
        (True, [], {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (True, [], {"TERM": "dumb"}, False),
    ],
)
def test_colour_is_for_terminals_that_want_it(
    terminal: bool, words: list[str], env: dict[str, str], expected: bool
) -> None:
    assert settled("probe", "settle", *words, terminal=terminal, env=env)["color"] is expected


@pytest.mark.parametrize("value", ["-1", "soon"])
def test_a_lock_timeout_is_a_number_of_seconds(value: str) -> None:
    assert golden.call(["probe", "settle", "--lock-timeout", value]).exit_code == 2


def test_options_are_not_abbreviated() -> None:
    result = golden.call(["probe", "settle", "--verb"])

    assert result.exit_code == 2
    assert "did you mean --verbose?" in result.stderr


def test_an_empty_workspace_is_refused(tmp_path: Path) -> None:
    assert golden.call(["-w", "", "probe", "settle"], env={"CRMCTL_WORKSPACE": str(tmp_path)}).exit_code == 2
