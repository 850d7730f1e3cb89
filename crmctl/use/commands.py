"""`crmctl use …`: what was asked for and used, what came of it, copies, evaluation. Other rooms ask for their uses."""

from __future__ import annotations

import click

from crmctl.cli.options import Invocation, command
from crmctl.cli.render import Column, Table
from crmctl.i18n import N_, _

READING_EXITS = (0, 1, 2, 4, 6, 10, 11, 12, 74)
CHANGING_EXITS = (0, 1, 2, 4, 6, 10, 11, 12, 74, 130, 143)
DECIDING_EXITS = (0, 1, 2, 4, 6, 8, 10, 11, 12, 74, 130, 143)
NUMBER = click.IntRange(min=1)


@command(example=("crmctl use list", "crmctl use list --records --open"), exits=READING_EXITS)
@click.option("--records", is_flag=True, help=N_("List what was used instead of what was asked for."))
@click.option("--open", "open_", is_flag=True, help=N_("Only uses without a result (with --records)."))
@click.option("--mine", is_flag=True, help=N_("Only my own."))
@click.option("--limit", type=click.IntRange(1, 1000), default=50, help=N_("How many to show."))
@click.option("--before", type=NUMBER, metavar="NUMBER", help=N_("Continue before this number."))
def list_command(
    call: Invocation, records: bool, open_: bool, mine: bool, limit: int, before: int | None
) -> int | None:
    """List use requests, newest first; with --records every reveal and export, with purpose and result.

    This is what the evaluation of use looks at: does it match the business, does it intrude on privacy.
    """
    from crmctl.errors import UsageProblem
    from crmctl.runs import run as runs
    from crmctl.store import engine
    from crmctl.use import listing, purposes, requests
    from crmctl.use import records as uses

    if open_ and not records:
        raise UsageProblem(_("--open belongs to --records"), hint=_("as in crmctl use list --records --open"))
    with runs.open_run(call, "use list", "use.list") as run:
        person = run.actor.person if mine else ""
        with engine.read(run.engine) as conn:
            if records:
                found = uses.newest(conn, limit, before, open_only=open_, person=person)
                columns, rows = listing.record_columns(run), [listing.record_row(run, each) for each in found]
            else:
                asked = requests.newest(conn, limit, before, person)
                columns, rows = listing.request_columns(run), [listing.request_row(run, each) for each in asked]
        run = runs.record_reading(run, n=len(rows))
        months = purposes.evaluated_every(run.policies)
        said = [_("use is evaluated every {months} months").format(months=months)] if records and months else []
        document = {"run_id": run.run_id, "evaluated_every_months": months}
        call.emit(document, Table(columns, rows, "records" if records else "requests"), *said)
    return None


@command(example="crmctl use show 3", exits=(*READING_EXITS, 13), formats=("table", "json"))
@click.argument("number", type=NUMBER)
def show_command(call: Invocation, number: int) -> int | None:
    """Show one use request: why it is needed, which customers by which filters, and what was used under it."""
    from crmctl.runs import run as runs
    from crmctl.store import engine
    from crmctl.use import listing, recording, requests
    from crmctl.use import records as uses

    with runs.open_run(call, "use show", "use.show") as run:
        with engine.read(run.engine) as conn:
            request = requests.find(conn, number)
            used = uses.of_request(conn, number)
        told = requests.told(run, request)
        notes = [recording.note_of(run, record) for record in used]
        run = runs.record_reading(run, use=number, n=1)
        columns, row = listing.request_columns(run), listing.request_row(run, request)
        filters = {name: value for name, value in {**request.selection, **told["private"]}.items() if name != "digest"}
        document = {
            "run_id": run.run_id,
            "request": dict(zip((column.code for column in columns), row, strict=True)),
            "why": told["why"],
            "filters": filters,
            "digest": request.digest,
            "notes": notes,
        }
        everything = _("the whole log") if request.act == listing.LOG_EXPORT else _("everybody")
        lines = [(column.heading(""), column.text(value)) for column, value in zip(columns, row, strict=True)]
        lines.append((_("Filters"), ", ".join(f"{name}={value}" for name, value in filters.items()) or everything))
        lines.append((_("Why"), told["why"]))
        for record, note in zip(used, notes, strict=True):
            if note:
                lines.append((_("Result of R-{number}").format(number=record.record_id), note))
        head = Table((Column("what", N_("What")), Column("value", N_("Value"))), lines)
        uses_table = Table(listing.record_columns(run), [listing.record_row(run, each) for each in used], "records")
        call.emit(document, head, *([uses_table] if used or call.output == "json" else []))
    return None


@command(example="crmctl use approve 3", exits=DECIDING_EXITS, changes=True)
@click.argument("number", type=NUMBER)
@click.option("--reason", default="", help=N_("Why; kept sealed."))
def approve_command(call: Invocation, number: int, reason: str) -> int | None:
    """Agree to a use request that somebody else made; look at it first with crmctl use show.

    It is a decision on the request's approval: crmctl approval approve takes decisions on paper and signatures too,
    crmctl approval reject refuses.
    """
    from crmctl.approvals import deciding
    from crmctl.approvals.commands import emit_decided
    from crmctl.approvals.evidence import Evidence
    from crmctl.approvals.judging import Wish
    from crmctl.errors import Refused
    from crmctl.runs import run as runs
    from crmctl.store import engine
    from crmctl.use import requests

    with runs.open_run(call, "use approve", "approval.approve") as run:
        with engine.read(run.engine) as conn:
            approval = requests.find(conn, number).approval_id
        if approval is None:
            message = _("use request {number} needs nobody's approval").format(number=number)
            raise Refused(message, hint=_("see: crmctl use show {number}").format(number=number), code="NOT_ASKED")
        wish = Wish(approval, "approve", "", None)
        emit_decided(call, deciding.carry_out(run, wish, Evidence(reason.strip(), None, None)))
    return None


@command(
    example=("crmctl use record R-15 --result done", "crmctl use record 3 --result partly --note 只联系了一半"),
    exits=CHANGING_EXITS,
    formats=("table", "json"),
)
@click.argument("which", metavar="USE")
@click.option("--result", required=True, help=N_("What came of it: a result of the use policy."))
@click.option("--note", default="", metavar="TEXT", help=N_("The result in words; kept sealed."))
def record_command(call: Invocation, which: str, result: str, note: str) -> int | None:
    """Record what came of a use: R-15 is one reveal or export, 3 is all that was used under request 3."""
    from crmctl.runs import run as runs
    from crmctl.use import listing, purposes, recording

    with runs.open_run(call, "use record", "use.record") as run:
        with purposes.denials_logged(run, run.act):
            run, done = recording.settle(run, which, result, note.strip())
        rows = [listing.record_row(run, record) for record in done]
        call.emit({"run_id": run.run_id}, Table(listing.record_columns(run), rows, "records"))
    return None


@command(example=("crmctl use copies --due", "crmctl use copies --check"), exits=READING_EXITS)
@click.option("--due", is_flag=True, help=N_("Only those that have to be destroyed by today."))
@click.option("--all", "all_", is_flag=True, help=N_("Destroyed ones too."))
@click.option("--check", is_flag=True, help=N_("Look where each file was written, and say whether it is there."))
@click.option("--limit", type=click.IntRange(1, 1000), default=50, help=N_("How many to show."))
@click.option("--before", type=NUMBER, metavar="NUMBER", help=N_("Continue before this copy."))
def copies_command(call: Invocation, due: bool, all_: bool, check: bool, limit: int, before: int | None) -> int | None:
    """List the files with customer data that left the database, newest first: with whom they are, when they must go."""
    from crmctl.runs import run as runs
    from crmctl.store import engine
    from crmctl.use import copies, listing

    with runs.open_run(call, "use copies", "use.copies") as run:
        day = runs.today(run.policies, run.at).isoformat()
        with engine.read(run.engine) as conn:
            found = copies.listed(conn, limit, before, due=day if due else "", all_=all_)
        rows = [listing.copy_row(run, copy, check=check) for copy in found]
        run = runs.record_reading(run, n=len(rows))
        late = sum(copy.overdue(day) for copy in found)
        said = [_("to be destroyed now: {number}").format(number=late)] if late else []
        document = {"run_id": run.run_id, "due": late}
        call.emit(document, Table(listing.copy_columns(run, check=check), rows, "copies"), *said)
    return None


@command(example="crmctl use destroyed 7", exits=CHANGING_EXITS, formats=("table", "json"), silent=True)
@click.argument("copy", type=NUMBER)
def destroyed_command(call: Invocation, copy: int) -> int | None:
    """Record that a copy was destroyed, by whom and when; refused while its file is still where it was written."""
    from crmctl.runs import run as runs
    from crmctl.use import copies, listing

    with runs.open_run(call, "use destroyed", "use.destroyed") as run:
        run = runs.begin(run)
        with runs.recorded_failure(run):
            done = copies.dispose(run, copy)
        row = listing.copy_row(run, done, check=False)
        call.emit({"run_id": run.run_id}, Table(listing.copy_columns(run, check=False), [row], "copies"))
    return None


@command(example=("crmctl use evaluate", "crmctl use evaluate --check"), exits=READING_EXITS)
@click.option("--from", "since", default="", metavar="TIME", help=N_("From this date on; else since the last one."))
@click.option("--to", "until", default="", metavar="TIME", help=N_("Up to this date (included); else until now."))
@click.option("--check", is_flag=True, help=N_("Exit with 1 when an evaluation is overdue."))
def evaluate_command(call: Invocation, since: str, until: str, check: bool) -> int | None:
    """Count what an evaluation of use looks at: who used what for which purpose, and what has no result.

    Whether that matches the business need and keeps to privacy is for a person to judge: crmctl use evaluated
    """
    from crmctl.runs import run as runs
    from crmctl.store import engine
    from crmctl.use import evaluating, listing

    with runs.open_run(call, "use evaluate", "use.evaluate") as run:
        with engine.read(run.engine) as conn:
            stands = evaluating.standing(conn, run.policies, run.at)
            period = evaluating.period_of(run, since, until, stands.last)
            found = evaluating.figures(conn, period, runs.today(run.policies, run.at).isoformat())
        run = runs.record_reading(run, n=len(found.uses))
        table = Table(listing.evaluated_columns(run), found.uses, "uses")
        call.emit(listing.evaluation(run, period, found, stands), table, *listing.evaluation_lines(found, stands))
        return 1 if check and stands.overdue else 0


@command(
    example="crmctl use evaluated --need met --privacy kept --note 用途相符，未见过度使用",
    exits=CHANGING_EXITS,
    formats=("table", "json"),
)
@click.option("--need", type=click.Choice(("met", "exceeded")), required=True, help=N_("Does use match the need?"))
@click.option("--privacy", type=click.Choice(("kept", "intruded")), required=True, help=N_("Was privacy kept?"))
@click.option("--note", required=True, metavar="TEXT", help=N_("The judgement in words; kept sealed."))
@click.option("--from", "since", default="", metavar="TIME", help=N_("From this date on; else since the last one."))
@click.option("--to", "until", default="", metavar="TIME", help=N_("Up to this date (included); else until now."))
def evaluated_command(call: Invocation, need: str, privacy: str, note: str, since: str, until: str) -> int | None:
    """Record that the use of information was evaluated: how it was judged, with the figures of that moment."""
    from crmctl.errors import UsageProblem
    from crmctl.runs import run as runs
    from crmctl.store import engine
    from crmctl.use import evaluating, listing

    if not note.strip():
        raise UsageProblem(_("--note: says nothing"), hint=_("say in a sentence what was found"))
    with runs.open_run(call, "use evaluated", "use.evaluated") as run:
        with engine.read(run.engine) as conn:
            period = evaluating.period_of(run, since, until, evaluating.newest(conn))
        run, number, found = evaluating.record(run, period, (need, privacy), note.strip())
        with engine.read(run.engine) as conn:
            stands = evaluating.standing(conn, run.policies, run.at)
        document = {**listing.evaluation(run, period, found, stands), "evaluation": number}
        said = _("evaluation {number} is recorded").format(number=number)
        call.emit(document, said, *listing.evaluation_lines(found, stands))
    return None
