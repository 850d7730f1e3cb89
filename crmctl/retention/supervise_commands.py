"""`crmctl purge supervise`, `supervised`, `findings`: how destruction is judged, and what rules on trial would do."""

from __future__ import annotations

import click

from crmctl.cli.options import Invocation, command
from crmctl.i18n import N_, _

READING_EXITS = (0, 1, 2, 4, 6, 10, 11, 12, 13, 74)
CHANGING_EXITS = (*READING_EXITS, 130, 143)
OUTCOMES = ("compliant", "deficient")  # `supervising.OUTCOMES`, which would load the room


@command(
    example=("crmctl purge supervise", "crmctl purge supervise --check"), exits=READING_EXITS, formats=("table", "json")
)
@click.option("--check", is_flag=True, help=N_("Exit with 1 when something is wrong, or supervision is overdue."))
def supervise_command(call: Invocation, check: bool) -> int | None:
    """Count what a supervision of destruction looks at, since the last one: what is overdue, what was not done rightly.

    Data that should have been destroyed by now, purges that were not finished, not proved or not agreed to; some of
    the destroyed, chosen at random, are looked for again; files and paper outside that should be gone. Whether that is
    compliant is for a person to judge who destroyed none of it: crmctl purge supervised
    """
    from crmctl.retention import supervised, supervising
    from crmctl.runs import run as runs
    from crmctl.store import engine

    with runs.open_run(call, "purge supervise", "purge.supervise") as run:
        found = supervising.figures(run)
        with engine.read(run.engine) as conn:
            stands = supervising.standing(conn, run.policies, run.at)
        run = runs.record_reading(run, n=len(found.destroyed))
        call.emit(supervised.document(run, found, stands), *supervised.parts(run, found, stands))
        return 1 if check and (found.wrong or stands.overdue) else 0


@command(
    example="crmctl purge supervised --outcome compliant",
    exits=CHANGING_EXITS,
    formats=("table", "json"),
)
@click.option("--outcome", type=click.Choice(OUTCOMES), required=True, help=N_("How it was judged."))
def supervised_command(call: Invocation, outcome: str) -> int | None:
    """Record that destruction was supervised and how it was judged, with the figures of that moment, in the log.

    Never by who planned or carried out a purge since the last time.
    """
    from crmctl.retention import supervised, supervising
    from crmctl.runs import run as runs
    from crmctl.store import engine

    with runs.open_run(call, "purge supervised", "purge.supervised") as run:
        run, found = supervising.record(run, outcome)
        with engine.read(run.engine) as conn:
            stands = supervising.standing(conn, run.policies, run.at)
        said = _("supervision is recorded: {outcome}").format(outcome=_(supervised.OUTCOMES[outcome]))
        call.emit({**supervised.document(run, found, stands), "outcome": outcome}, said)
    return None


@command(example="crmctl purge findings", exits=READING_EXITS)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, help=N_("How many to show."))
@click.option("--after", default="", metavar="NUMBER", help=N_("Continue after this customer."))
def findings_command(call: Invocation, limit: int, after: str) -> int | None:
    """List whom policies in mode report would have destroyed at the last plan of customers, and by which rule.

    Nobody of them is destroyed, nor by a policy that is for more customers.
    """
    from crmctl.customers.showing import parse_number
    from crmctl.retention import findings, supervised
    from crmctl.runs import run as runs
    from crmctl.store import engine

    with runs.open_run(call, "purge findings", "purge.list") as run:
        with engine.read(run.engine) as conn:
            found = findings.listed(conn, run, limit, parse_number(after) if after else 0)
        run = runs.record_reading(run, n=len(found), looks=[each.customer_id for each in found])
        call.emit({"run_id": run.run_id}, supervised.found(run, found))
    return None
