"""`crmctl owner …`: assign, explain, findings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from crmctl.cli.options import Invocation, command
from crmctl.cli.planned import one_way, plan_options
from crmctl.cli.render import Column, Table
from crmctl.i18n import N_, _

if TYPE_CHECKING:
    from crmctl.owners.assign import Outcome
    from crmctl.owners.planning import Done
    from crmctl.runs.run import Run

READING_EXITS = (0, 1, 2, 4, 6, 10, 11, 74)
CHANGING_EXITS = (0, 1, 2, 4, 6, 7, 8, 10, 11, 12, 74, 130, 143)


@command(
    example=("crmctl owner assign --dry-run", "crmctl owner assign --plan", "crmctl owner assign --apply 1"),
    exits=CHANGING_EXITS,
    changes=True,
    formats=("table", "json", "ndjson", "csv", "xlsx"),
    as_of=True,
)
@plan_options(
    max_changes=N_("Allow so many changes of owner (logged)."),
    plan=N_("Save who would get whom as a plan, and print its number."),
    limit=N_("How many customers to list; 0 lists none."),
)
def assign_command(call: Invocation, customers: tuple[str, ...], max_changes: int | None, **given: Any) -> int | None:  # noqa: ANN401
    """Give customers without an owner in post one, by the owners policy in force.

    Who gets whom depends on the policy, the staff register and the customers alone: the same on every machine and every
    repeat. Nobody gets more than fits, nobody who may not own customers gets any; who was chosen, who would have been
    next and the loads at the time are on record. Customers nobody can take are listed with what excluded everyone.
    """
    from crmctl.customers import showing
    from crmctl.owners import assign, beyond, planning
    from crmctl.runs import run as runs

    one_way(call, given, customers)
    with runs.open_run(call, "owner assign", "owner.assign", lock="owners") as run:
        request = assign.Request(tuple(showing.parse_number(number) for number in customers), max_changes)
        approval: int | None = None
        with call.progress(_("assigning")) as progress:
            if given["apply_"]:
                done = planning.apply_plan(run, given["apply_"], request, progress.advance)
                _emit_applied(call, given["apply_"], done)
                return None
            if given["plan"]:
                outcome = planning.save(run, request, given["valid"])
                approval = beyond.ask(run, outcome.plan or 0, outcome.run_id) if given["ask"] else None
            else:
                outcome = assign.assign(run, request, progress.advance)
        _emit(call, run, outcome, given["limit"], approval)
    if outcome.refusal is not None:
        raise outcome.refusal
    return None


def _emit_applied(call: Invocation, plan: int, done: Done) -> None:
    document = {"run_id": done.run_id, "dry_run": done.dry_run, "plan": plan, **done.counts, "missed": done.missed}
    columns = (Column("assigned", N_("Assigned"), right=True), Column("missed", N_("Changed meanwhile"), right=True))
    call.emit(document, Table(columns, [(done.counts["assigned"], done.missed)]))


def _emit(call: Invocation, run: Run, outcome: Outcome, limit: int, approval: int | None) -> None:
    from crmctl.owners import telling

    fairness = telling.fairness(outcome.weighed)
    weighed, in_files = outcome.weighed, call.output in ("csv", "xlsx", "ndjson")
    shown = list(telling.moves(weighed, None if in_files else limit))
    moves = Table(telling.move_columns(run), shown, "moves")
    nobody = telling.nobody_table(run, weighed, None if in_files else limit)
    document = {
        "run_id": outcome.run_id,
        "dry_run": outcome.dry_run,
        "plan": outcome.plan,
        "approval": approval,
        "findings": outcome.findings,
        **outcome.counts,
        "missed": outcome.missed,
        "by_owner": telling.owner_rows(weighed),
        "load_by": telling.measure_of(weighed).document(),
        "fairness": fairness,
        "moves_listed": len(shown),
    }
    if in_files:
        call.emit(document, moves)
        return
    if call.output == "json":
        call.emit(document, moves, nobody)
        return
    parts: list[Any] = [
        telling.counts_table(outcome),
        telling.owners_table(run, weighed),
        telling.fairness_table(run, fairness),
    ]
    parts += [moves] if shown else []
    more = outcome.counts["assigned"] - len(shown)
    if more > 0 and limit:
        told = _("… and {number} more; all of them: --dry-run -o csv") if outcome.dry_run else _("… and {number} more")
        parts.append(told.format(number=f"{more:,}"))
    if outcome.counts["unassignable"] and limit:
        parts += [_("Nobody can take these:"), nobody]
    if outcome.plan is not None:
        parts.append(
            _("Plan {plan} is saved; apply it with: crmctl owner assign --apply {plan}").format(plan=outcome.plan)
        )
    if approval is not None:
        told = _("Approval {approval} is asked for; see: crmctl approval show {approval}")
        parts.append(told.format(approval=approval))
    if outcome.findings is not None:
        parts.append(_("What policies in mode report found is kept; see: crmctl owner findings"))
    if outcome.missed:
        parts.append(_("{number} customers changed meanwhile").format(number=outcome.missed))
    call.emit(document, *parts)


@command(example="crmctl owner explain C-000123", exits=(*READING_EXITS, 12), as_of=True, formats=("table", "json"))
@click.argument("number")
def explain_command(call: Invocation, number: str) -> int | None:
    """Say why a customer has its owner: who was chosen, who would have been next, and the loads at the time.

    Of a customer without one it says who would get it now, or which requirement excludes everyone.
    """
    from crmctl.customers import showing
    from crmctl.owners import explaining, telling_one
    from crmctl.runs import run as runs

    with runs.open_run(call, "owner explain", "owner.explain") as run:
        wanted = showing.parse_number(number)
        found = explaining.explain(run, wanted)
        run = runs.record_reading(run, obj=f"customer:{wanted}", n=1)
        columns = (Column("what", N_("What")), Column("value", N_("Value")))
        lines = list(telling_one.lines(run.policies, found))
        call.emit({"run_id": run.run_id, **telling_one.document(found)}, Table(columns, lines))
    return None


@command(example="crmctl owner findings", exits=READING_EXITS)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, help=N_("How many to show."))
@click.option("--after", default="", metavar="NUMBER", help=N_("Continue after this customer."))
def findings_command(call: Invocation, limit: int, after: str) -> int | None:
    """List what owners policies in mode report found in the last assignment and the last reclaim, and why.

    Nothing of it was done. An assignment of everybody replaces what assignments found, a reclaim what reclaims found.
    """
    from crmctl.customers import showing as customers
    from crmctl.owners import showing
    from crmctl.runs import run as runs

    with runs.open_run(call, "owner findings", "owner.findings") as run:
        columns, rows = showing.reported(run, limit, customers.parse_number(after) if after else 0)
        run = runs.record_reading(run, n=len(rows))
        call.emit({"run_id": run.run_id}, Table(columns, rows, "findings"))
    return None
