"""What commands that import sheets have in common: the same options, each in the words of its subject."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from crmctl.cli.importing import IMPORT_EXITS
from crmctl.cli.options import Leaf
from crmctl.customers.commands import import_command as customers
from crmctl.orders.commands import import_command as orders
from crmctl.sheets.origin import requested
from crmctl.staff.commands import import_command as staff

COMMANDS: dict[str, Any] = {"customers": customers, "orders": orders, "staff": staff}


def answers(leaf: Leaf, words: list[str]) -> dict[str, Any]:
    """Return what a command line says, as the command's function is given it."""
    return dict(leaf.make_context("import", words).params)


@pytest.mark.parametrize("name", COMMANDS)
def test_an_import_is_asked_what_a_request_consists_of(name: str, tmp_path: Path) -> None:
    words = ["a.csv", "--encoding", "gb18030", "--delimiter", "tab", "--sheet", "2", "--drop-unknown", "--chunk", "7"]
    words += ["--limit", "9", "--max-changes", "11", "--rejects", str(tmp_path / "no.csv")]

    request = requested("a.csv", {"source": "default", **answers(COMMANDS[name], words)})

    options = request.options
    assert (options.encoding, options.delimiter, options.sheet, options.limit) == ("gb18030", "tab", "2", 9)
    assert (options.drop_unknown, request.chunk, request.max_changes) == (True, 7, 11)
    assert request.rejects == tmp_path / "no.csv"


@pytest.mark.parametrize(("name", "mode"), [("customers", "create"), ("staff", "upsert")])
def test_what_becomes_of_known_rows_is_each_subjects_own_default(name: str, mode: str) -> None:
    leaf = COMMANDS[name]

    assert requested("a", {"source": "", **answers(leaf, ["a"])}).mode == mode
    assert requested("a", {"source": "", **answers(leaf, ["a", "--mode", "update"])}).mode == "update"
    assert requested("a", {"source": "", **answers(leaf, ["a", "--blank", "clear"])}).clear_blanks


@pytest.mark.parametrize("name", COMMANDS)
def test_an_import_explains_the_same_exits_and_speaks_of_its_subject(name: str) -> None:
    leaf = COMMANDS[name]
    helps = {parameter.name: parameter.help for parameter in leaf.params if isinstance(parameter, click.Option)}

    assert leaf.exits == IMPORT_EXITS
    assert {"customers": "customers", "orders": "orders", "staff": "people"}[name] in str(helps["max_changes"])
