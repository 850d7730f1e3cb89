"""`crmctl tier …`: regrade, explain, override, overrides, history, list, summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from crmctl.cli.options import Invocation, command
from crmctl.cli.planned import one_way, plan_options
from crmctl.cli.render import Column, Table
from crmctl.i18n import N_, _

if TYPE_CHECKING:
    from crmctl.runs.run import Run
    from crmctl.tiers.regrade import Outcome, Request

READING_EXITS = (0, 1, 2, 4, 6, 10, 11, 74)
CHANGING_EXITS = (0, 1, 2, 4, 6, 7, 8, 10, 11, 12, 74, 130, 143)


@command(
    example=("crmctl tier regrade --dry-run", "crmctl tier regrade --customer C-000123"),
    exits=CHANGING_EXITS,
    changes=True,
    formats=("table", "json", "ndjson", "csv", "xlsx"),
    as_of=True,
)
@plan_options(
    max_changes=N_("Allow so many changes of tier (logged)."),
    plan=N_("Save what would change as a plan, and print its number."),
    limit=N_("How many moves to list; 0 lists none."),
)
def regrade_command(call: Invocation, customers: tuple[str, ...], max_changes: int | None, **given: Any) -> int | None:  # noqa: ANN401
    """Grade customers by the tiers policy in force.

    Every figure is taken at the time of the run, or of --as-of. Whoever stays as it is is not touched; what changes is
    logged with its rule and its figures. Twice in a row changes nothing the second time. The limits of the policy are
    checked before anything is written.
    """
    from crmctl.customers import showing
    from crmctl.runs import run as runs
    from crmctl.tiers import beyond, planning, regrade

    one_way(call, given, customers)
    with runs.open_run(call, "tier regrade", "tier.regrade", lock="tiers") as run:
        numbers = tuple(showing.parse_number(number) for number in customers)
        request = regrade.Request(numbers, max_changes)
        plan = approval = None
        with call.progress(_("grading")) as progress:
            if given["plan"]:
                saved = planning.save(run, request, planning.validity(run, given["valid"]))
                plan, outcome = saved.plan_id, saved.outcome
                approval = beyond.ask(run, plan, outcome.run_id) if given["ask"] else None
            elif given["apply_"]:
                plan = given["apply_"]
                outcome = planning.apply_plan(run, plan, request, progress.advance)
            else:
                outcome = regrade.regrade(run, request, progress.advance)
        _emit(call, run, request, outcome, given["limit"], plan, approval)
    if outcome.refusal is not None:
        raise outcome.refusal
    return None


def _emit(
    call: Invocation,
    run: Run,
    request: Request,
    outcome: Outcome,
    limit: int,
    plan: int | None = None,
    approval: int | None = None,
) -> None:
    from crmctl.tiers import regrade, telling

    policies = run.policies
    for_people = call.output == "table"
    words = telling.words_of(policies) if for_people else None
    if call.output in ("table", "json"):
        listed = [(tally.scoped, move) for tally, move in outcome.moves[:limit]]
    else:
        listed = [(tally.scoped, move) for tally, move in outcome.moves]
        if not outcome.complete and outcome.dry_run:
            listed = regrade.all_moves(run, request)  # type: ignore[assignment]
    rows = (telling.move_row(scoped, move, words) for scoped, move in listed)
    moves = Table(telling.move_columns(policies), rows if not for_people else list(rows), "moves")
    document = {
        "run_id": outcome.run_id,
        "dry_run": outcome.dry_run,
        "plan": plan,
        "approval": approval,
        "findings": outcome.findings,
        **outcome.counts,
        "missed": outcome.missed,
        "matrix": outcome.matrix,
        "matrix_reported": outcome.reported,
        "moves_listed": min(limit, len(outcome.moves)),
    }
    if call.output in ("csv", "xlsx", "ndjson"):
        call.emit(document, moves)
        return
    parts: list[Any] = [telling.counts_table(outcome)]
    if outcome.matrix:
        parts.append(telling.matrix_table(policies, outcome.matrix))
    if outcome.reported:
        parts += [_("Policies in report mode would change:"), telling.matrix_table(policies, outcome.reported)]
    if outcome.findings is not None:
        parts.append(_("What they found is kept; see: crmctl tier findings"))
    if listed:
        parts.append(moves)
    more = outcome.counts["changed"] + outcome.counts["reported"] - len(list(listed))
    if more > 0 and limit:
        told = _("… and {number} more; all of them: --dry-run -o csv") if outcome.dry_run else _("… and {number} more")
        parts.append(told.format(number=f"{more:,}"))
    if plan is not None and outcome.dry_run and not call.dry_run:
        parts.append(_("Plan {plan} is saved; apply it with: crmctl tier regrade --apply {plan}").format(plan=plan))
    if approval is not None:
        told = _("Approval {approval} is asked for; see: crmctl approval show {approval}")
        parts.append(told.format(approval=approval))
    if outcome.missed:
        parts.append(_("{number} customers changed meanwhile; the next run grades them").format(number=outcome.missed))
    if call.output == "json":
        parts = [moves]
    call.emit(document, *parts)


@command(example="crmctl tier explain C-000123", exits=(*READING_EXITS, 12), as_of=True, formats=("table", "json"))
@click.argument("number")
def explain_command(call: Invocation, number: str) -> int | None:
    """Say why a customer has its tier: rule, clause, figures, and what is short of the tiers above."""
    from crmctl.runs import run as runs
    from crmctl.tiers.explaining import explained

    with runs.open_run(call, "tier explain", "tier.explain") as run:
        wanted, document, lines = explained(run, number, for_people=call.output == "table")
        run = runs.record_reading(run, obj=f"customer:{wanted}", n=1)
        columns = (Column("what", N_("What")), Column("value", N_("Value")))
        call.emit({"run_id": run.run_id, **document}, Table(columns, lines))
    return None


@command(
    example=("crmctl tier override C-000123 --floor important --reason '战略客户' --until 2027-06-30",),
    exits=CHANGING_EXITS,
    changes=True,
)
@click.argument("number")
@click.option("--pin", default="", metavar="TIER", help=N_("It has this tier, whatever the rules say."))
@click.option("--floor", default="", metavar="TIER", help=N_("It has this tier at least."))
@click.option("--ceiling", default="", metavar="TIER", help=N_("It has this tier at most."))
@click.option("--lift", is_flag=True, help=N_("End the override in force."))
@click.option("--reason", default="", help=N_("Why; kept sealed."))
@click.option("--until", default="", metavar="DAY", help=N_("Last day it holds; until it is lifted unless given."))
@click.option("--max-changes", type=click.IntRange(min=0), help=N_("Allow so many changes of tier (logged)."))
def override_command(call: Invocation, number: str, max_changes: int | None, **given: Any) -> int | None:  # noqa: ANN401
    """Put a person's decision above the rules for one customer, and grade it at once.

    One override holds at a time: a new one lifts the one before.
    """
    from crmctl.customers import showing
    from crmctl.runs import run as runs
    from crmctl.tiers import overriding, regrade

    with runs.open_run(call, "tier override", "tier.override", lock="tiers") as run:
        wanted = showing.parse_number(number)
        wish = overriding.wish(run, wanted, given)
        request = regrade.Request((wanted,), max_changes)
        outcome = overriding.override(run, wish, request)
        _emit(call, run, request, outcome, 1)
    return None


@command(example="crmctl tier overrides", exits=(*READING_EXITS, 12))
@click.option("--limit", type=click.IntRange(1, 1000), default=50, help=N_("How many to show."))
@click.option("--after", default="", metavar="NUMBER", help=N_("Continue after this customer."))
def overrides_command(call: Invocation, limit: int, after: str) -> int | None:
    """List the overrides in force, with their reasons."""
    from crmctl.customers import showing
    from crmctl.runs import run as runs
    from crmctl.store import engine
    from crmctl.tiers import overrides, telling

    with runs.open_run(call, "tier overrides", "tier.overrides") as run:
        day = runs.today(run.policies, run.at)
        with engine.read(run.engine) as conn:
            found = overrides.listed(conn, day, limit, showing.parse_number(after) if after else 0)
        run = runs.record_reading(run, n=len(found))
        columns = (
            Column("customer", N_("Customer"), show=showing.number_text),
            Column("kind", N_("Kind"), show=lambda value: _(telling.KINDS[value])),
            Column("tier", N_("Tier"), show=lambda value: telling.tier_label(run.policies, value)),
            Column("until", N_("Until")),
            Column("person", N_("Who")),
            Column("reason", N_("Reason")),
        )
        rows = [
            (each.customer_id, each.kind, each.tier, each.until_on, each.person, overrides.reason_of(run, each))
            for each in found
        ]
        call.emit({"run_id": run.run_id}, Table(columns, rows, "overrides"))
    return None


@command(example="crmctl tier history C-000123", exits=READING_EXITS, as_of=True)
@click.argument("number")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, help=N_("How many to show."))
def history_command(call: Invocation, number: str, limit: int) -> int | None:
    """Show every change of a customer's tier with what it rested on, newest first."""
    from crmctl.customers import showing
    from crmctl.runs import run as runs
    from crmctl.store import engine
    from crmctl.tiers import records, regrade, telling

    with runs.open_run(call, "tier history", "tier.history") as run:
        wanted = showing.parse_number(number)
        regrade.known(run, regrade.Request((wanted,)))
        with engine.read(run.engine) as conn:
            found = records.history(conn, wanted, run.as_of, limit)
        run = runs.record_reading(run, obj=f"customer:{wanted}", n=len(found))
        columns = (
            Column("at", N_("At")),
            Column("effective_at", N_("Decided for"), detail=True),
            Column("from", N_("Old tier"), show=lambda value: telling.tier_label(run.policies, value)),
            Column("to", N_("New tier"), show=lambda value: telling.tier_label(run.policies, value)),
            Column("cause", N_("Because"), show=lambda value: _(telling.CAUSES.get(value, value))),
            Column("policy", N_("Policy")),
            Column("version", N_("Version")),
            Column("rule", N_("Rule")),
            Column("inputs", N_("Figures"), show=lambda value: telling.figures_text(run.policies, value)),
            Column("person", N_("Who")),
            Column("run", N_("Run")),
        )
        rows = [
            (
                *records.local_times(each, run.zone), each.from_tier, each.to_tier, each.cause, each.policy,
                each.policy_version, each.rule, each.inputs, each.person, each.run_id,
            )
            for each in found
        ]  # fmt: skip
        call.emit({"run_id": run.run_id, "customer": wanted}, Table(columns, rows, "changes"))
    return None


@command(example="crmctl tier findings", exits=READING_EXITS)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, help=N_("How many to show."))
@click.option("--after", default="", metavar="NUMBER", help=N_("Continue after this customer."))
def findings_command(call: Invocation, limit: int, after: str) -> int | None:
    """List what tiers policies in mode report found in the last re-grade: what they would do, and why.

    Nothing of it was done. A re-grade of everybody replaces the list.
    """
    from crmctl.customers import showing
    from crmctl.runs import run as runs
    from crmctl.tiers import listing

    with runs.open_run(call, "tier findings", "tier.findings") as run:
        columns, rows = listing.reported(run, limit, showing.parse_number(after) if after else 0)
        run = runs.record_reading(run, n=len(rows))
        call.emit({"run_id": run.run_id}, Table(columns, rows, "findings"))
    return None


@command(example="crmctl tier summary", exits=READING_EXITS)
def summary_command(call: Invocation) -> int | None:
    """Say how many customers each tier has."""
    from crmctl.runs import run as runs
    from crmctl.store import engine
    from crmctl.tiers import records, telling

    with runs.open_run(call, "tier summary", "tier.summary") as run:
        with engine.read(run.engine) as conn:
            counts = records.summary(conn)
        run = runs.record_reading(run, n=sum(counts.values()))
        codes = [*telling.codes_by_rank(run.policies), "none"]
        ordered = {code: counts.get(code, 0) for code in dict.fromkeys([*codes, *counts])}
        columns = (
            Column(
                "tier", N_("Tier"), show=lambda code: telling.tier_label(run.policies, None if code == "none" else code)
            ),
            Column("customers", N_("Customers"), right=True),
        )
        call.emit({"run_id": run.run_id, "tiers": ordered}, Table(columns, list(ordered.items())))
    return None


@command(example="crmctl tier list", exits=(0, 2, 4, 6, 10, 11, 74))
def list_command(call: Invocation) -> int | None:
    """List the tiers: who belongs to each, what each is owed, by which clauses."""
    from crmctl.runs import run as runs
    from crmctl.tiers import listing

    with runs.open_run(call, "tier list", "tier.list") as run:
        columns, rows = listing.tiers(run)
        run = runs.record_reading(run, n=len(rows))
        call.emit({"run_id": run.run_id}, Table(columns, rows, "tiers"))
    return None
