"""`crmctl paper …`: add, list, show, move, destroyed."""

from __future__ import annotations

from typing import Any

import click

from crmctl.cli.options import Invocation, command, personal_option
from crmctl.errors import UsageProblem
from crmctl.i18n import N_, _

READING_EXITS = (0, 1, 2, 4, 6, 10, 11, 12, 13, 74)
CHANGING_EXITS = (0, 1, 2, 4, 6, 10, 11, 12, 13, 74, 130, 143)
NUMBER = click.IntRange(min=1)


@command(
    example="crmctl paper add --customer C-000123 --kind contract --keeper 1001 --place @place.txt",
    exits=CHANGING_EXITS,
    formats=("table", "json"),
)
@click.option(
    "--customer", "customers", multiple=True, required=True, metavar="NUMBER", help=N_("Whom it is about; repeatable.")
)
@click.option("--kind", required=True, metavar="CODE", help=N_("What it is: a kind of paper of the use policy."))
@click.option("--keeper", required=True, metavar="STAFF", help=N_("Who has it: a staff number or a person."))
@personal_option("--place", help=N_("Where it lies; kept sealed."))
@personal_option("--note", help=N_("What else there is to say; kept sealed."))
def add_command(call: Invocation, **given: Any) -> int | None:  # noqa: ANN401
    """Register a folder, a contract, a recording, a disk with information of customers, so that a purge reminds of it.

    Write its number on the item. When a customer whom it is about is destroyed it is due, and crmctl paper list --due
    has it until somebody says that it is destroyed.
    """
    from crmctl.paper import asking, registering, telling
    from crmctl.runs import run as runs

    with runs.open_run(call, "paper add", "paper.add") as run:
        run, item = registering.add(run, asking.wish(run, given))
        told = _("paper item {item} is registered: write this number on it").format(item=item.item_id)
        call.emit({"run_id": run.run_id}, telling.table(run, [item]), told)
    return None


@command(example=("crmctl paper list --due", "crmctl paper list --plan 12"), exits=READING_EXITS)
@click.option("--customer", default="", metavar="NUMBER", help=N_("Only those about this customer."))
@click.option("--keeper", default="", metavar="STAFF", help=N_("Only those that this person has."))
@click.option("--due", is_flag=True, help=N_("Only those that have to be destroyed by today."))
@click.option("--plan", type=NUMBER, metavar="PLAN", help=N_("Only those about whom a purge destroys; destroyed too."))
@click.option("--all", "all_", is_flag=True, help=N_("Destroyed ones too."))
@click.option("--limit", type=click.IntRange(1, 1000), default=50, help=N_("How many to show."))
@click.option("--before", type=NUMBER, metavar="NUMBER", help=N_("Continue before this number."))
def list_command(call: Invocation, **given: Any) -> int | None:  # noqa: ANN401
    """List paper and media, newest first: what each is, who has it, whom it is about, what has to be destroyed.

    Where it lies is sealed: crmctl paper show
    """
    from crmctl.customers import scope
    from crmctl.paper import asking, records, telling
    from crmctl.runs import plans
    from crmctl.runs import run as runs
    from crmctl.store import engine

    with runs.open_run(call, "paper list", "paper.list") as run:
        wanted, day = asking.asked(run, given), runs.today(run.policies, run.at).isoformat()
        with engine.read(run.engine) as conn:
            if wanted.plan is not None:
                plans.find(conn, wanted.plan, plans.PURGE)  # a wrong number is no empty list
            found = records.listed(conn, wanted)
            due = records.due(conn, wanted, day)
            known = scope.known(conn, run, {link.customer_id for item in found for link in item.links})
        run = runs.record_reading(run, n=len(found), looks=sorted(known))
        more = found[-1].item_id if len(found) == wanted.limit else None
        lines = [_("to be destroyed now: {number}").format(number=due)] if due else []
        lines += [_("more: --before {number}").format(number=more)] if more else []
        call.emit({"run_id": run.run_id, "due": due, "next": more}, telling.table(run, found), *lines)
    return None


@command(example="crmctl paper show 3", exits=READING_EXITS, formats=("table", "json"))
@click.argument("item", type=NUMBER)
def show_command(call: Invocation, item: int) -> int | None:
    """Show one item: where it lies, whom it is about, what was said of its destruction."""
    from crmctl.customers import scope
    from crmctl.paper import records, telling, texts
    from crmctl.runs import run as runs
    from crmctl.store import engine

    with runs.open_run(call, "paper show", "paper.show") as run:
        with engine.read(run.engine) as conn:
            found = records.find(conn, item)
            known = scope.known(conn, run, {link.customer_id for link in found.links})
        told = texts.opened(run, found.run_id, found.sealed, item)
        run = runs.record_reading(run, obj=f"paper:{item}", n=1, looks=sorted(known))
        document = telling.document(run, found, told)
        if call.output == "json":
            call.emit(document, telling.said(run, found))
        else:
            call.emit(document, *telling.parts(run, found, told))
    return None


@command(
    example="crmctl paper move 3 --keeper 1002 --place @place.txt", exits=CHANGING_EXITS, formats=("table", "json")
)
@click.argument("item", type=NUMBER)
@click.option("--keeper", default="", metavar="STAFF", help=N_("Who has it from now on."))
@personal_option("--place", help=N_("Where it lies from now on; kept sealed."))
def move_command(call: Invocation, item: int, keeper: str, place: str | None) -> int | None:
    """Record that an item has another keeper, or lies elsewhere."""
    from crmctl.paper import asking, registering, telling
    from crmctl.runs import run as runs

    if not keeper and not place:
        raise UsageProblem(_("give --keeper, --place or both"), hint="crmctl paper move --help")
    with runs.open_run(call, "paper move", "paper.move") as run:
        run, moved = registering.move(run, item, asking.keeper(run, keeper) if keeper else "", place or "")
        call.emit({"run_id": run.run_id}, telling.table(run, [moved]))
    return None


@command(
    example=(
        "crmctl paper destroyed 3 --method shredded --witness 1002",
        "crmctl paper destroyed 3 --method redacted --on 2026-11-20",
    ),
    exits=CHANGING_EXITS,
    formats=("table", "json"),
    silent=True,
)
@click.argument("item", type=NUMBER)
@click.option("--method", required=True, metavar="CODE", help=N_("How: shredded, burnt …, a method of the use policy."))
@click.option("--witness", default="", metavar="STAFF", help=N_("Who else saw it: a staff number or a person."))
@click.option("--on", "day", default="", metavar="DAY", help=N_("The day on which it was; else today."))
@click.option("--held", is_flag=True, help=N_("It happened all the same, though a hold keeps a customer it is about."))
def destroyed_command(call: Invocation, item: int, **given: Any) -> int | None:  # noqa: ANN401
    """Record that an item was destroyed, how and on which day, who says so and who saw it.

    Said once. Of an item that is about others too, what is about the destroyed can be made unreadable (redacted): then
    it stays in the register for the others. What is about customers under a hold must not be destroyed: --held records
    that it was.
    """
    from crmctl.customers.showing import number_text
    from crmctl.paper import asking, confirming, telling
    from crmctl.runs import run as runs

    with runs.open_run(call, "paper destroyed", "paper.destroyed") as run:
        done = confirming.confirm(run, item, asking.said(run, given))
        lines = []
        if done.living:
            told = _("it was about customers too who are not destroyed: {customers}")
            lines.append(told.format(customers=", ".join(map(number_text, done.living))))
        call.emit({"run_id": done.run_id}, telling.table(run, [done.item]), *lines)
    return None
