"""`crmctl complaint …`: import, template."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from crmctl.cli.importing import IMPORT_EXITS, sheet_options
from crmctl.cli.options import Invocation, command
from crmctl.i18n import N_, _


@command(
    example=(
        "crmctl complaint import 热线.xlsx --source hotline --channel 电话",
        "crmctl complaint import old-register.csv --source old --migrated --dry-run",
    ),
    exits=IMPORT_EXITS,
    changes=True,
)
@click.option("--source", default="default", help=N_("System the complaint numbers and customer codes come from."))
@click.option("--channel", default="", help=N_("How complaints came whose row does not say it."))
@click.option("--category", default="", help=N_("What complaints are about whose row does not say it."))
@click.option("--migrated", is_flag=True, help=N_("Also what was received longer ago than the policy lets one enter."))
@click.option("--unidentified", is_flag=True, help=N_("Also complaints of whom no customer is known, as provisional."))
@sheet_options(drop_unknown=N_("Leave out columns that the policy does not list."), chunk=2000)
def import_command(call: Invocation, file: str, **given: Any) -> int | None:  # noqa: ANN401
    """Accept the complaints of a CSV, XLSX, XLS or ODS; - reads standard input.

    Each row becomes an open complaint with an acceptance number and time limits from now on. It names its customer by
    number, code, name, mobile, e-mail or credit code. A row is known again by the complaint's number in its own system
    (--source), without one by customer, time and matter: the same file again creates nothing. Rows that say they are
    closed are rejected. Rejected rows are kept in quarantine with their reasons (exit status 3). An interrupted import
    is finished by: crmctl batch resume.
    """
    from dataclasses import replace

    from crmctl.complaints import intake
    from crmctl.runs import run as runs
    from crmctl.sheets.origin import requested
    from crmctl.sheets.outcome import emit_outcome

    wish = intake.Wish(given["migrated"], given["unidentified"], given["channel"], given["category"])
    with runs.open_run(call, "complaint import", "complaint.import", lock="import") as run:
        request = replace(requested(file, given), mode="create")
        with call.progress(_("importing")) as progress:
            outcome = intake.start(run, request, wish, progress.advance)
    return emit_outcome(call, outcome)


@command(example="crmctl complaint template -o xlsx > 投诉.xlsx", exits=(0, 2, 4, 6), formats=("xlsx", "csv"))
@click.option("--out", type=click.Path(path_type=Path), help=N_("Write to this file instead of standard output."))
def template_command(call: Invocation, out: Path | None) -> int | None:
    """Write the empty sheet that a desk or a hotline fills in and `complaint import` reads.

    Headers, notes and allowed values are in your language; what is required is marked.
    """
    from crmctl.complaints import template

    template.write(call, out)
    return None
