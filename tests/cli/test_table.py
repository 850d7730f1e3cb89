"""Every command of the table: it exists, and its help begins with an example."""

from __future__ import annotations

import shlex

import golden
import pytest

from crmctl.cli.lazy import resolve
from crmctl.cli.nouns import GROUPS
from crmctl.cli.options import Leaf
from crmctl.cli.table import COMMANDS, Entry
from crmctl.errors import EXIT_CODES

entries = pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.path)


@entries
def test_it_exists_and_is_made_by_our_decorator(entry: Entry) -> None:
    assert isinstance(resolve(entry), Leaf)


@entries
def test_its_help_begins_with_an_example_of_itself(entry: Entry) -> None:
    command = resolve(entry)
    assert isinstance(command, Leaf)

    result = golden.call([*entry.path.split(), "--help"])

    assert result.exit_code == 0
    assert result.stdout.startswith(f"Example:\n  {command.examples[0]}\n")
    assert command.examples[0].startswith(f"crmctl {entry.path}")


@entries
def test_its_example_parses(entry: Entry) -> None:
    command = resolve(entry)
    assert isinstance(command, Leaf)
    for example in command.examples:
        words = shlex.split(example.partition(" | ")[0].partition(" > ")[0].partition(" < ")[0])
        if words[: 1 + len(entry.path.split())] == ["crmctl", *entry.path.split()]:
            context = command.make_context(entry.path, words[1 + len(entry.path.split()) :])
            assert context.args == []


@entries
def test_its_exit_codes_are_documented_ones(entry: Entry) -> None:
    command = resolve(entry)
    assert isinstance(command, Leaf)

    assert command.exits
    assert set(command.exits) <= set(EXIT_CODES)


@entries
def test_its_options_are_explained_and_spelled_once(entry: Entry) -> None:
    command = resolve(entry)
    spellings = [spelling for parameter in command.params for spelling in (*parameter.opts, *parameter.secondary_opts)]

    assert len(spellings) == len(set(spellings))
    assert [p.opts for p in command.params if p.param_type_name == "option" and not getattr(p, "help", "")] == []


def test_every_noun_has_commands_and_every_path_its_noun() -> None:
    nouns = {entry.path.rpartition(" ")[0] for entry in COMMANDS if " " in entry.path}

    assert {group.path for group in GROUPS} == nouns
    assert len({entry.path for entry in COMMANDS}) == len(COMMANDS)
