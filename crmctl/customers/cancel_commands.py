"""`crmctl customer cancel` and `recall`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from crmctl.cli.options import Invocation, command
from crmctl.errors import UsageProblem
from crmctl.i18n import N_, _

if TYPE_CHECKING:
    from crmctl.customers.cancelling import Outcome

CHANGING_EXITS = (0, 1, 2, 4, 6, 10, 11, 13, 74, 130, 143)


@command(
    example=(
        "crmctl customer cancel C-000123 C-000124",
        "crmctl customer cancel --from customers.txt --dry-run",
        "crmctl customer cancel C-000123 --undo",
    ),
    exits=CHANGING_EXITS,
    changes=True,
)
@click.argument("customers", nargs=-1, metavar="[CUSTOMER]...")
@click.option("--from", "listed", metavar="FILE", help=N_("More customers, one a line; - is standard input."))
@click.option("--undo", is_flag=True, help=N_("Make them again what they were before."))
def cancel_command(call: Invocation, customers: tuple[str, ...], listed: str | None, undo: bool) -> int | None:
    """Record that customers are customers no more. Nothing is destroyed by it.

    They are graded, assigned, listed and exported no more; customer list --status cancelled shows them. The retention
    policy says when they may be destroyed, and crmctl purge plan lists them then. All are looked at before anything is
    changed: whoever has an open complaint is not cancelled (CMP-12).
    """
    from crmctl.customers import cancelling, chosen
    from crmctl.runs import run as runs

    _named(customers, listed, "crmctl customer cancel --help")
    numbers = chosen.customers(customers, listed)
    with runs.open_run(call, "customer cancel", "customer.cancel", lock="import") as run:
        with call.progress(_("cancelling"), len(numbers)) as progress:
            done = cancelling.cancel(run, numbers, progress.advance, undo=undo)
        document: dict[str, Any] = {"run_id": done.run_id, "dry_run": run.dry_run, **cancelling.counts_of(done)}
        call.emit(document, *_lines(done, _("{number} were not cancelled"), dry_run=run.dry_run))
    return None


@command(
    example=("crmctl customer recall C-000123", "crmctl customer recall --from customers.txt --dry-run"),
    exits=CHANGING_EXITS,
    changes=True,
)
@click.argument("customers", nargs=-1, metavar="[CUSTOMER]...")
@click.option("--from", "listed", metavar="FILE", help=N_("More customers, one a line; - is standard input."))
def recall_command(call: Invocation, customers: tuple[str, ...], listed: str | None) -> int | None:
    """Bring back customers whom a purge put away, as what they were before.

    Put away are those whose time is over under a rule of the retention policy that says then: archive. Their data are
    only stored; customer list --status put_away shows them. They come back when they are customers again.
    """
    from crmctl.customers import cancelling, chosen
    from crmctl.customers.ended import PUTTING_AWAY
    from crmctl.runs import run as runs

    _named(customers, listed, "crmctl customer recall --help")
    numbers = chosen.customers(customers, listed)
    with runs.open_run(call, "customer recall", "customer.recall", lock="import") as run:
        with call.progress(_("bringing back"), len(numbers)) as progress:
            done = cancelling.cancel(run, numbers, progress.advance, undo=True, state=PUTTING_AWAY)
        document: dict[str, Any] = {"run_id": done.run_id, "dry_run": run.dry_run, **cancelling.counts_of(done)}
        call.emit(document, *_lines(done, _("{number} were not put away"), dry_run=run.dry_run))
    return None


def _named(customers: tuple[str, ...], listed: str | None, hint: str) -> None:
    if not customers and not listed:
        raise UsageProblem(_("name customers, or --from"), hint=hint)


def _lines(done: Outcome, same: str, *, dry_run: bool) -> list[str]:
    if done.undo:
        told = (
            _("{number} customers would be what they were before")
            if dry_run
            else _("{number} customers are what they were before")
        )
    else:
        told = _("{number} customers would be cancelled") if dry_run else _("{number} customers are cancelled")
        same = _("{number} were cancelled already")
    lines = [told.format(number=f"{done.changed:,}")]
    if done.unchanged:
        lines.append(same.format(number=f"{done.unchanged:,}"))
    return lines
