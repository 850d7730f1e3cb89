"""What `@command` gives every command."""

from __future__ import annotations

import json

import click
import golden
import pytest

from crmctl.cli.options import Invocation, Leaf, command, paragraphs
from crmctl.errors import EXIT_CODES

pytestmark = pytest.mark.usefixtures("samples")


def test_help_has_example_usage_meaning_options_and_exit_codes_in_this_order() -> None:
    text = golden.call(["probe", "list", "--help"]).stdout

    parts = [
        "Example:\n  crmctl probe list\n",
        "Usage: crmctl probe list [OPTIONS]",
        "List what there is.\n\nA second paragraph.",
        "Options:\n  --tier TEXT",
        "Options that work everywhere, before or after the verb:",
        "-w, --workspace DIR",
        f"Exit codes:\n  0  {EXIT_CODES[0]}\n  6  {EXIT_CODES[6]}",
    ]
    places = [text.find(part) for part in parts]
    assert -1 not in places
    assert places == sorted(places)


def test_only_a_command_that_changes_something_takes_dry_run() -> None:
    assert json.loads(golden.call(["probe", "change", "-n", "-o", "json"]).stdout)["dry_run"] is True
    assert json.loads(golden.call(["-n", "probe", "change", "-o", "json"]).stdout)["dry_run"] is True
    for words in (["probe", "list", "--dry-run"], ["-n", "probe", "list"]):
        result = golden.call(words)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "--dry-run does not apply" in result.stderr
    assert "--dry-run" in golden.call(["probe", "change", "-h"]).stdout
    assert "--dry-run" not in golden.call(["probe", "list", "-h"]).stdout


def test_as_of_is_for_commands_that_can_look_back() -> None:
    assert golden.call(["--as-of", "2026-01-01", "probe", "list"]).exit_code == 0
    assert golden.call(["--as-of", "2026-01-01", "probe", "change", "-n"]).exit_code == 2
    assert golden.call(["--as-of", "2026-01-01", "probe", "change"]).exit_code == 2


@pytest.mark.parametrize("words", [["probe", "change", "-o", "csv"], ["-o", "csv", "probe", "change"]])
def test_a_form_the_command_does_not_know_is_refused_before_it_runs(words: list[str]) -> None:
    result = golden.call(words)

    assert (result.exit_code, result.stdout) == (2, "")


def test_quiet_drops_good_news_but_no_data_and_no_trouble(samples: object) -> None:
    @command(example="x", changes=True)
    def troubled_command(call: Invocation) -> None:
        """Trouble."""
        call.say("told")
        call.emit({}, "result", trouble=True)

    assert golden.call(["-q", "probe", "change"]).stdout == ""
    assert golden.call(["probe", "change"]).stdout == "changed\n"
    assert golden.call(["-q", "probe", "change", "-o", "json"]).stdout != ""
    assert golden.call(["-q", "probe", "list"]).stdout != ""
    samples.change_command = troubled_command  # type: ignore[attr-defined]
    assert golden.call(["-q", "probe", "change"]) == golden.Result(0, "result\n", "")


def test_the_callback_gets_its_own_parameters_only() -> None:
    seen = {}

    @command(example="x")
    @click.option("--size", type=int, default=3)
    @click.argument("place")
    def measure_command(call: Invocation, **values: object) -> None:
        """Measure."""
        seen.update(values)

    assert isinstance(measure_command, Leaf)
    measure_command.main(["here", "-q", "--headers", "code"], standalone_mode=False)

    assert seen == {"size": 3, "place": "here"}


def test_paragraphs_are_messages_and_kept_lines_stay() -> None:
    assert paragraphs("One\n    line.\n\n    Two.\n\n    \b\n    kept  so\n      here\n    ") == [
        "One line.",
        "Two.",
        "\b\nkept  so\n  here",
    ]


def test_help_speaks_the_language_of_the_call_not_of_the_import() -> None:
    assert "Usage:" in golden.call(["probe", "list", "-h"]).stdout
    chinese = golden.call(["--lang", "zh", "probe", "list", "-h"]).stdout
    assert "用法：" in chinese
    assert "通用选项" in chinese
    assert "Usage:" in golden.call(["probe", "list", "-h"]).stdout
