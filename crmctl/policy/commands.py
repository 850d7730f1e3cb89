"""`crmctl policy …`: check the policy files, list and show them, say what they may contain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from crmctl.cli.options import Invocation, command
from crmctl.cli.render import Column, Table
from crmctl.errors import InvalidInput
from crmctl.i18n import N_, _

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from crmctl.policy.policyset import Policy, PolicySet
    from crmctl.policy.problems import Problem

INVALID = 4

_PROBLEM = (
    Column("path", N_("File")),
    Column("line", N_("Line"), right=True),
    Column("column", N_("Column"), right=True),
    Column("code", N_("Code")),
    Column("message", N_("Problem")),
    Column("hint", N_("Hint")),
)
_POLICY = (
    Column("kind", N_("Kind")),
    Column("name", N_("Name")),
    Column("version", N_("Version"), right=True),
    Column("mode", N_("Mode")),
    Column("owner", N_("Responsible post")),
    Column("scope", N_("Scope"), show=lambda scope: _scope_text(scope)),
    Column("effective_from", N_("From")),
    Column("effective_until", N_("Until")),
    Column("file", N_("File")),
    Column("hash", detail=True),
)


@command(example="crmctl policy validate", exits=(0, 2, 4))
@click.argument("paths", nargs=-1, type=click.Path(), metavar="[PATH]…")
@click.option("--strict", is_flag=True, help=N_("Warnings count as errors."))
def validate_command(call: Invocation, paths: tuple[str, ...], strict: bool) -> int:
    """Check the policy files and report every problem of every file at once.

    Checks the workspace's policies and the cases that test them, or the files and folders given. A file is checked
    together with the others in its folder where a company.yaml lies there, else alone. Each problem is a line: file,
    line, column, code, message, and what to do.
    """
    problems, count = _check(call, paths)
    warnings = sum(problem.warning for problem in problems)
    errors = len(problems) - warnings
    document = {"files": count, "errors": errors, "warnings": warnings, "problems": [p.as_dict() for p in problems]}
    if call.output == "table":
        if problems:
            call.emit(document, *(problem.as_line() for problem in problems))
        call.say(_("files: {files}, errors: {errors}, warnings: {warnings}").format(**document))
    else:
        rows = [[problem.as_dict()[column.code] for column in _PROBLEM] for problem in problems]
        call.emit(document, Table(_PROBLEM, rows))
    return INVALID if errors or (strict and warnings) else 0


@command(example="crmctl policy list", exits=(0, 2, 4))
def list_command(call: Invocation) -> None:
    """List the workspace's policies: kind, name, version, mode, owner, scope, dates, file."""
    from dataclasses import replace

    from crmctl.policy.showing import header, owners

    policies = _load(call)
    labels = owners(policies)
    columns = [replace(column, show=labels.__getitem__) if column.code == "owner" else column for column in _POLICY]
    rows = [[header(policy)[column.code] for column in _POLICY] for policy in policies.policies]
    call.emit({"hash": policies.hash}, Table(columns, rows, key="policies"))


@command(example="crmctl policy show tiers", exits=(0, 2, 4), formats=("table", "json"))
@click.argument("name", metavar="NAME|KIND")
def show_command(call: Invocation, name: str) -> None:
    """Show one policy as the program understands it.

    Labels are shown in the reader's language; `$name` is a number in company.yaml.
    """
    from crmctl.policy.showing import document, lines, owners, title

    policies = _load(call)
    policy = _choose(policies, name)
    told = document(policy)
    columns = (Column("setting", N_("Setting")), Column("value", N_("Value")))
    call.emit(
        {"policy": told},
        title(policy, owners(policies)[policy.owner]),
        "",
        Table(columns, list(lines(told["settings"]))),
    )


@command(
    example=(
        "crmctl policy schema",
        "crmctl policy schema tiers.tiers.standard",
        "crmctl policy schema tags --template",
    ),
    exits=(0, 2, 4),
)
@click.argument("field", required=False, metavar="[KIND[.FIELD]]")
@click.option("--json", "as_schema", is_flag=True, help=N_("JSON Schema of a file of this kind, for editors."))
@click.option("--template", "as_template", is_flag=True, help=N_("A file of this kind to fill in, with comments."))
def schema_command(call: Invocation, field: str | None, as_schema: bool, as_template: bool) -> None:
    """Show what a policy file may contain.

    Without KIND: the kinds, and the header that every file has. In names, [] stands for the items of a list and * for
    any key. KIND.FIELD of a condition shows what can be compared.
    """
    from crmctl.policy import listing

    kind, _dot, path = (field or "").partition(".")
    if as_template and (not kind or path or as_schema):
        raise click.UsageError(_("--template goes with one KIND, without field and --json"))
    if as_template:
        click.echo(listing.template_of(kind), nl=False)
    elif as_schema:
        click.echo(listing.schema_of(kind))
    else:
        listing.fields(call, kind, path)


@command(
    example=("crmctl policy explain C-000123", "crmctl policy explain C-000123 --policy tiers --as-of 2026-06-30"),
    exits=(0, 1, 2, 4, 6, 10, 11, 12, 74),
    as_of=True,
    formats=("table", "json"),
)
@click.argument("number")
@click.option("--policy", "kind", default="", help=N_("Only this kind of policy; all that decide unless given."))
def explain_command(call: Invocation, number: str, kind: str) -> None:
    """Say what the policies decide about a customer and why: rule, clause, figures, near misses.

    The policies and figures are those of now, or of --as-of.
    """
    from importlib import import_module

    from crmctl.policy.kinds import KINDS
    from crmctl.policy.problems import suggest
    from crmctl.runs import run as runs

    able = {each.name: each.explainer for each in KINDS if each.explainer}
    if kind and kind not in able:
        raise InvalidInput(
            _("--policy {kind}: decides nothing about customers").format(kind=kind), hint=suggest(kind, able)
        )
    with runs.open_run(call, "policy explain", "policy.explain") as run:
        told = {}
        for name, target in able.items():
            if kind in ("", name):
                module, _colon, function = target.partition(":")
                told[name] = getattr(import_module(module), function)(run, number, for_people=call.output == "table")
        wanted = next(iter(told.values()))[0]
        run = runs.record_reading(run, obj=f"customer:{wanted}", n=1)
        columns = (Column("what", N_("What")), Column("value", N_("Value")))
        document = {name: explained for name, (_number, explained, _lines) in told.items()}
        tables = [Table(columns, lines) for _number, _document, lines in told.values()]
        call.emit({"run_id": run.run_id, "customer": wanted, **document}, *tables)


@command(
    example=("crmctl policy questions -o xlsx > questions.xlsx", "crmctl policy questions --import questions.xlsx"),
    exits=(0, 1, 2, 4, 6, 11, 74),
    changes=True,
    silent=False,
    formats=("table", "json", "csv", "xlsx", "html"),
)
@click.option(
    "--import",
    "filled_in",
    type=click.Path(path_type=str),
    metavar="FILE",
    help=N_("Take the answers from this sheet."),
)
def questions_command(call: Invocation, filled_in: str | None) -> None:
    """List every value that the company has not decided, with its clause and the rules that wait for it.

    The workbook (-o xlsx) and the page to print (-o html) are for those who decide. --import writes the answers of a
    filled-in workbook or CSV into company.yaml and raises its version; comments and layout stay as they are. Before
    anything is written, all policies are checked with the answers in them.
    """
    from pathlib import Path

    from crmctl.policy import asking

    if filled_in is None:
        if call.dry_run:
            raise click.UsageError(_("--dry-run goes with --import"))
        asking.tell(call, _load(call))
        return
    if call.output not in ("table", "json"):
        raise click.UsageError(_("--import goes with -o table or json"))
    asking.answer(call, Path(filled_in))


@command(
    example=("crmctl policy test", "crmctl policy test policies/tests/tiers.yaml"),
    exits=(0, 1, 2, 4),
    formats=("table", "json"),
)
@click.argument("paths", nargs=-1, type=click.Path(), metavar="[PATH]…")
def test_command(call: Invocation, paths: tuple[str, ...]) -> int:
    """Decide the cases in policies/tests by the policies, and say what does not come out as they expect.

    Without PATH, or for a folder of policies, all its cases are run, and a rule that none of them reaches fails too.
    Files of cases are run against the policies they lie beside, else those of the workspace.
    """
    from pathlib import Path

    from crmctl.policy import telling

    return telling.test(call, [Path(path) for path in paths])


def _check(call: Invocation, paths: tuple[str, ...]) -> tuple[list[Problem], int]:
    """Return the problems and the number of files looked at."""
    from pathlib import Path

    from crmctl.policy.validating import check_paths

    if paths:
        return check_paths([Path(path) for path in paths], _moment(call))
    return check_paths([_folder(call)], _moment(call))


def _moment(call: Invocation) -> datetime:
    from crmctl import clock

    now = clock.now()
    return clock.parse_as_of(call.as_of, "UTC", now) if call.as_of else now


def _folder(call: Invocation) -> Path:
    from crmctl import workspace

    return workspace.find(call.workspace).policies


def _load(call: Invocation) -> PolicySet:
    from crmctl.policy.checking import load

    return load(_folder(call), _moment(call))


def _choose(policies: PolicySet, name: str) -> Policy:
    from crmctl.policy.problems import suggest

    found = [
        policy for policy in policies.policies if name in (policy.kind, policy.name, f"{policy.kind}.{policy.name}")
    ]
    exact = [policy for policy in found if name in (policy.name, f"{policy.kind}.{policy.name}")]
    if len(exact or found) == 1:
        return (exact or found)[0]
    names = [f"{policy.kind}.{policy.name}" for policy in found or policies.policies]
    if found:
        message, hint = _("{name}: there are several").format(name=name), ", ".join(names)
    else:
        kinds = {policy.kind for policy in policies.policies}
        message, hint = _("{name}: no such policy").format(name=name), suggest(name, {*names, *kinds})
    raise InvalidInput(message, hint=hint or _("see: crmctl policy list"), code="POLICY_MISSING")


def _scope_text(scope: dict[str, list[str]]) -> str:
    return "; ".join(f"{what}: {', '.join(codes)}" for what, codes in scope.items())
