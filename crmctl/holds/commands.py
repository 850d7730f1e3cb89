"""`crmctl hold …`: set, lift, list, show."""

from __future__ import annotations

from typing import Any

import click

from crmctl.cli.options import Invocation, command, personal_option
from crmctl.cli.render import Table
from crmctl.errors import UsageProblem
from crmctl.i18n import N_, _

READING_EXITS = (0, 1, 2, 4, 6, 10, 11, 12, 13, 74)
CHANGING_EXITS = (0, 1, 2, 4, 6, 10, 11, 12, 13, 74, 130, 143)
KINDS = click.Choice(["conflict", "incident", "audit", "appeal", "legal"])
NUMBER = click.IntRange(min=1)
_FIRST = 10  # customers that `hold show` names


@command(
    example=(
        "crmctl hold set C-000123 C-000124 --kind legal --reason - --review-on 2027-06-30",
        "crmctl hold set --kind audit --from customers.txt --reason @reason.txt",
        "crmctl hold set --everybody --kind incident --reason -",
    ),
    exits=CHANGING_EXITS,
    changes=True,
)
@click.argument("customers", nargs=-1, metavar="[CUSTOMER]...")
@click.option("--kind", type=KINDS, help=N_("What it is for."))
@personal_option("--reason", help=N_("Why; kept sealed."))
@personal_option("--authority", help=N_("Who ordered it: a court, an authority, a file number; kept sealed."))
@click.option("--review-on", default="", metavar="DAY", help=N_("Day on which to ask whether it is still needed."))
@click.option("--everybody", is_flag=True, help=N_("All customers, those to come as well."))
@click.option("--from", "listed", metavar="FILE", help=N_("More customers, one a line; - is standard input."))
@click.option("--hold", type=NUMBER, metavar="NUMBER", help=N_("Add to this hold instead of setting a new one."))
def set_command(call: Invocation, customers: tuple[str, ...], listed: str | None, **given: Any) -> int | None:  # noqa: ANN401
    """Keep customers from being destroyed for now, whatever the policies say (DES-07).

    All are looked at before anything is set. A customer whose destruction has begun cannot be held any more. What was
    killed half-way is finished with --hold: who is under the hold already stays so.
    """
    from crmctl.customers import chosen
    from crmctl.holds import asking, setting, telling
    from crmctl.runs import run as runs

    if given["everybody"] == bool(customers or listed):
        raise UsageProblem(_("name customers, or --from, or say --everybody"), hint="crmctl hold set --help")
    wish = asking.wish(given)
    numbers = chosen.customers(customers, listed)
    with runs.open_run(call, "hold set", "hold.set") as run:
        with call.progress(_("holding"), len(numbers)) as progress:
            done = setting.set_hold(run, wish, numbers, progress.advance)
        document, lines = telling.was_set(run, done)
        call.emit(document, *lines, trouble=bool(done.begun))
    return None


@command(
    example=(
        "crmctl hold lift 3 --reason -",
        "crmctl hold lift 3 C-000123 --reason @reason.txt",
    ),
    exits=CHANGING_EXITS,
    changes=True,
)
@click.argument("hold", type=NUMBER)
@click.argument("customers", nargs=-1, metavar="[CUSTOMER]...")
@personal_option("--reason", help=N_("Why it is not needed any more; kept sealed."))
@click.option("--from", "listed", metavar="FILE", help=N_("More customers, one a line; - is standard input."))
def lift_command(
    call: Invocation, hold: int, customers: tuple[str, ...], listed: str | None, **given: Any  # noqa: ANN401
) -> int | None:  # fmt: skip
    """Lift a hold: all of it, or only for the customers named.

    With its last customer the hold itself is over. What policies say then counts again, from the next purge plan on.
    """
    from crmctl.customers import chosen
    from crmctl.holds import asking, lifting, telling
    from crmctl.runs import run as runs

    reason, numbers = asking.reason(given), chosen.customers(customers, listed)
    with runs.open_run(call, "hold lift", "hold.lift") as run:
        with call.progress(_("lifting"), len(numbers) or None) as progress:
            done = lifting.lift(run, hold, numbers, reason, progress.advance)
        document, lines = telling.was_lifted(run, done)
        call.emit(document, *lines)
    return None


@command(example=("crmctl hold list", "crmctl hold list --customer C-000123"), exits=READING_EXITS)
@click.option("--kind", type=KINDS, help=N_("Only those of this kind."))
@click.option("--customer", default="", metavar="NUMBER", help=N_("Only those this customer is under."))
@click.option("--all", "all_", is_flag=True, help=N_("Lifted ones too."))
@click.option("--limit", type=click.IntRange(1, 1000), default=50, help=N_("How many to show."))
@click.option("--before", type=NUMBER, metavar="NUMBER", help=N_("Continue before this number."))
def list_command(
    call: Invocation, kind: str | None, customer: str, all_: bool, limit: int, before: int | None
) -> int | None:  # fmt: skip
    """List holds, newest first, without their texts; with --customer also what else keeps that customer."""
    from crmctl.customers import showing
    from crmctl.holds import label, listing, telling
    from crmctl.runs import run as runs

    number = showing.parse_number(customer) if customer else None
    with runs.open_run(call, "hold list", "hold.list") as run:
        asked = listing.Asked(kind or "", number, all_, limit, before)
        found = listing.find(run, asked)
        obj = f"customer:{number}" if number is not None else ""
        run = runs.record_reading(run, n=len(found.holds), obj=obj)
        rows = telling.rows(run, found.holds, found.sizes, plain=call.output != "table")
        document: dict[str, Any] = {"run_id": run.run_id, "next": found.next}
        lines = []
        if number is not None:
            document["kept"] = list(found.kept)
            named = ", ".join(map(label, found.kept)) or _("nothing")
            lines.append(
                _("{customer}: kept by: {reasons}").format(customer=showing.number_text(number), reasons=named)
            )
        if found.next is not None:
            lines.append(_("more: --before {number}").format(number=found.next))
        call.emit(document, Table(telling.columns(), rows, "holds"), *lines)
    return None


@command(example="crmctl hold show 3", exits=READING_EXITS, formats=("table", "json"))
@click.argument("hold", type=NUMBER)
def show_command(call: Invocation, hold: int) -> int | None:
    """Show one hold: why, by what authority, who set it, what was added and lifted since, how many customers."""
    from crmctl.holds import listing, telling, texts
    from crmctl.runs import run as runs

    with runs.open_run(call, "hold show", "hold.show") as run:
        found = listing.one(run, hold, _FIRST)
        told = texts.of(run, found.hold)
        run = runs.record_reading(run, obj=f"hold:{hold}", n=1, looks=found.first)
        document = telling.document(run, found.hold, told, found.size, found.first)
        call.emit(document, *telling.parts(document))
    return None
