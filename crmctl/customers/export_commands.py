"""`crmctl customer export` and `crmctl use request`: what leaves in a file, and asking for it first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crmctl.cli.options import Invocation, command
from crmctl.errors import UsageProblem
from crmctl.i18n import N_, _

if TYPE_CHECKING:
    from crmctl.customers.exporting import Exported

EXPORT_EXITS = (0, 1, 2, 4, 6, 8, 10, 11, 12, 13, 74, 130, 143)
REQUEST_EXITS = (0, 1, 2, 4, 6, 10, 11, 12, 74, 130, 143)
Function = Callable[..., Any]


def selection_options(function: Function) -> Function:
    """Add the options that say which customers, as `customer list` has them."""
    for option in reversed(
        (
            click.option("--tier", default="", help=N_("Only this tier (code, label or synonym).")),
            click.option("--owner", type=int, help=N_("Only customers of this owner (staff number).")),
            click.option(
                "--status",
                default="",
                help=N_("Only this status: draft, submitted, returned, archived, cancelled, provisional."),
            ),
            click.option("--type", "type_", default="", help=N_("Only this customer type (code, label or synonym).")),
            click.option("--org-unit", default="", help=N_("Only this organisation unit.")),
            click.option("--batch", type=int, help=N_("Only customers that this import created.")),
            click.option("--flagged", is_flag=True, help=N_("Only customers with a flag.")),
            click.option("--flag", default="", help=N_("Only customers with this flag, as in SHARED_KEY.")),
            click.option("--company", default="", help=N_("Only organisations whose name contains this text.")),
        )
    ):
        function = option(function)
    return function


@command(
    example=(
        "crmctl customer export --fields company_name,name,mobile --recipient sales --purpose contact --tier core "
        "--out 核心客户.csv",
        "crmctl customer export --use 3 -o xlsx --out 核心客户.xlsx",
    ),
    exits=EXPORT_EXITS,
    formats=("csv", "xlsx", "ndjson", "json"),
)
@click.option("--fields", default="", help=N_("Fields to write, in this order: codes or labels."))
@click.option("--recipient", default="", help=N_("Who gets it: a recipient of the use policy."))
@click.option("--purpose", default="", help=N_("What it is used for: a purpose of the use policy."))
@click.option("--ticket", default="", help=N_("Ticket it is done for, as in CRM-4711."))
@click.option(
    "--use", type=click.IntRange(min=1), help=N_("Approved use request; says all of the above that is left out.")
)
@click.option("--source", default="default", help=N_("System whose external codes are written."))
@selection_options
@click.option("--out", type=click.Path(path_type=Path), required=True, help=N_("File to write; it must not exist."))
def export_command(call: Invocation, out: Path, use: int | None, **given: Any) -> int | None:  # noqa: ANN401
    """Write chosen fields of customers to a file that only you can read.

    Personal fields are in full where your roles may export them and the purpose needs them, masked otherwise. Above the
    number of customers in access.yaml, and for every recipient outside, an approved use request is needed. One row is
    one customer, or one contact person where a field of contact persons is asked for; csv and xlsx with headings in
    words import again as they are.

    The file is in the register of copies with its hash, recipient, purpose and the day it has to go: crmctl use copies.
    """
    from crmctl.customers import asking_use, exporting
    from crmctl.runs import run as runs

    with runs.open_run(call, "customer export", exporting.ACT) as run:
        wish = asking_use.export_wish(run, call, out, use, given)
        with call.progress(_("exporting")) as progress:
            done = exporting.export(run, wish, progress.advance)
    _tell(call, done, out)
    return None


def _tell(call: Invocation, done: Exported, out: Path) -> None:
    full = [each.code for each in done.fields if each.how == "full"]
    masked = [each.code for each in done.fields if each.how == "masked"]
    if call.as_json:
        document = {
            "run_id": done.run_id, "copy": done.copy_id, "use_record": done.record_id, "customers": done.customers,
            "rows": done.rows, "file": str(out), "bytes": done.size, "sha256": done.sha256, "fields_in_full": full,
            "fields_masked": masked, "due_on": done.due_on,
        }  # fmt: skip
        call.emit(document)
        return
    call.say(
        _("{path}: {customers} customers, {rows} rows (in clear, owner-only); copy {copy}, SHA-256 {sha256}").format(
            path=out, customers=f"{done.customers:,}", rows=f"{done.rows:,}", copy=done.copy_id, sha256=done.sha256
        )
    )
    if masked:
        call.say(_("masked: {fields}").format(fields=", ".join(masked)))
    due = done.due_on or _("(undecided: copy_retention_days in company.yaml)")
    call.say(_("destroy it by {day}, then: crmctl use destroyed {copy}").format(day=due, copy=done.copy_id))
    call.say(_("when it is used: crmctl use record R-{number} --result …").format(number=done.record_id))


@command(
    example="crmctl use request --fields company_name,name,mobile --recipient sales --purpose contact --manner phone "
    "--responsible 1001 --why 年度回访 --tier core",
    exits=REQUEST_EXITS,
    formats=("table", "json"),
)
@click.option("--fields", required=True, help=N_("Fields that are needed, in the order of the file: codes or labels."))
@click.option("--recipient", required=True, help=N_("Who gets it: a recipient of the use policy."))
@click.option("--purpose", required=True, help=N_("What it is used for: a purpose of the use policy."))
@click.option("--manner", required=True, help=N_("How it is used: a manner of the use policy."))
@click.option("--responsible", required=True, metavar="WHO", help=N_("Who answers for it: staff number or person."))
@click.option("--why", required=True, metavar="TEXT", help=N_("Why it is needed, in words; kept sealed."))
@selection_options
def use_request_command(call: Invocation, why: str, **given: Any) -> int | None:  # noqa: ANN401
    """Ask to export fields of customers: what for, how, for whom, and who answers for it.

    The request holds for exactly the customers that the filters find now. Somebody else agrees to it with: crmctl
    approval approve N. Then you export, once, with: crmctl customer export --use N.
    """
    from crmctl.customers import asking_use
    from crmctl.runs import run as runs

    if not why.strip():
        raise UsageProblem(_("--why: says nothing"), hint=_("say in a sentence why it is needed"))
    with runs.open_run(call, "use request", "use.request") as run:
        done = asking_use.request(run, why.strip(), given)
    request = done.request
    document = {
        "run_id": request.run_id, "use": request.use_id, "approval": request.approval_id, "customers": request.rows,
        "fields_in_full": done.full, "fields_masked": done.masked, "hash": request.hash,
    }  # fmt: skip
    lines = [
        _("Use request {number}: {rows} customers; in full: {full}; masked: {masked}").format(
            number=request.use_id,
            rows=f"{request.rows:,}",
            full=", ".join(done.full) or "-",
            masked=", ".join(done.masked) or "-",
        )
    ]
    if request.approval_id is not None:
        lines.append(_("somebody else agrees: crmctl approval approve {number}").format(number=request.approval_id))
    lines.append(_("then: crmctl customer export --use {number} --out FILE").format(number=request.use_id))
    call.emit(document, *lines)
    return None
