"""`crmctl purge …`: plan, approve, reject, run, verify, prove, list, show, form, horizon."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crmctl.cli.deciding import decision_options
from crmctl.cli.options import Invocation, command
from crmctl.cli.personal import personal_option
from crmctl.errors import REJECTED_ROWS, CrmctlError, PlanStale, UsageProblem
from crmctl.i18n import N_, _

if TYPE_CHECKING:
    from crmctl.retention.policy import Kind
    from crmctl.retention.purging import Outcome

READING_EXITS = (0, 1, 2, 4, 6, 10, 11, 74)
WRITING_EXITS = (*READING_EXITS, 130, 143)
PLANNING_EXITS = (0, 1, 2, 4, 6, 10, 11, 74, 130, 143)
DECIDING_EXITS = (0, 1, 2, 4, 6, 8, 10, 11, 12, 74, 130, 143)
CHANGING_EXITS = (0, 1, 2, 3, 4, 6, 8, 10, 11, 12, 74, 130, 143)
PLAN = click.IntRange(min=1)
KINDS: tuple[Kind, ...] = (
    "customers",
    "rejected_rows",
    "old_values",
)  # `policy.KINDS`, which would load the models of policies
_KIND = N_("Only data of this kind; repeatable.")
_CUSTOMER = N_("Only this customer, who asks for it; repeatable.")
_CLOCK = N_("The clock is right, though it is far ahead of the log.")


@command(
    example=("crmctl purge plan", "crmctl purge plan --kind rejected_rows", "crmctl purge plan --customer C-000123"),
    exits=PLANNING_EXITS,
    changes=True,
    formats=("table", "json"),
)
@click.option("--kind", "kinds", type=click.Choice(KINDS), multiple=True, help=_KIND)
@click.option("--customer", "customers", multiple=True, metavar="NUMBER", help=_CUSTOMER)
@click.option("--accept-clock", is_flag=True, help=_CLOCK)
def plan_command(
    call: Invocation, kinds: tuple[Kind, ...], customers: tuple[str, ...], accept_clock: bool
) -> int | None:
    """List what is to be destroyed by the retention policy, save exactly that set, and ask somebody else to agree.

    Customers whose time is over, rows that imports rejected, and values before changes that the change log keeps;
    --kind narrows it to one of them. Whoever is held, or under a period of the law, stays and is listed with the
    reason. With --customer the set is those who ask for it themselves, whatever the company's own period: each gets a
    receipt, to be handed to the person, with which `crmctl purge prove` shows later that it was done. Nothing is
    destroyed by this command.
    """
    from crmctl.customers import showing
    from crmctl.retention import planning, telling
    from crmctl.runs import run as runs

    if customers and set(kinds) - {"customers"}:
        raise UsageProblem(
            _("--customer and --kind: who asks is destroyed whole; other kinds go by themselves"),
            hint=_("leave one of them out"),
        )
    with runs.open_run(call, "purge plan", "purge.plan", lock="purge") as run:
        numbers = tuple(sorted({showing.parse_number(number) for number in customers}))
        planned = planning.make(run, planning.Request(numbers, accept_clock, kinds or KINDS))
        parts = telling.plan_parts(run.policies, planned, call.dry_run)
        call.emit(telling.plan_document(planned, call.dry_run), *parts)
    return None


@command(
    example=("crmctl purge approve 12", "crmctl purge approve 12 --by 1017 --document OA-20261121"),
    exits=DECIDING_EXITS,
    changes=True,
)
@click.argument("plan", type=PLAN)
@decision_options
def approve_command(call: Invocation, plan: int, **given: Any) -> int | None:  # noqa: ANN401
    """Agree to exactly what a plan would destroy; never the person who made it.

    The same as `crmctl approval approve` with the approval of the plan. See first: crmctl purge show 12
    """
    from crmctl.approvals.commands import decide
    from crmctl.retention import waiting

    return decide(call, "approve", given, lambda run: waiting.approval_of(run, plan), "purge approve")


@command(example="crmctl purge reject 12 --reason 'list too wide'", exits=DECIDING_EXITS, changes=True)
@click.argument("plan", type=PLAN)
@decision_options
def reject_command(call: Invocation, plan: int, **given: Any) -> int | None:  # noqa: ANN401
    """Refuse what a plan would destroy: one refusal ends it."""
    from crmctl.approvals.commands import decide
    from crmctl.retention import waiting

    return decide(call, "reject", given, lambda run: waiting.approval_of(run, plan), "purge reject")


@command(
    example=("crmctl purge run 12", "crmctl purge run"),
    exits=(*CHANGING_EXITS, 13),
    changes=True,
    formats=("table", "json"),
)
@click.argument("plan", type=PLAN, required=False)
@click.option("--accept-clock", is_flag=True, help=_CLOCK)
def run_command(call: Invocation, plan: int | None, accept_clock: bool) -> int | None:
    """Destroy what an approved plan says: keys first, then all rows; whoever was held or edited since is spared.

    Without PLAN every plan that was begun and not finished, then every plan that is approved. There is no way back:
    what was begun is finished, by this command again if it was killed. `crmctl purge verify` then proves it.
    """
    from crmctl.retention import purging, telling, waiting
    from crmctl.runs import run as runs

    with runs.open_run(call, "purge run", "purge.run", lock="purge") as run:
        outcomes: list[Outcome] = []
        failure: CrmctlError | None = None
        with nullcontext() if run.dry_run else runs.hold(run, "import"):
            for number in (plan,) if plan is not None else waiting.ready(run):
                try:
                    with call.progress(_("destroying")) as progress:
                        outcomes.append(purging.purge(run, number, progress.advance, accept_clock=accept_clock))
                except CrmctlError as error:  # what others came to is told all the same
                    failure = failure or error
                    if not isinstance(error, PlanStale):
                        break
        if outcomes or failure is None:
            call.emit(telling.run_document(outcomes), *telling.run_parts(outcomes, call.dry_run))
        if failure is not None:
            raise failure
    return None if all(outcome.whole for outcome in outcomes) else REJECTED_ROWS


@command(
    example="crmctl purge verify 12",
    exits=(*CHANGING_EXITS, 13),
    changes=True,
    formats=("table", "json"),
)
@click.argument("plan", type=PLAN)
def verify_command(call: Invocation, plan: int) -> int | None:
    """Look everywhere for what a purge destroyed; where nothing is found, issue the destruction record.

    Rows, identities, images in the change log, keys in every key store, and pieces of the destroyed envelopes in the
    database's own files. The record is in the log by its SHA-256, which the next checkpoint signs. It can be done
    again at any time.
    """
    from crmctl.retention import listing, verifying
    from crmctl.runs import run as runs

    with runs.open_run(call, "purge verify", "purge.verify", lock="purge") as run:
        done = verifying.verify(run, plan)
        call.emit(listing.verified_document(done), *listing.verified_parts(done, call.dry_run))
    return None


@command(example="crmctl purge prove --receipt @receipt.txt", exits=(*READING_EXITS, 13), formats=("table", "json"))
@personal_option("--receipt", help=N_("What the person was given: @FILE reads it, - standard input, alone it asks."))
def prove_command(call: Invocation, receipt: str | None) -> int | None:
    """Show that the holder of a receipt is among those whom a destruction record speaks of."""
    from crmctl.retention import listing, proving
    from crmctl.retention.leaves import read_token
    from crmctl.runs import run as runs

    if not receipt:
        raise UsageProblem(_("--receipt is missing"), hint="crmctl purge prove --receipt @FILE")
    with runs.open_run(call, "purge prove", "purge.prove") as run:
        said = read_token(receipt)
        proof = proving.prove(run, said)
        run = runs.record_reading(run, obj=f"plan:{said.plan_id}", n=1)
        call.emit({"run_id": run.run_id, **proof.document()}, *listing.proof_parts(run, proof))
    return None


@command(
    example="crmctl purge horizon", exits=(*READING_EXITS, 12), changes=True, formats=("table", "json", "csv", "ndjson")
)
def horizon_command(call: Invocation) -> int | None:
    """Say of each purge from when on no copy of the keys brings anybody back, and record those that came so far.

    A copy of the key store made before a purge still holds its keys, under a master key of then. Once the last such
    master key is destroyed (`crmctl keys destroy`), old copies and old backups are shut for good.
    """
    from crmctl.retention import horizon, listing
    from crmctl.runs import run as runs

    with runs.open_run(call, "purge horizon", "purge.horizon", lock="purge") as run:
        run, found = horizon.look(run)
        call.emit({"run_id": run.run_id, "dry_run": call.dry_run}, listing.horizons(run, found))
    return None


@command(
    example=("crmctl purge anonymous", "crmctl purge anonymous --rule former -o csv"),
    exits=READING_EXITS,
)
@click.option("--rule", "rules", multiple=True, metavar="CODE", help=N_("Only of this rule; repeatable."))
def anonymous_command(call: Invocation, rules: tuple[str, ...]) -> int | None:
    """List what anonymised customers left behind: how many there were under which values, by rule of the policy.

    Nobody is in it: values are those that the rule leaves, and customers of whom too few were alike are a number
    without any. It grows with each purge.
    """
    from crmctl.retention import leaving
    from crmctl.runs import run as runs
    from crmctl.store import engine

    with runs.open_run(call, "purge anonymous", "purge.list") as run:
        with engine.read(run.engine) as conn:
            found = leaving.table(conn, run.policies, rules)
        run = runs.record_reading(run, n=len(list(found.rows)))
        call.emit({"run_id": run.run_id}, found)
    return None


@command(example="crmctl purge list", exits=READING_EXITS)
@click.option("--limit", type=click.IntRange(1, 500), default=50, help=N_("How many to show."))
@click.option("--before", type=PLAN, metavar="PLAN", help=N_("Continue before this plan."))
def list_command(call: Invocation, limit: int, before: int | None) -> int | None:
    """List plans of purges, newest first: what waits for whom, what is done, what is proved."""
    from crmctl.retention import listing, waiting
    from crmctl.runs import run as runs
    from crmctl.store import engine

    with runs.open_run(call, "purge list", "purge.list") as run:
        with engine.read(run.engine) as conn:
            rows = [listing.row(run, each) for each in waiting.listed(conn, run.at, limit, before)]
        run = runs.record_reading(run, n=len(rows))
        call.emit({"run_id": run.run_id}, listing.table(rows))
    return None


@command(
    example=("crmctl purge show 12", "crmctl purge show 12 --customers --kept", "crmctl purge show 12 --record"),
    exits=READING_EXITS,
    formats=("table", "json"),
)
@click.argument("plan", type=PLAN)
@click.option("--customers", is_flag=True, help=N_("The customers of the plan, by number, and what becomes of each."))
@click.option("--kept", is_flag=True, help=N_("With --customers: only those who stay, and why."))
@click.option("--after", metavar="NUMBER", help=N_("Continue after this customer."))
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, help=N_("How many customers to show."))
@click.option("--record", is_flag=True, help=N_("The destruction record, exactly as it was hashed."))
def show_command(call: Invocation, plan: int, **given: Any) -> int | None:  # noqa: ANN401
    """Show one purge: the plan and its hash, who agreed, what was destroyed, what stayed and why, the record."""
    from crmctl.retention import listing, showing
    from crmctl.runs import run as runs

    with runs.open_run(call, "purge show", "purge.show") as run:
        shown = showing.show(run, plan, showing.wanted(given))
        run = runs.record_reading(run, obj=f"plan:{plan}", looks=shown.looks, n=len(shown.looks or ()))
        call.emit({"run_id": run.run_id, **shown.document}, *listing.show_parts(shown))
    return None


@command(example="crmctl purge form 12 --out plan-12.html", exits=WRITING_EXITS, formats=("html", "json"))
@click.argument("plan", type=PLAN)
@click.option("--out", type=click.Path(path_type=Path), required=True, help=N_("File to write; it must not exist."))
def form_command(call: Invocation, plan: int, out: Path) -> int | None:
    """Write the approval form of a purge (销毁审批表), one A4 page to print and sign, which names no customer.

    It has what is destroyed by which rule, what stays, files to dispose of, and what is known of approval and
    execution so far. Its hash is the beginning of what an approval is bound to; `crmctl purge show` has all of it.
    """
    from crmctl.retention import form
    from crmctl.runs import run as runs

    with runs.open_run(call, "purge form", "purge.show") as run:
        done = form.write(run, plan, out)
    if call.as_json:
        call.emit({**done, "path": str(out)})
        return None
    call.say(_("{path}: form of plan {plan}, hash {hash}").format(path=out, plan=plan, hash=done["hash"]))
    return None
