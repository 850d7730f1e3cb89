"""`crmctl owner collaborator …`: add, end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from crmctl.cli.options import Invocation, command
from crmctl.i18n import N_, _

if TYPE_CHECKING:
    from crmctl.owners.collaborating import Collaboration

CHANGING_EXITS = (0, 1, 2, 4, 6, 7, 10, 11, 74, 130, 143)


@command(
    example=(
        "crmctl owner collaborator add C-000123 1002",
        "crmctl owner collaborator add C-000123 1002 --until 2027-06-30",
    ),
    exits=CHANGING_EXITS,
    changes=True,
)
@click.argument("number")
@click.argument("staff", metavar="STAFF")
@click.option("--until", default="", metavar="DAY", help=N_("Last day; until it is ended unless given."))
def add_command(call: Invocation, number: str, staff: str, until: str) -> int | None:
    """Let somebody work on a customer beside its owner.

    A collaborator sees the customer as if it were their own, and must be allowed to own customers (OWN-05); the owner
    stays the owner, and nobody's load changes. With scope own you name collaborators of your own customers. After the
    last day it is over by itself.
    """
    from crmctl import clock
    from crmctl.customers import showing
    from crmctl.owners import collaborating
    from crmctl.runs import run as runs

    last = clock.parse_day(until, "--until") if until else None
    with runs.open_run(call, "owner collaborator add", "owner.collaborator", lock="owners") as run:
        done = collaborating.add(run, showing.parse_number(number), staff, last)
    if call.dry_run:
        told = _("{number} would be a collaborator on {customer}")
    elif last is None:
        told = _("{number} is now a collaborator on {customer}")
    else:
        told = _("{number} is now a collaborator on {customer}, until {day}")
    _emit(call, done, told)
    return None


@command(example="crmctl owner collaborator end C-000123 1002", exits=CHANGING_EXITS, changes=True)
@click.argument("number")
@click.argument("staff", metavar="STAFF")
def end_command(call: Invocation, number: str, staff: str) -> int | None:
    """End a collaboration: whoever worked on a customer beside its owner does so no more."""
    from crmctl.customers import showing
    from crmctl.owners import collaborating
    from crmctl.runs import run as runs

    with runs.open_run(call, "owner collaborator end", "owner.collaborator", lock="owners") as run:
        done = collaborating.end(run, showing.parse_number(number), staff)
    told = _("{number} would be no collaborator on {customer} any more")
    if not call.dry_run:
        told = _("{number} is no collaborator on {customer} any more")
    _emit(call, done, told)
    return None


def _emit(call: Invocation, done: Collaboration, told: str) -> None:
    from crmctl.customers import showing

    last = done.until_on.isoformat() if done.until_on else None
    document = {
        "run_id": done.run_id,
        "dry_run": done.run_id is None,
        "customer": done.customer_id,
        "collaborator": done.person.staff_id,
        "collaborator_number": done.person.number,
        "until_on": last,
    }
    line = told.format(number=done.person.number, customer=showing.number_text(done.customer_id), day=last)
    call.emit(document, line)
