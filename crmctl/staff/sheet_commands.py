"""`crmctl staff import` and `staff template`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from crmctl.cli.options import Invocation, command
from crmctl.i18n import N_, _

IMPORT_EXITS = (0, 1, 2, 3, 4, 6, 7, 10, 11, 12, 74, 130, 143)


@command(
    example=("crmctl staff import 员工.xlsx", "crmctl staff import employees.csv --dry-run"),
    exits=IMPORT_EXITS,
    changes=True,
)
@click.argument("file")
@click.option(
    "--mode",
    type=click.Choice(["create", "update", "upsert"]),
    default="upsert",
    help=N_("create adds, update changes, upsert does both."),
)
@click.option(
    "--blank", type=click.Choice(["keep", "clear"]), default="keep", help=N_("What blank cells do to a known person.")
)
@click.option("--encoding", help=N_("Encoding of a CSV, as in gb18030; found by itself otherwise."))
@click.option("--delimiter", help=N_("Separator of a CSV: comma, semicolon, tab or a character."))
@click.option("--sheet", help=N_("Sheet of a workbook: name or position."))
@click.option("--mapping", type=click.Path(path_type=Path), help=N_("YAML file: mapping: {header: field or ignore}."))
@click.option("--drop-unknown", is_flag=True, help=N_("Leave out columns that are not on the field list (INF-11)."))
@click.option("--chunk", type=click.IntRange(1, 200_000), default=10_000, help=N_("Rows in one transaction."))
@click.option("--rejects", type=click.Path(path_type=Path), help=N_("Write the rejected rows to this file."))
@click.option("--limit", type=click.IntRange(min=1), help=N_("Only the first so many rows."))
@click.option("--max-changes", type=click.IntRange(min=0), help=N_("Allow so many changes of known people (logged)."))
def import_command(call: Invocation, file: str, **given: Any) -> int | None:  # noqa: ANN401
    """Import staff from CSV, XLSX, XLS or ODS; - reads standard input.

    People are recognised by their staff number. What is private in a sheet of staff (birthdays, addresses, telephone
    numbers) is not read. Rejected rows are kept in quarantine with their reasons (exit status 3); the rest is
    committed. The same file again changes nothing. An interrupted import is finished by: crmctl batch resume.
    """
    from crmctl.runs import run as runs
    from crmctl.sheets import origin
    from crmctl.sheets.outcome import emit_outcome
    from crmctl.staff import intake

    with runs.open_run(call, "staff import", "staff.import", lock="import") as run:
        request = origin.requested(file, {**given, "source": "default"})
        with call.progress(_("importing")) as progress:
            outcome = intake.start(run, request, progress.advance)
    return emit_outcome(call, outcome)


@command(example="crmctl staff template -o xlsx > 员工.xlsx", exits=(0, 2, 4, 6), formats=("xlsx", "csv"))
@click.option("--out", type=click.Path(path_type=Path), help=N_("Write to this file instead of standard output."))
def template_command(call: Invocation, out: Path | None) -> int | None:
    """Write the empty sheet of staff that `staff import` reads.

    Headers, notes and allowed values are in your language; what is required is marked.
    """
    from crmctl import policy, workspace
    from crmctl.i18n import lang
    from crmctl.sheets.asking import deliver
    from crmctl.staff.policy import outside_lists, settings_of
    from crmctl.staff.template import template

    policies = policy.load(workspace.called(call).policies)
    deliver(call, template(settings_of(policies), lang(), call.output, outside_lists(policies)), out)
    return None
