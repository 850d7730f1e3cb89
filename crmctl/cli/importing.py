"""What every command that imports a sheet is asked alike: where its cells are, how much of it, what may change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from crmctl.i18n import N_

IMPORT_EXITS = (0, 1, 2, 3, 4, 6, 7, 10, 11, 12, 74, 130, 143)
MODES = ("create", "update", "upsert")
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def mode_options(default: str, *, blank: str) -> Decorator:
    """Return the decorator for what becomes of rows that are known or not, and what blank cells do (help `blank`)."""
    mode = click.option(
        "--mode", type=click.Choice(MODES), default=default, help=N_("create adds, update changes, upsert does both.")
    )
    blanks = click.option("--blank", type=click.Choice(["keep", "clear"]), default="keep", help=blank)
    return lambda function: mode(blanks(function))


def sheet_options(*, drop_unknown: str, max_changes: str = "", chunk: int = 10_000) -> Decorator:
    """Return the decorator for the file and how it is read; `sheets.origin.requested` understands the answers.

    `drop_unknown` and `max_changes` are the helps of the two options that speak of the subject; an import that changes
    nothing there is has no `max_changes`. `chunk` is how many rows are one transaction unless said.
    """
    path = click.Path(path_type=Path)
    parameters = [
        click.argument("file"),
        click.option("--encoding", help=N_("Encoding of a CSV, as in gb18030; found by itself otherwise.")),
        click.option("--delimiter", help=N_("Separator of a CSV: comma, semicolon, tab or a character.")),
        click.option("--sheet", help=N_("Sheet of a workbook: name or position.")),
        click.option("--mapping", type=path, help=N_("YAML file: mapping: {header: field or ignore}.")),
        click.option("--drop-unknown", is_flag=True, help=drop_unknown),
        click.option("--chunk", type=click.IntRange(1, 200_000), default=chunk, help=N_("Rows in one transaction.")),
        click.option("--rejects", type=path, help=N_("Write the rejected rows to this file.")),
        click.option("--limit", type=click.IntRange(min=1), help=N_("Only the first so many rows.")),
    ]
    if max_changes:
        parameters.append(click.option("--max-changes", type=click.IntRange(min=0), help=max_changes))

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for parameter in reversed(parameters):
            function = parameter(function)
        return function

    return decorate
