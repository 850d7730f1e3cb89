"""Every parameter that names a file is accounted for: it crosses to the service account in a stated way, or not."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest

from crmctl.cli import crossing
from crmctl.cli.lazy import resolve
from crmctl.cli.table import COMMANDS

USES = {crossing.READ, crossing.WRITE, crossing.STREAM, crossing.FOLDER, crossing.HERE}


def parameters() -> Iterator[tuple[str, click.Parameter]]:
    for entry in COMMANDS:
        for parameter in resolve(entry).params:
            if parameter.name != "workspace":
                yield entry.path, parameter


def test_every_path_of_every_command_is_accounted_for() -> None:
    stated = {(command, name) for command, uses in crossing.FILES.items() for name in uses}
    stated |= {(command, name) for command, names in crossing.NEVER.items() for name in names}
    found = {
        (command, parameter.name)
        for command, parameter in parameters()
        if crossing.names_a_path(command, parameter) and command not in crossing.OWN
    }
    assert found == stated


def test_what_help_calls_a_file_is_declared_as_one() -> None:
    called = re.compile(r"\b(FILE|PATH|DIR|FOLDER|NOTE)\b")
    found = [
        (command, parameter.name)
        for command, parameter in parameters()
        if called.search(parameter.metavar or "") and not crossing.names_a_path(command, parameter)
        if command not in crossing.OWN
    ]
    assert found == []


def test_uses_are_known_and_a_command_streams_one_file_at_most() -> None:
    for uses in crossing.FILES.values():
        assert set(uses.values()) <= USES
        assert list(uses.values()).count(crossing.STREAM) <= 1


@pytest.mark.parametrize("kind", [click.Path(), click.File()])
def test_a_new_path_is_seen(kind: click.ParamType) -> None:
    assert crossing.names_a_path("customer list", click.Option(["--new"], type=kind))
    assert not crossing.names_a_path("customer list", click.Option(["--new"]))
