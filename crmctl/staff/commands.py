"""`crmctl staff …`: add, list, show, update, deactivate, import, template."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crmctl.cli.importing import IMPORT_EXITS, mode_options, sheet_options
from crmctl.cli.options import Invocation, command
from crmctl.cli.render import Column, Table
from crmctl.i18n import N_, _

if TYPE_CHECKING:
    from crmctl.runs.run import Run
    from crmctl.staff.listing import View
    from crmctl.staff.register import Outcome

READING_EXITS = (0, 1, 2, 4, 6, 10, 11, 74)
CHANGING_EXITS = (0, 1, 2, 4, 6, 10, 11, 74, 130, 143)
_FIELD_OPTIONS: tuple[tuple[str, str], ...] = (
    ("--post", N_("Post: code, label or synonym of company.yaml.")),
    ("--level", N_("Level: code, label or synonym.")),
    ("--department", N_("Department.")),
    ("--org-unit", N_("Organisation unit: code, label or synonym.")),
    ("--region", N_("Region looked after.")),
    ("--capacity", N_("How many customers the person looks after; else as the policy says.")),
    ("--languages", N_("Languages, as in: Mandarin, English.")),
    ("--hr-id", N_("Number in the personnel system.")),
    ("--wecom-id", N_("Account (userid) in WeCom.")),
    ("--dingtalk-id", N_("Account (userid) in DingTalk.")),
    ("--uids", N_("Accounts of the operating system, as in: 1001, 1002.")),
    ("--trained-on", N_("Day the training before the post was passed.")),
    ("--signed-on", N_("Day the confidentiality undertaking was signed.")),
    ("--joined-on", N_("First day in post.")),
    ("--left-on", N_("Day of leaving: from it on no longer in post.")),
)


def field_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command an option for each column of the register, and --set for fields of the policy's own."""
    setting = click.option(
        "--set", "own", multiple=True, metavar="FIELD=VALUE", help=N_("Another field of policies/staff.yaml.")
    )
    function = setting(function)
    for flag, meaning in reversed(_FIELD_OPTIONS):
        decorate = click.option(flag, metavar="DAY" if flag.endswith("-on") else None, help=meaning)
        function = decorate(function)
    return function


@command(
    example="crmctl staff add --number 1001 --name 王小明 --level senior --trained-on 2026-03-05",
    exits=CHANGING_EXITS,
    changes=True,
)
@click.option("--number", required=True, help=N_("Staff number (工号), of which each is one person's."))
@click.option("--name", required=True, help=N_("Name; two people may share one."))
@field_options
def add_command(call: Invocation, own: tuple[str, ...], **given: Any) -> int | None:  # noqa: ANN401
    """Add a person to the staff register.

    Who is not trained or has not signed may be added, and may not own customers: crmctl staff list --problems.
    """
    from crmctl.runs import run as runs
    from crmctl.staff import asking, register

    texts = asking.texts(given, own)
    with runs.open_run(call, "staff add", "staff.add") as run:
        outcome = register.add(run, texts)
    return _emit(call, run, outcome)


@command(
    example=("crmctl staff update 1001 --level supervisor", "crmctl staff update 1001 --left-on ''"),
    exits=CHANGING_EXITS,
    changes=True,
)
@click.argument("staff", metavar="STAFF")
@click.option("--number", help=N_("New staff number."))
@click.option("--name", help=N_("New name."))
@field_options
def update_command(call: Invocation, staff: str, own: tuple[str, ...], **given: Any) -> int | None:  # noqa: ANN401
    """Change what is recorded about a person; an empty value clears the field.

    STAFF is a staff number, a staff id (S-000012), a WeCom account, or a name that only one person has.
    """
    from crmctl.errors import UsageProblem
    from crmctl.runs import run as runs
    from crmctl.staff import asking, register

    texts = asking.texts(given, own)
    if not texts:
        raise UsageProblem(_("nothing to change"), hint=_("name a field, as in --level senior"))
    with runs.open_run(call, "staff update", "staff.update") as run:
        outcome = register.update(run, staff, texts)
    return _emit(call, run, outcome)


@command(example="crmctl staff deactivate 1001 --left-on 2026-11-30", exits=CHANGING_EXITS, changes=True)
@click.argument("staff", metavar="STAFF")
@click.option("--left-on", default="", metavar="DAY", help=N_("Day of leaving, also a coming one; default today."))
def deactivate_command(call: Invocation, staff: str, left_on: str) -> int | None:
    """Record that somebody leaves: from the day of leaving on no longer in post, and no owner.

    Nothing is deleted. To take it back: crmctl staff update STAFF --left-on ''.
    """
    from crmctl.runs import run as runs
    from crmctl.staff import register

    with runs.open_run(call, "staff deactivate", "staff.deactivate") as run:
        outcome = register.deactivate(run, staff, left_on)
    return _emit(call, run, outcome)


def _emit(call: Invocation, run: Run, outcome: Outcome) -> int | None:
    from crmctl.runs.run import today
    from crmctl.staff import showing

    staff = outcome.staff
    state = "active" if staff.active_on(today(run.policies, run.at)) else "inactive"
    document = {
        "run_id": outcome.run_id,
        "outcome": outcome.outcome,
        "fields": list(outcome.fields),
        "staff": {**showing.document(staff), "state": state},
    }
    said = _("{number}: {outcome}").format(
        number=staff.number, outcome=showing.outcome_text(outcome.outcome, dry_run=call.dry_run)
    )
    if outcome.fields:
        names = ", ".join(showing.headings(run.policies, outcome.fields))
        said = _("{message} ({details})").format(message=said, details=names)
    call.emit(document, said)
    return None


@command(example=("crmctl staff list --problems", "crmctl staff list --state active"), exits=READING_EXITS, as_of=True)
@click.option("--post", default="", help=N_("Only this post (code, label or synonym)."))
@click.option("--level", default="", help=N_("Only this level (code, label or synonym)."))
@click.option("--org-unit", default="", help=N_("Only this organisation unit."))
@click.option("--state", type=click.Choice(["active", "inactive"]), help=N_("Only who is in post, or who is not."))
@click.option("--problems", is_flag=True, help=N_("Only who may not own customers, with the reasons."))
@click.option("--count", is_flag=True, help=N_("Only say how many there are."))
def list_command(call: Invocation, count: bool, problems: bool, **given: Any) -> int | None:  # noqa: ANN401
    """List staff.

    Reasons not to own customers: not in post, training before the post not passed or passed too long ago,
    confidentiality undertaking not signed, away without a deputy (OWN-05).
    """
    from crmctl.runs import run as runs
    from crmctl.staff import asking, listing, showing

    with runs.open_run(call, "staff list", "staff.list") as run:
        filters = asking.filters(run.policies, {**given, "problems": problems})
        view = listing.view(run)
        found = view.matching(filters)
        run = runs.record_reading(run, n=len(found))
        document = {"run_id": run.run_id, "day": view.day.isoformat(), "undecided": view.rules.undecided or None}
        if count:
            call.emit({**document, "count": len(found)}, str(len(found)))
        else:
            columns = showing.list_columns(run.policies, problems=problems)
            rows = [showing.list_row(view, item) for item in found]
            call.emit(document, Table(columns, rows, "staff"))
    _tell_undecided(call, run, view, wanted=problems)
    return None


def _tell_undecided(call: Invocation, run: Run, view: View, *, wanted: bool) -> None:
    """Say that one reason could not be looked at, because its figure is undecided (requirements 0.3)."""
    if wanted and view.rules.undecided:
        told = run.policies.waiting((view.rules.undecided,))
        call.warn(_("not checked whether a training has expired: {message}").format(message=told.message))


@command(example="crmctl staff show 1001", exits=READING_EXITS, as_of=True)
@click.argument("staff", metavar="STAFF")
def show_command(call: Invocation, staff: str) -> int | None:
    """Show one person: what is recorded, absences, and why they may not own customers.

    STAFF is a staff number, a staff id (S-000012), a WeCom account, or a name that only one person has.
    """
    from crmctl.runs import run as runs
    from crmctl.staff import absences, listing, register, showing

    with runs.open_run(call, "staff show", "staff.show") as run:
        view = listing.view(run)
        item = view.of(register.one(view.directory, staff))
        run = runs.record_reading(run, obj=f"staff:{item.staff.staff_id}", n=1)
        away = [showing.absence_row(*found) for found in absences.listed(view.directory, item.staff, None)]
        codes = [column.code for column in showing.ABSENCE_COLUMNS]
        document = {
            "run_id": run.run_id,
            "day": view.day.isoformat(),
            "staff": {**showing.document(item.staff), "state": item.state},
            "problems": [{"code": code, "message": showing.problem_text(code)} for code in item.problems],
            "undecided": view.rules.undecided or None,
            "absences": [dict(zip(codes, row, strict=True)) for row in away],
        }
        columns = (Column("field", N_("Field")), Column("value", N_("Value")))
        lines = [*showing.field_lines(run.policies, item)]
        said = ", ".join(map(showing.problem_text, item.problems)) or _("nothing")
        lines.append((_("Speaks against owning customers"), said))
        shown = [Table(showing.ABSENCE_COLUMNS, away)] if away else []
        call.emit(document, Table(columns, lines), *shown)
    _tell_undecided(call, run, view, wanted=True)
    return None


@command(
    example=("crmctl staff import 员工.xlsx", "crmctl staff import employees.csv --dry-run"),
    exits=IMPORT_EXITS,
    changes=True,
)
@mode_options("upsert", blank=N_("What blank cells do to a known person."))
@sheet_options(
    drop_unknown=N_("Leave out columns that are not on the field list (INF-11)."),
    max_changes=N_("Allow so many changes of known people (logged)."),
)
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
