"""`crmctl owner …`: list, workload, history, take, reclaim."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from crmctl.cli.options import Invocation, command
from crmctl.cli.render import Column, Table
from crmctl.i18n import N_, _

if TYPE_CHECKING:
    from crmctl.owners.reclaiming import Outcome
    from crmctl.runs.run import Run

READING_EXITS = (0, 1, 2, 4, 6, 10, 11, 12, 74)
CHANGING_EXITS = (0, 1, 2, 4, 6, 7, 10, 11, 74, 130, 143)


@command(
    example=("crmctl owner list --without", "crmctl owner list --unfit --check"),
    exits=READING_EXITS,
    as_of=True,
)
@click.option("--owner", default="", metavar="STAFF", help=N_("Only customers of this owner (staff number or name)."))
@click.option("--without", is_flag=True, help=N_("Only customers without an active owner (OWN-01)."))
@click.option("--unfit", is_flag=True, help=N_("Only customers whose owner may not own customers (OWN-05)."))
@click.option("--check", is_flag=True, help=N_("Exit 1 when there are any; without --without and --unfit: of both."))
@click.option("--limit", type=click.IntRange(1, 1000), default=50, help=N_("How many to show."))
@click.option("--after", default="", metavar="NUMBER", help=N_("Continue after this customer."))
def list_command(call: Invocation, check: bool, owner: str, **given: Any) -> int | None:  # noqa: ANN401
    """List customers with their owners, masked; with --check for cron.

    Speaks against an owner: not in post, training before the post not passed or passed too long ago, confidentiality
    undertaking not signed, away without a deputy. Both kinds given, a customer of either is listed.
    """
    from crmctl.customers import asking, showing
    from crmctl.owners import listing
    from crmctl.runs import run as runs

    either = check and not given["without"] and not given["unfit"]
    with runs.open_run(call, "owner list", "owner.list") as run:
        asked = listing.Asked(
            owner=asking.owner_of(run, owner),
            without=given["without"] or either,
            unfit=given["unfit"] or either,
            limit=given["limit"],
            after=showing.parse_number(given["after"]) if given["after"] else 0,
        )
        found = listing.find(run, asked)
        run = runs.record_reading(run, n=len(found.shown), looks=[shown.customer_id for shown in found.shown])
        columns, rows = listing.list_table(run, found)
        lines = [
            _("{customers} customers; without an active owner: {without}; with an unfit one: {unfit}").format(
                **{name: f"{number:,}" for name, number in found.counts.items()}
            )
        ]
        if found.next is not None:
            lines.append(_("more: --after {number}").format(number=showing.number_text(found.next)))
        document = {"run_id": run.run_id, "day": found.bench.day.isoformat(), "next": found.next, **found.counts}
        failed = check and found.counts["customers"] > 0
        if failed or not (check and call.quiet and call.output == "table"):  # cron mails whatever is said
            call.emit(document, Table(columns, rows, "list"), *lines, trouble=failed)
        if found.bench.rules.undecided:
            told = run.policies.waiting((found.bench.rules.undecided,))
            call.warn(_("not checked whether a training has expired: {message}").format(message=told.message))
    return 1 if failed else 0


@command(example="crmctl owner workload", exits=READING_EXITS, as_of=True)
def workload_command(call: Invocation) -> int | None:
    """Say what everybody in post looks after: customers, by tier, their annual amount, load, and the room there is.

    Load is in the measure of the owners policy: customers, customers weighed by tier, or their annual amount. Below it
    stands how evenly all of it is spread over those who may own customers. Who has left and still has customers is
    listed too.
    """
    from crmctl.owners import showing, telling, workload
    from crmctl.runs import run as runs

    with runs.open_run(call, "owner workload", "owner.workload") as run:
        found = workload.workload(run)
        run = runs.record_reading(run, n=len(found.rows))
        used = found.measure
        document = {
            "run_id": run.run_id,
            "day": found.bench.day.isoformat(),
            "load_by": None if used is None else used.document(),
            "fairness": found.fairness,
        }
        parts: list[Any] = [Table(showing.workload_columns(run, found.bench, used), found.rows, "staff")]
        if used is not None and call.output == "table":
            parts.append(telling.fairness_table(run, {"now": found.fairness}))
        call.emit(document, *parts)
        if used is not None and used.undecided:
            call.warn(run.policies.waiting(used.undecided).message)
    return None


@command(example="crmctl owner history C-000123", exits=READING_EXITS)
@click.argument("number")
def history_command(call: Invocation, number: str) -> int | None:
    """Show who looked after a customer from when to when, why, and who ordered it; newest first.

    Owners, collaborators and first receivers alike.
    """
    from crmctl.customers import scope, showing
    from crmctl.owners import listing
    from crmctl.runs import run as runs

    with runs.open_run(call, "owner history", "owner.history") as run:
        wanted = showing.parse_number(number)
        scope.require(run, (wanted,))
        columns, rows = listing.history(run, wanted)
        run = runs.record_reading(run, obj=f"customer:{wanted}", n=len(rows))
        none = [] if rows else [_("no owner is recorded")]
        call.emit({"run_id": run.run_id, "customer": wanted}, Table(columns, rows, "history"), *none)
    return None


@command(
    example=("crmctl owner take C-000123", "crmctl owner take C-000123 --for 1002"), exits=CHANGING_EXITS, changes=True
)
@click.argument("number")
@click.option("--for", "for_", default="", metavar="STAFF", help=N_("Take for this person; you need scope all."))
def take_command(call: Invocation, number: str, for_: str) -> int | None:
    """Take a customer without owner out of its pool.

    The pool says how many one person may take in a day and how long a former owner has to wait; nobody takes more
    than fits, or without being allowed to own customers (OWN-05).
    """
    from crmctl.customers import showing
    from crmctl.owners import taking
    from crmctl.runs import run as runs

    with runs.open_run(call, "owner take", "owner.take", lock="owners") as run:
        done = taking.take(run, showing.parse_number(number), for_)
        document = {
            "run_id": done.run_id,
            "dry_run": run.dry_run,
            "customer": done.customer_id,
            "owner": done.taker.staff_id,
            "owner_number": done.taker.number,
            "pool": done.pool.pool.code,
            "policy": done.pool.policy.name,
            "taken_today": done.today,
            "per_day": done.allowed,
        }
        told = (
            _("{customer} is now looked after by {number}") if not run.dry_run else _("{customer} would go to {number}")
        )
        line = told.format(customer=showing.number_text(done.customer_id), number=done.taker.number)
        if done.allowed is not None:
            line = _("{message} ({taken} of {allowed} today)").format(
                message=line, taken=done.today, allowed=done.allowed
            )
        call.emit(document, line)
    return None


@command(
    example=("crmctl owner reclaim --dry-run", "crmctl owner reclaim --max-changes 500"),
    exits=CHANGING_EXITS,
    changes=True,
    as_of=True,
)
@click.option("--max-changes", type=click.IntRange(min=0), help=N_("Allow so many changes of owner (logged)."))
def reclaim_command(call: Invocation, max_changes: int | None) -> int | None:
    """Let customers go back to their pool whom nobody has looked after for as long as the policy says.

    Days count from the last contact, anew from when the owner began, and from the end of the contract. Of whom no
    contact is recorded nothing is known: they stay, and are counted. The limits of the policy are checked before
    anything is written.
    """
    from crmctl.owners import reclaiming
    from crmctl.runs import run as runs

    with runs.open_run(call, "owner reclaim", "owner.reclaim", lock="owners") as run:
        with call.progress(_("reclaiming")) as progress:
            outcome = reclaiming.reclaim(run, max_changes, progress.advance)
        _emit_reclaim(call, run, outcome)
    if outcome.refusal is not None:
        raise outcome.refusal
    return None


def _emit_reclaim(call: Invocation, run: Run, outcome: Outcome) -> None:
    from crmctl.customers import showing
    from crmctl.owners.bench import bench
    from crmctl.store import engine

    with engine.read(run.engine) as conn:
        people = bench(conn, run)
    columns = (
        Column("customer", N_("Customer"), show=showing.number_text),
        Column("from", N_("From whom"), show=people.name),
        Column("rule", N_("Rule")),
    )
    document = {
        "run_id": outcome.run_id,
        "dry_run": outcome.dry_run,
        "findings": outcome.findings,
        **outcome.counts(),
        "by_rule": dict(sorted(outcome.by_rule.items())),
        "by_owner": {people.number(owner) or str(owner): n for owner, n in sorted(outcome.by_owner.items())},
        "undecided": outcome.waiting,
    }
    told = _("{reclaimed} customers would go back") if outcome.dry_run else _("{reclaimed} customers went back")
    lines = [told.format(reclaimed=f"{outcome.reclaimed:,}")]
    if outcome.reported:
        lines.append(_("policies in report mode would let {number} more go back").format(number=outcome.reported))
    if outcome.findings is not None:
        lines.append(_("What policies in mode report found is kept; see: crmctl owner findings"))
    if outcome.unknown:
        lines.append(
            _("of {number} customers no contact is recorded: nothing is known of them, and they stay").format(
                number=f"{outcome.unknown:,}"
            )
        )
    if outcome.missed:
        lines.append(_("{number} customers changed meanwhile").format(number=outcome.missed))
    lines += [_("left out while ${name} is undecided").format(name=name) for name in outcome.waiting]
    table = Table(columns, outcome.first, "first")
    call.emit(document, *([table] if outcome.first or call.output == "json" else []), *lines)
