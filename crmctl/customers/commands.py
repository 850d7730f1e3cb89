"""`crmctl customer …`: import, template, list, show, find, history."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crmctl.cli.importing import IMPORT_EXITS, mode_options, sheet_options
from crmctl.cli.options import Invocation, command, personal_option
from crmctl.cli.render import Column, Table
from crmctl.i18n import N_, _

if TYPE_CHECKING:
    from crmctl.customers.records import Filters
    from crmctl.runs.run import Run

READING_EXITS = (0, 1, 2, 4, 6, 10, 11, 12, 74)


@command(
    example=("crmctl customer import 客户.csv", "crmctl customer import 客户.xlsx --mode upsert --dry-run"),
    exits=IMPORT_EXITS,
    changes=True,
)
@mode_options("create", blank=N_("What blank cells do to an existing customer."))
@click.option("--source", default="default", help=N_("System the external codes of this file come from."))
@click.option("--type", "type_", default="", help=N_("Customer type of rows that name none."))
@click.option("--recreate", is_flag=True, help=N_("Enter also who asked to be forgotten and came back (logged)."))
@sheet_options(
    drop_unknown=N_("Leave out columns that are not on the field list (INF-11)."),
    max_changes=N_("Allow so many changes of customers (logged)."),
)
def import_command(call: Invocation, file: str, **given: Any) -> int | None:  # noqa: ANN401
    """Import customers from CSV, XLSX, XLS or ODS; - reads standard input.

    Rows are validated, normalised, matched by their identities, sealed and logged. Rejected rows are kept in
    quarantine with their reasons (exit status 3); the rest is committed. The same file again changes nothing. An
    interrupted import is finished by: crmctl batch resume.
    """
    from crmctl.customers import intake
    from crmctl.customers.asking import import_request
    from crmctl.runs import run as runs
    from crmctl.sheets.outcome import emit_outcome

    with runs.open_run(call, "customer import", "customer.import", lock="import") as run:
        request = import_request(run, file, given)
        with call.progress(_("importing")) as progress:
            outcome = intake.start(run, request, progress.advance)
    return emit_outcome(call, outcome)


@command(example="crmctl customer list --tier core --limit 20", exits=READING_EXITS)
@click.option("--tier", default="", help=N_("Only this tier (code, label or synonym)."))
@click.option("--owner", default="", metavar="STAFF", help=N_("Only customers of this owner (staff number or name)."))
@click.option(
    "--status",
    default="",
    help=N_("Only this status: draft, submitted, returned, archived, cancelled, put_away, provisional."),
)
@click.option("--type", "type_", default="", help=N_("Only this customer type (code, label or synonym)."))
@click.option("--org-unit", default="", help=N_("Only this organisation unit."))
@click.option("--batch", type=int, help=N_("Only customers that this import created."))
@click.option("--flagged", is_flag=True, help=N_("Only customers with a flag."))
@click.option("--flag", default="", help=N_("Only customers with this flag, as in SHARED_KEY."))
@click.option("--company", default="", help=N_("Only organisations whose name contains this text."))
@click.option("--count", is_flag=True, help=N_("Only say how many there are."))
@click.option("--limit", type=click.IntRange(1, 1000), default=50, help=N_("How many to show."))
@click.option("--after", default="", metavar="NUMBER", help=N_("Continue after this customer."))
def list_command(call: Invocation, count: bool, limit: int, after: str, **given: Any) -> int | None:  # noqa: ANN401
    """List customers in order of number, masked.

    The list is an entry of the audit log. More than a page: the last line says how to go on. Who is cancelled or
    put away and unidentified complainants are no customers: they are listed by --status cancelled, put_away or
    provisional alone.
    """
    from crmctl.customers import records, showing
    from crmctl.runs import run as runs

    with runs.open_run(call, "customer list", "customer.list") as run:
        filters = _filters(run, given, showing.parse_number(after) if after else 0)
        if count:
            found = records.count(run, filters)
            run = runs.record_reading(run, n=found)
            call.emit({"run_id": run.run_id, "count": found}, str(found))
            return None
        page = records.page(run, filters, limit)
        run = runs.record_reading(run, n=len(page.customers), looks=[shown.customer_id for shown in page.customers])
        more = []
        if page.next is not None:
            more = [_("more: --after {number}").format(number=showing.number_text(page.next))]
        rows = [showing.list_row(shown) for shown in page.customers]
        call.emit(
            {"run_id": run.run_id, "next": page.next},
            Table(showing.list_columns(run), rows, "customers"),
            *more,
        )
    return None


def _filters(run: Run, given: dict[str, Any], after: int) -> Filters:
    from crmctl.customers import asking
    from crmctl.customers.asking import code_of
    from crmctl.customers.records import Filters

    return Filters(
        tier=code_of(run.policies, "tier", given["tier"]),
        owner=asking.owner_of(run, given["owner"]),
        status=code_of(run.policies, "status", given["status"]),
        type=code_of(run.policies, "type", given["type_"]),
        org_unit=code_of(run.policies, "org_unit", given["org_unit"]),
        batch=given["batch"],
        flag=given["flag"].upper() or ("*" if given["flagged"] else ""),
        company=given["company"],
        after=after,
    )


@command(
    example=(
        "crmctl customer show C-000123",
        "crmctl customer show C-000123 --reveal mobile,email --purpose contact",
        "crmctl customer show C-000123 --reveal mobile --ticket CMP-20261121-0007",
    ),
    exits=READING_EXITS,
)
@click.argument("number")
@click.option("--reveal", default="", metavar="FIELDS", help=N_("Show these fields in clear, as in mobile,email."))
@click.option("--purpose", default="", help=N_("What it is used for: a purpose of the use policy (with --reveal)."))
@click.option("--ticket", default="", help=N_("Ticket it is done for, as in CRM-4711 (with --reveal)."))
def show_command(call: Invocation, number: str, reveal: str, purpose: str, ticket: str) -> int | None:
    """Show one customer with its contact persons, masked.

    Personal values in clear are a right of its own (customer.reveal), for a purpose that policy allows; each is in the
    log and in the records of use before it is shown: crmctl use list --records. The number of an open complaint of
    this customer as --ticket says what for by itself.
    """
    from crmctl.customers import records, scope, showing
    from crmctl.customers.model import PROVISIONAL
    from crmctl.errors import UsageProblem
    from crmctl.runs import run as runs

    if bool(reveal) != bool(purpose or ticket):
        raise UsageProblem(_("--reveal and --purpose go together"), hint=_("as in --reveal mobile --purpose contact"))
    with runs.open_run(call, "customer show", "customer.reveal" if reveal else "customer.show") as run:
        wanted = showing.parse_number(number)
        told: dict[str, Any] = {"masked": True}
        if reveal:
            from crmctl.customers import revealing

            found = revealing.reveal(run, wanted, revealing.Wish(reveal, purpose, ticket))
            run, shown = found.run, found.shown
            told |= {"revealed": list(found.fields), "purpose": found.purpose, "use_record": found.record_id}
            if blank := revealing.blank(found):
                call.say(_("this customer has none of these: {fields}").format(fields=", ".join(blank)))
        else:
            page = records.page(run, records.Filters(numbers=(wanted,)), 1)
            if not page.customers:
                raise scope.refused(run, wanted)
            shown = page.customers[0]
            run = runs.record_reading(run, obj=f"customer:{wanted}", n=1)
        if shown.clear.get("status") == PROVISIONAL:
            told_of = showing.number_text(wanted)
            call.say(_("{customer}: nobody knows yet who that is").format(customer=told_of))
        columns = (Column("of", N_("Of")), Column("field", N_("Field")), Column("value", N_("Value")))
        document = {
            "run_id": run.run_id,
            "customer": {"customer": wanted, **showing.with_local_times(shown.clear, run.zone)},
            "personal": dict(shown.personal),
            "contacts": [dict(contact) for contact in shown.contacts],
            **told,
        }
        call.emit(document, Table(columns, showing.field_lines(run, shown)))
    return None


@command(
    example=("crmctl customer find --mobile", "crmctl customer find --company 伟业"),
    exits=READING_EXITS,
)
@personal_option("--mobile", help=N_("Mobile number."))
@personal_option("--email", help=N_("E-mail address."))
@personal_option("--uscc", help=N_("统一社会信用代码, unified social credit code."))
@personal_option("--code", help=N_("External code; with --source its system."))
@personal_option("--name", help=N_("Name of an individual or a contact person, exact."))
@click.option("--company", default="", help=N_("Part of an organisation's name."))
@click.option("--number", default="", help=N_("Customer number."))
@click.option("--source", default="default", help=N_("System the external code comes from."))
@click.option("--limit", type=click.IntRange(1, 1000), default=50, help=N_("How many to show."))
def find_command(call: Invocation, company: str, number: str, source: str, limit: int, **given: Any) -> int | None:  # noqa: ANN401
    """Find customers by what is known of them, masked.

    Personal values are looked up by their digest; the log notes which kind was asked for, never the value. Several
    together narrow.
    """
    from crmctl.customers import asking, records, showing
    from crmctl.runs import run as runs

    with runs.open_run(call, "customer find", "customer.find") as run:
        asked = {name: value for name, value in given.items() if value}
        filters, kinds = asking.filters(run, asked, company, number, source)
        page = records.page(run, filters, limit)
        shown_ids = [shown.customer_id for shown in page.customers]
        run = runs.record_reading(run, n=len(page.customers), fields=kinds, looks=shown_ids)
        rows = [showing.list_row(shown) for shown in page.customers]
        call.emit(
            {"run_id": run.run_id, "next": page.next},
            Table(showing.list_columns(run), rows, "customers"),
            *([] if rows else [_("nobody found")]),
        )
    return None


@command(example="crmctl customer history C-000123", exits=READING_EXITS)
@click.argument("number")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, help=N_("How many to show."))
def history_command(call: Invocation, number: str, limit: int) -> int | None:
    """Show who changed what of a customer and when, newest first: fields, not values."""
    from crmctl import clock
    from crmctl.customers import records, scope, showing
    from crmctl.runs import run as runs

    with runs.open_run(call, "customer history", "customer.history") as run:
        wanted = showing.parse_number(number)
        changes = records.history(run, wanted, limit)
        if not changes:
            raise scope.refused(run, wanted)
        run = runs.record_reading(run, obj=f"customer:{wanted}", n=len(changes))
        columns = (
            Column("change", N_("Change"), detail=True),
            Column("at", N_("At")),
            Column("person", N_("Who")),
            Column("command", N_("Command")),
            Column("object", N_("Object"), show=lambda value: _(OBJECTS.get(value, value))),
            Column("number", N_("No."), detail=True),
            Column("operation", N_("Operation"), show=lambda value: _(OPERATIONS.get(value, value))),
            Column("version", N_("Version")),
            Column("fields", N_("Fields")),
            Column("run", N_("Run")),
        )
        rows = [
            (
                item.change_id,
                clock.local(item.at, run.zone) if item.at else None,
                item.person,
                item.command,
                item.object,
                item.object_id,
                item.operation,
                item.version,
                item.fields,
                item.run_id,
            )
            for item in changes
        ]
        call.emit({"run_id": run.run_id, "customer": wanted}, Table(columns, rows, "changes"))
    return None


OBJECTS = {"customer": N_("customer"), "contact": N_("contact"), "order": N_("order")}
OPERATIONS = {"create": N_("created"), "update": N_("changed"), "destroy": N_("destroyed")}


@command(
    example="crmctl customer template --type enterprise -o xlsx > 客户.xlsx",
    exits=(0, 2, 4, 6),
    formats=("xlsx", "csv"),
)
@click.option("--type", "type_", default="", help=N_("Customer type (code, label or synonym); default: all."))
@click.option("--out", type=click.Path(path_type=Path), help=N_("Write to this file instead of standard output."))
def template_command(call: Invocation, type_: str, out: Path | None) -> int | None:
    """Write the empty sheet that a desk fills in and `customer import` reads.

    Headers, notes and allowed values are in your language; what is required is marked.
    """
    from crmctl.customers import asking

    asking.write_template(call, type_, out)
    return None
