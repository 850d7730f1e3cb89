"""`crmctl staff absence …`: add, list, cancel."""

from __future__ import annotations

import click

from crmctl.cli.options import Invocation, command
from crmctl.cli.render import Table
from crmctl.i18n import N_, _

READING_EXITS = (0, 1, 2, 4, 6, 10, 11, 74)
CHANGING_EXITS = (0, 1, 2, 4, 6, 10, 11, 74, 130, 143)


@command(
    example="crmctl staff absence add 1001 --from 2026-12-01 --until 2026-12-14 --deputy 1002",
    exits=CHANGING_EXITS,
    changes=True,
)
@click.argument("staff", metavar="STAFF")
@click.option("--from", "from_", required=True, metavar="DAY", help=N_("First day away."))
@click.option("--until", required=True, metavar="DAY", help=N_("Last day away."))
@click.option("--deputy", default="", metavar="STAFF", help=N_("Who stands in meanwhile."))
def add_command(call: Invocation, staff: str, from_: str, until: str, deputy: str) -> int | None:
    """Record that somebody is away, both days included, and who stands in.

    Nobody is away twice on one day. A deputy is in post and there on every one of these days; whoever stands in for
    somebody cannot be away then: a deputy passes nothing on.
    """
    from crmctl import clock
    from crmctl.runs import run as runs
    from crmctl.staff import absences, showing

    first, last = clock.parse_day(from_, "--from"), clock.parse_day(until, "--until")
    with runs.open_run(call, "staff absence add", "staff.absence") as run:
        outcome = absences.add(run, staff, first, last, deputy)
    said = _("{number}: absence from {first} to {last}: {outcome}").format(
        number=outcome.staff.number,
        first=first,
        last=last,
        outcome=showing.outcome_text(outcome.outcome, dry_run=call.dry_run),
    )
    call.emit(showing.absence_document(outcome), said)
    return None


@command(
    example=("crmctl staff absence cancel 1001", "crmctl staff absence cancel 1001 --from 2026-12-01"),
    exits=CHANGING_EXITS,
    changes=True,
)
@click.argument("staff", metavar="STAFF")
@click.option("--from", "from_", default="", metavar="DAY", help=N_("Its first day, where there are several."))
def cancel_command(call: Invocation, staff: str, from_: str) -> int | None:
    """Cancel an absence: the one that begins on a day, or the only one that is not over."""
    from crmctl import clock
    from crmctl.runs import run as runs
    from crmctl.staff import absences, showing

    first = clock.parse_day(from_, "--from") if from_ else None
    with runs.open_run(call, "staff absence cancel", "staff.absence") as run:
        outcome = absences.cancel(run, staff, first)
    said = _("{number}: absence from {first} to {last}: {outcome}").format(
        number=outcome.staff.number,
        first=outcome.absence.from_on,
        last=outcome.absence.until_on,
        outcome=showing.outcome_text(outcome.outcome, dry_run=call.dry_run),
    )
    call.emit(showing.absence_document(outcome), said)
    return None


@command(example=("crmctl staff absence list", "crmctl staff absence list 1001 --all"), exits=READING_EXITS, as_of=True)
@click.argument("staff", metavar="[STAFF]", default="")
@click.option("--all", "all_", is_flag=True, help=N_("Also absences that are over or cancelled."))
def list_command(call: Invocation, staff: str, all_: bool) -> int | None:
    """List absences of everybody, or of one person, by first day: those that are not over."""
    from crmctl.runs import run as runs
    from crmctl.staff import absences, listing, register, showing

    with runs.open_run(call, "staff absence list", "staff.list") as run:
        view = listing.view(run)
        person = register.one(view.directory, staff) if staff else None
        found = absences.listed(view.directory, person, None if all_ else view.day)
        run = runs.record_reading(run, n=len(found))
        rows = [showing.absence_row(*item) for item in found]
        call.emit({"run_id": run.run_id, "day": view.day.isoformat()}, Table(showing.ABSENCE_COLUMNS, rows, "absences"))
    return None
