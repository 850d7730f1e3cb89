"""`crmctl order …`: import, list, template."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crmctl.cli.importing import IMPORT_EXITS, sheet_options
from crmctl.cli.options import Invocation, command
from crmctl.cli.render import Table
from crmctl.i18n import N_, _

if TYPE_CHECKING:
    from crmctl.orders.records import Filters

READING_EXITS = (0, 1, 2, 4, 6, 10, 11, 12, 74)


@command(
    example=("crmctl order import 订单.xlsx --source erp", "crmctl order import orders.csv --dry-run"),
    exits=IMPORT_EXITS,
    changes=True,
)
@click.option("--source", default="default", help=N_("System the order numbers and customer codes come from."))
@sheet_options(
    drop_unknown=N_("Leave out columns that the policy does not list."),
    max_changes=N_("Allow so many changes of orders (logged)."),
)
def import_command(call: Invocation, file: str, **given: Any) -> int | None:  # noqa: ANN401
    """Import orders from CSV, XLSX, XLS or ODS; - reads standard input.

    A row is one order of a known customer, whom it names by code, number, company, mobile, e-mail or credit code. A new
    number creates an order, a known one changes it where the row says something else; blank cells change nothing. The
    same file again changes nothing. Rejected rows are kept in quarantine with their reasons (exit status 3). An
    interrupted import is finished by: crmctl batch resume.
    """
    from crmctl.orders import intake
    from crmctl.runs import run as runs
    from crmctl.sheets.origin import requested
    from crmctl.sheets.outcome import emit_outcome

    with runs.open_run(call, "order import", "order.import", lock="import") as run:
        request = requested(file, given)
        with call.progress(_("importing")) as progress:
            outcome = intake.start(run, request, progress.advance)
    return emit_outcome(call, outcome)


@command(example="crmctl order list --customer C-000123 --from 2026-01-01", exits=READING_EXITS)
@click.option("--customer", default="", help=N_("Only orders of this customer (its number)."))
@click.option("--from", "first", type=click.DateTime(["%Y-%m-%d"]), help=N_("Only orders made on this day or later."))
@click.option("--to", "last", type=click.DateTime(["%Y-%m-%d"]), help=N_("Only orders made on this day or earlier."))
@click.option("--number", default="", help=N_("Only the order with this number, in any system."))
@click.option("--batch", type=int, help=N_("Only orders that this import created."))
@click.option("--no-rate", is_flag=True, help=N_("Only orders without an amount in the company's currency."))
@click.option("--count", is_flag=True, help=N_("Only say how many there are."))
@click.option("--limit", type=click.IntRange(1, 1000), default=50, help=N_("How many to show."))
@click.option("--after", default="", metavar="PLACE", help=N_("Continue where the page before ended."))
def list_command(call: Invocation, count: bool, limit: int, **given: Any) -> int | None:  # noqa: ANN401
    """List orders by customer.

    JSON has amounts in minor units (cents) and, for people, as text. More than a page: the last line says how to go on.
    """
    from crmctl.orders import records, showing
    from crmctl.runs import run as runs

    with runs.open_run(call, "order list", "order.list") as run:
        filters = _filters(given)
        if count:
            found = records.count(run, filters)
            run = runs.record_reading(run, n=found)
            call.emit({"run_id": run.run_id, "count": found}, str(found))
            return None
        page = records.page(run, filters, limit)
        run = runs.record_reading(run, n=len(page.orders))
        rows = showing.list_rows(page.orders, records.settings_of(run), run.policies.company.currency)
        more = [] if page.next is None else [_("more: --after {number}").format(number=page.next)]
        call.emit({"run_id": run.run_id, "next": page.next}, Table(showing.COLUMNS, rows, "orders"), *more)
    return None


def _filters(given: dict[str, Any]) -> Filters:
    from crmctl.customers.showing import parse_number
    from crmctl.orders import records

    return records.Filters(
        customer=parse_number(given["customer"]) if given["customer"] else None,
        first=given["first"].date() if given["first"] else None,
        last=given["last"].date() if given["last"] else None,
        number=given["number"],
        batch=given["batch"],
        unrated=given["no_rate"],
        after=records.place(given["after"]) if given["after"] else (0, 0),
    )


@command(example="crmctl order template -o xlsx > 订单.xlsx", exits=(0, 2, 4, 6), formats=("xlsx", "csv"))
@click.option("--out", type=click.Path(path_type=Path), help=N_("Write to this file instead of standard output."))
def template_command(call: Invocation, out: Path | None) -> int | None:
    """Write the empty sheet that a desk fills in and `order import` reads.

    Headers, notes and allowed values are in your language; what is required is marked.
    """
    from crmctl.orders.asking import write_template

    write_template(call, out)
    return None
