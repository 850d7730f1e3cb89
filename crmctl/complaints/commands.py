"""`crmctl complaint …`: open, show, file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crmctl.cli.happened import happened_options
from crmctl.cli.options import Invocation, command, personal_option
from crmctl.errors import UsageProblem
from crmctl.i18n import N_, _

if TYPE_CHECKING:
    from crmctl.complaints.opening import Opened
    from crmctl.runs.run import Run

READING_EXITS = (0, 1, 2, 4, 6, 10, 11, 12, 13, 74)
CHANGING_EXITS = (0, 1, 2, 4, 6, 7, 8, 10, 11, 12, 13, 74, 130, 143)


@command(
    example=(
        "crmctl complaint open C-000123 --channel phone --category quality --complainant - --contact @contact.txt",
        "crmctl complaint open --unidentified --channel online --category attitude",
    ),
    exits=CHANGING_EXITS,
    changes=True,
)
@click.argument("customer", required=False, default="")
@click.option(
    "--unidentified", is_flag=True, help=N_("Nobody knows yet whose complaint it is; `link` records it later.")
)
@click.option("--channel", required=True, help=N_("How it came: code, label or synonym of company.yaml."))
@click.option("--category", required=True, help=N_("What it is about: code, label or synonym of the policy."))
@click.option("--severity", default="", help=N_("How severe; that of the category unless given."))
@personal_option("--complainant", help=N_("Who complains."))
@personal_option("--contact", help=N_("How the complainant can be reached."))
@personal_option("--matter", help=N_("What happened."))
@personal_option("--demand", help=N_("What the complainant wants."))
@personal_option("--nature", help=N_("What sort of thing it is, in words."))
@happened_options
@click.option("--feedback-by", default="", metavar="TIME", help=N_("Time limit told, where it is not the policy's."))
@click.option("--about", multiple=True, metavar="STAFF", help=N_("Whom of the staff it is about; repeatable."))
@click.option("--receiver", default="", metavar="STAFF", help=N_("First receiver; you unless given."))
@click.option("--handler", default="", metavar="STAFF", help=N_("Who handles it; you unless given."))
def open_command(call: Invocation, customer: str, unidentified: bool, **given: Any) -> int | None:  # noqa: ANN401
    """Accept a complaint: it gets its acceptance number and a time limit to tell the complainant, at once.

    Its stages and limits are those of the complaints policy in force, and stay so. Whom it is about neither handles it
    nor approves anything about it. What the complainant says is sealed under the customer's key.
    """
    from crmctl.complaints import asking, opening
    from crmctl.customers import showing
    from crmctl.runs import run as runs

    if customer and unidentified:
        raise UsageProblem(_("a customer and --unidentified exclude each other"), hint=_("leave one of them out"))
    if not customer and not unidentified:
        raise UsageProblem(_("name the customer, or say --unidentified"), hint="crmctl complaint open --help")
    with runs.open_run(call, "complaint open", "complaint.open") as run:
        number = None if unidentified else showing.parse_number(customer)
        done = opening.open_complaint(run, number, asking.request(run, given))
        _emit_opened(call, run, done)
    return None


def _emit_opened(call: Invocation, run: Run, done: Opened) -> None:
    from crmctl.complaints import ruling, telling

    settings, due = ruling.settings_of(done.draft.policy), done.draft.feedback.due_at
    line = _("would be accepted; answer by {due}") if run.dry_run else _("accepted as {number}; answer by {due}")
    told = [line.format(number=done.number, due=telling.short(run, due) if due else "")]
    if done.handler is None:
        told.append(
            _("nobody handles it yet: crmctl complaint handoff {number} --to STAFF").format(
                number=done.number or _("NUMBER")
            )
        )
    call.emit(telling.opened(run, done), *told, telling.deadlines_table(run, settings, done.draft.clocks))


@command(
    example=("crmctl complaint show CMP-20261121-0007", "crmctl complaint show CMP-20261121-0007 --reveal"),
    exits=READING_EXITS,
    formats=("table", "json"),
)
@click.argument("number")
@click.option("--reveal", is_flag=True, help=N_("With its texts in clear; logged, with the complaint as its ticket."))
@click.option("--purpose", default="", help=N_("With --reveal of a closed one: what it is needed for."))
@click.option("--ticket", default="", help=N_("With --purpose, where that needs one."))
def show_command(call: Invocation, number: str, reveal: bool, purpose: str, ticket: str) -> int | None:
    """Show one complaint: how it stands, its limits, what happened, what it lacks before it can be closed.

    Texts are shown with --reveal only. While it is open, the complaint itself is purpose and ticket; afterwards both
    have to be given.
    """
    from crmctl.cases import numbers
    from crmctl.complaints import showing
    from crmctl.runs import run as runs

    act = "complaint.reveal" if reveal else "complaint.show"
    with runs.open_run(call, "complaint show", act) as run:
        found = showing.show(run, numbers.parsed(number), showing.Wish(reveal, purpose, ticket))
        call.emit(showing.document(found), *showing.parts(found))
    return None


@command(
    example="crmctl complaint file CMP-20261121-0007 3 --out letter.pdf",
    exits=(*READING_EXITS, 130, 143),
    formats=("table", "json"),
    silent=True,
)
@click.argument("number")
@click.argument("file_id", metavar="WHICH", type=click.IntRange(min=1))
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help=N_("File to write, owner-only.")
)
@click.option("--purpose", default="", help=N_("For a closed complaint: what it is needed for."))
@click.option("--ticket", default="", help=N_("With --purpose, where that needs one."))
def file_command(call: Invocation, number: str, file_id: int, out: Path, purpose: str, ticket: str) -> int | None:
    """Write a file that is kept with a complaint; logged, and in the register of copies."""
    from crmctl.cases import numbers
    from crmctl.complaints import filing
    from crmctl.complaints.showing import Wish
    from crmctl.runs import run as runs

    with runs.open_run(call, "complaint file", "complaint.reveal") as run:
        done = filing.write(run, numbers.parsed(number), file_id, out, Wish(True, purpose, ticket))
        call.emit(done, _("{bytes} bytes written").format(bytes=done["bytes"]))
    return None
