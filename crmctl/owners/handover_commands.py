"""`crmctl owner handover …`: give, list, show, accept, return, sheet, wecom."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crmctl.cli.options import Invocation, command
from crmctl.cli.render import Column, Table
from crmctl.errors import InvalidInput, Refused, UsageProblem
from crmctl.i18n import N_, _

if TYPE_CHECKING:
    from crmctl.owners.closing import Closed
    from crmctl.owners.handing import Outcome
    from crmctl.owners.leaving import Left
    from crmctl.runs.run import Run

READING_EXITS = (0, 1, 2, 4, 6, 10, 11, 74)
CHANGING_EXITS = (0, 1, 2, 4, 6, 7, 10, 11, 74, 130, 143)
FILE_EXITS = (0, 1, 2, 4, 6, 10, 11, 12, 74, 130, 143)
_CUSTOMERS = click.option(
    "--partial", "customers", metavar="CUSTOMERS", help=N_("Only these customers, as in C-000012,C-000123.")
)


@command(
    example=(
        "crmctl owner handover give 1001 --to 1002 --dry-run",
        "crmctl owner handover 1001 --by-policy --reason leave",
        "crmctl owner handover 1001 --to 1002 --share 30 --reason load",
        "crmctl owner handover 1001 --to 1002 --stay-until 2027-01-31",
    ),
    exits=CHANGING_EXITS,
    changes=True,
)
@click.argument("from_", metavar="FROM")
@click.option("--to", default="", metavar="STAFF", help=N_("Who takes them."))
@click.option("--by-policy", is_flag=True, help=N_("Whoever the owners policy chooses for each customer."))
@_CUSTOMERS
@click.option("--share", type=click.IntRange(1, 99), metavar="PERCENT", help=N_("Only this share, spread over tiers."))
@click.option(
    "--reason",
    type=click.Choice(["leave", "move", "absence", "load", "other"]),
    help=N_("Why; leave for who is no longer in post, else other."),
)
@click.option(
    "--stay-until", default="", metavar="DAY", help=N_("Until this day the former owner stays as a collaborator.")
)
def give_command(call: Invocation, from_: str, to: str, by_policy: bool, **given: Any) -> int | None:  # noqa: ANN401
    """Hand a person's customers to another, or to whom the policy chooses; the verb `give` may be left out.

    FROM is a staff number, a staff id, a WeCom account, or a name that only one person has. Owners change;
    collaborators and first receivers stay as they are (OWN-02). With --stay-until who hands over sees the customers
    until that day. Who takes over accepts or gives back: crmctl owner handover accept. The sheet to sign: crmctl owner
    handover sheet.
    """
    from crmctl import clock
    from crmctl.owners import handing
    from crmctl.runs import run as runs

    if bool(to) == by_policy:
        raise UsageProblem(_("say who takes them"), hint=_("either --to STAFF or --by-policy"))
    if given["customers"] is not None and given["share"] is not None:
        raise UsageProblem(_("--partial and --share do not go together"), hint=_("leave one of them out"))
    stay = clock.parse_day(given["stay_until"], "--stay-until") if given["stay_until"] else None
    with runs.open_run(call, "owner handover", "owner.handover", lock="owners") as run:
        wish = handing.Wish(from_, to, _numbers(given["customers"]), given["share"], given["reason"] or "", stay)
        with call.progress(_("handing over")) as progress:
            outcome = handing.hand_over(run, wish, progress.advance)
        _emit_given(call, outcome)
    return None


def _numbers(text: str | None) -> tuple[int, ...]:
    """Return the customers named; none means everybody, so that an option without any is refused."""
    from crmctl.customers import showing

    if text is None:
        return ()
    words = [word for word in text.replace("，", ",").replace("、", ",").split(",") if word.strip()]
    if not words:
        raise InvalidInput(_("--partial: names no customer"), hint=_("for all of them leave the option out"))
    return tuple(dict.fromkeys(showing.parse_number(word) for word in words))


def _emit_given(call: Invocation, outcome: Outcome) -> None:
    from crmctl.owners import handing
    from crmctl.owners.telling import code_text

    columns = (
        Column("staff_id", detail=True),
        Column("number", N_("Staff number")),
        Column("name", N_("Full name")),
        Column("customers", N_("Customers"), right=True),
    )
    rows = [(person.staff_id, person.number, person.name, number) for person, number in handing.receivers(outcome)]
    document = {
        "run_id": outcome.run_id,
        "dry_run": outcome.run_id is None,
        "handover": outcome.handover_id,
        "from": outcome.giver.number,
        "reason": outcome.reason,
        "stay_until": outcome.stay_until.isoformat() if outcome.stay_until else None,
        "handed_over": outcome.customers,
        "resumed": outcome.resumed,
        "missed": outcome.missed,
        "stays": dict(sorted(outcome.stays.items())),
    }
    told = (
        _("{number} customers of {giver} would go to:") if call.dry_run else _("{number} customers of {giver} go to:")
    )
    parts: list[Any] = [
        told.format(number=f"{outcome.customers:,}", giver=outcome.giver.number),
        Table(columns, rows, "to"),
    ]
    if outcome.stay_until is not None and outcome.customers:
        told = _("{giver} stays as a collaborator until {day}")
        parts.append(told.format(giver=outcome.giver.number, day=outcome.stay_until.isoformat()))
    if outcome.resumed:
        told = _("{number} of them a run that was interrupted had handed over")
        parts.append(told.format(number=f"{outcome.resumed:,}"))
    for code, number in sorted(outcome.stays.items()):
        told = _("{number} customers stay: {reason}")
        parts.append(told.format(number=f"{number:,}", reason=code_text(code)))
    if outcome.missed:
        parts.append(_("{number} customers changed meanwhile").format(number=outcome.missed))
    if outcome.handover_id is not None:
        parts.append(
            _("Handover {number}; the sheet to sign: crmctl owner handover sheet {number} --out FILE").format(
                number=outcome.handover_id
            )
        )
    call.emit(document, *parts)


@command(example="crmctl owner handover list --open", exits=READING_EXITS)
@click.option("--open", "open_", is_flag=True, help=N_("Only those with customers not yet accepted or given back."))
@click.option("--limit", type=click.IntRange(1, 1000), default=50, help=N_("How many to show."))
def list_command(call: Invocation, open_: bool, limit: int) -> int | None:
    """List handovers, newest first."""
    from crmctl.owners import handovers, showing
    from crmctl.owners.bench import bench
    from crmctl.runs import run as runs
    from crmctl.store import engine

    with runs.open_run(call, "owner handover list", "owner.handover.list") as run:
        found = handovers.listed(run, limit, open_=open_)
        with engine.read(run.engine) as conn:
            people = bench(conn, run)
        run = runs.record_reading(run, n=len(found))
        rows = [handovers.row_of(run, each) for each in found]
        call.emit({"run_id": run.run_id}, Table(showing.handover_columns(people), rows, "handovers"))
    return None


@command(example="crmctl owner handover show 3", exits=READING_EXITS)
@click.argument("number", type=click.IntRange(min=1))
@click.option("--limit", type=click.IntRange(1, 1000), default=50, help=N_("How many customers to show."))
def show_command(call: Invocation, number: int, limit: int) -> int | None:
    """Show one handover: who gave what to whom, and what became of each customer."""
    from crmctl.owners import handovers, showing
    from crmctl.owners.bench import bench
    from crmctl.runs import run as runs
    from crmctl.store import engine

    with runs.open_run(call, "owner handover show", "owner.handover.show") as run:
        with engine.read(run.engine) as conn:
            people = bench(conn, run)
            found = handovers.find(conn, run, number)
            items = handovers.items(conn, run, number)
        run = runs.record_reading(run, obj=f"handover:{number}", n=len(items))
        head = Table(showing.handover_columns(people), [handovers.row_of(run, found)], "handovers")
        each = Table(showing.item_columns(run, people), handovers.item_rows(run, items[:limit]), "customers")
        more = [_("… and {number} more").format(number=len(items) - limit)] if len(items) > limit else []
        call.emit({"run_id": run.run_id}, head, each, *more)
    return None


@command(example="crmctl owner handover accept 3", exits=CHANGING_EXITS, changes=True)
@click.argument("number", type=click.IntRange(min=1))
@_CUSTOMERS
def accept_command(call: Invocation, number: int, customers: str | None) -> int | None:
    """Record that customers of a handover are taken over: one's own, everybody's with scope all."""
    from crmctl.owners import closing
    from crmctl.runs import run as runs

    with runs.open_run(call, "owner handover accept", "owner.handover.accept", lock="owners") as run:
        done = closing.accept(run, number, _numbers(customers))
        _emit_closed(call, run, done)
    return None


@command(example=("crmctl owner handover return 3 --partial C-000123",), exits=CHANGING_EXITS, changes=True)
@click.argument("number", type=click.IntRange(min=1))
@_CUSTOMERS
@click.option("--pool", is_flag=True, help=N_("To the pool, not to whoever had them."))
def return_command(call: Invocation, number: int, customers: str | None, pool: bool) -> int | None:
    """Give customers of a handover back: to whoever had them, or to the pool where that person may own none."""
    from crmctl.owners import closing
    from crmctl.runs import run as runs

    with runs.open_run(call, "owner handover return", "owner.handover.return", lock="owners") as run:
        done = closing.give_back(run, number, _numbers(customers), pool=pool)
        _emit_closed(call, run, done)
    return None


def _emit_closed(call: Invocation, run: Run, done: Closed) -> None:
    from crmctl.owners.handovers import STATES

    document = {
        "run_id": done.run_id,
        "dry_run": run.dry_run,
        "handover": done.handover_id,
        "accepted": done.accepted,
        "returned": done.returned,
        "missed": done.missed,
        "returned_to": done.back_to,
        "state": done.state,
        "open": done.open,
    }
    told = (
        _("Handover {number}: {accepted} would be accepted, {returned} given back")
        if run.dry_run
        else _("Handover {number}: accepted {accepted}, given back {returned}, open {open} ({state})")
    )
    lines = [
        told.format(
            number=done.handover_id,
            accepted=done.accepted,
            returned=done.returned,
            open=done.open,
            state=_(STATES[done.state]),
        )
    ]
    if done.returned and done.back_to is None and not run.dry_run:
        lines.append(_("they are without an owner now: crmctl owner list --without"))
    if done.missed:
        lines.append(_("{number} customers changed meanwhile").format(number=done.missed))
    call.emit(document, *lines)


@command(
    example=(
        "crmctl owner handover sheet 3 -o xlsx --out 交接单.xlsx",
        "crmctl owner handover sheet 3 -o html --out 3.html",
    ),
    exits=FILE_EXITS,
    formats=("xlsx", "html"),
)
@click.argument("number", type=click.IntRange(min=1))
@click.option("--out", type=click.Path(path_type=Path), required=True, help=N_("File to write; it must not exist."))
def sheet_command(call: Invocation, number: int, out: Path) -> int | None:
    """Write the handover sheet that both sides sign, as a workbook or as a page to print.

    Customers are masked as your roles say. The file can be read by you only and is in the register of copies: crmctl
    use copies.
    """
    from crmctl.owners import handovers, leaving, sheet, sheetfile
    from crmctl.owners.bench import bench
    from crmctl.runs import run as runs
    from crmctl.store import engine

    with runs.open_run(call, "owner handover sheet", "owner.handover.sheet") as run:
        with engine.read(run.engine) as conn:
            people = bench(conn, run)
            found = handovers.find(conn, run, number)
            items = handovers.items(conn, run, number)
        if not items:
            raise Refused(
                _("handover {number}: none of its customers is yours to see").format(number=number),
                hint=_("whoever takes them over, or sees everybody, writes the sheet"),
                code="NO_CUSTOMERS",
            )
        write = sheetfile.html if call.output == "html" else sheetfile.xlsx
        what = leaving.Leaving(number, [item.customer_id for item in items], out)
        done = leaving.put(run, what, lambda begun: write(sheet.sheet(begun, found, items, people)), lambda _conn: None)
    _tell_file(call, done, out)
    return None


@command(
    example="crmctl owner handover wecom 3 --purpose contact --out transfer.json",
    exits=FILE_EXITS,
    formats=("json", "csv"),
)
@click.argument("number", type=click.IntRange(min=1))
@click.option("--purpose", required=True, help=N_("What it is used for: a purpose of the use policy."))
@click.option("--again", is_flag=True, help=N_("Also customers that are in an earlier file."))
@click.option("--out", type=click.Path(path_type=Path), required=True, help=N_("File to write; it must not exist."))
def wecom_command(call: Invocation, number: int, purpose: str, again: bool, out: Path) -> int | None:
    """Write the file with which customers change hands in WeCom, in groups of at most 100.

    A customer of somebody in post is transferred at most twice in 90 days; the others are listed with the reason.
    external_userid leaves in full: that needs the right to export personal fields, for a purpose that policy allows.
    """
    from crmctl.owners import handovers, leaving, wecom
    from crmctl.owners.bench import bench
    from crmctl.runs import run as runs
    from crmctl.store import engine

    with runs.open_run(call, "owner handover wecom", "owner.handover.wecom") as run:
        code = wecom.permit(run, purpose)
        with engine.read(run.engine) as conn:
            people = bench(conn, run)
            found = handovers.find(conn, run, number)
            items = handovers.items(conn, run, number)
        chosen = wecom.transfer(run, found, items, people, again=again)
        wecom.require_some(found, chosen)
        write = wecom.csv_bytes if call.output == "csv" else wecom.json_bytes

        def made(begun: Run) -> bytes:
            return write(chosen.interface, wecom.calls(begun, chosen, people, found.from_id))

        numbers = [item.customer_id for item in chosen.customers]
        what = leaving.Leaving(number, numbers, out, (wecom.FIELD,), code)
        done = leaving.put(run, what, made, lambda conn: wecom.mark(conn, found, chosen.customers))
    _tell_file(call, done, out, chosen.others)
    return None


def _tell_file(call: Invocation, done: Left, out: Path, others: tuple[tuple[int, str], ...] = ()) -> None:
    from crmctl.customers import showing
    from crmctl.owners import wecom

    if call.as_json:
        listed = [{"customer": number, "code": code} for number, code in others]
        document = {
            "run_id": done.run_id, "copy": done.copy_id, "customers": done.customers, "file": str(out),
            "bytes": done.size, "sha256": done.sha256, "due_on": done.due_on, "others": listed,
        }  # fmt: skip
        call.emit(document)
        return
    call.say(
        _("{path}: {customers} customers (owner-only); copy {copy}, SHA-256 {sha256}").format(
            path=out, customers=f"{done.customers:,}", copy=done.copy_id, sha256=done.sha256
        )
    )
    for number, code in others:
        call.say(
            _("not in it: {customer}, {reason}").format(customer=showing.number_text(number), reason=_(wecom.WHY[code]))
        )
    due = done.due_on or _("(undecided: copy_retention_days in company.yaml)")
    call.say(_("destroy it by {day}, then: crmctl use destroyed {copy}").format(day=due, copy=done.copy_id))
