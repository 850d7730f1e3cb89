"""`crmctl approval …`: list, show, statement, approve, reject, revoke."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crmctl.cli.deciding import decision_options
from crmctl.cli.options import Invocation, command
from crmctl.cli.render import Column, Table
from crmctl.errors import UsageProblem
from crmctl.i18n import N_, _

if TYPE_CHECKING:
    from collections.abc import Callable

    from crmctl.approvals.deciding import Outcome
    from crmctl.runs.run import Run

STATES = ("open", "approved", "rejected", "revoked", "used", "expired")
READING_EXITS = (0, 1, 2, 4, 6, 10, 11, 74)
DECIDING_EXITS = (0, 1, 2, 4, 6, 8, 10, 11, 12, 74, 130, 143)
NUMBER = click.IntRange(min=1)
FILE = click.Path(path_type=Path)


@command(example=("crmctl approval list --open", "crmctl approval list --mine"), exits=READING_EXITS)
@click.option("--mine", is_flag=True, help=N_("Only what I asked for."))
@click.option("--open", "open_", is_flag=True, help=N_("Only what waits for decisions; same as --state open."))
@click.option("--state", type=click.Choice(STATES), help=N_("Only what stands so."))
@click.option("--limit", type=click.IntRange(1, 1000), default=50, help=N_("How many to show."))
@click.option("--before", type=NUMBER, metavar="NUMBER", help=N_("Continue before this approval."))
def list_command(
    call: Invocation, mine: bool, open_: bool, state: str | None, limit: int, before: int | None
) -> int | None:
    """List what was asked to be approved, newest first."""
    from crmctl.approvals import listing
    from crmctl.runs import run as runs
    from crmctl.store import engine

    if open_ and state not in (None, "open"):
        raise UsageProblem(_("--open is --state open: give one of them"), hint=_("leave one of them out"))
    with runs.open_run(call, "approval list", "approval.list") as run:
        with engine.read(run.engine) as conn:
            rows = listing.listed(run, conn, "open" if open_ else state or "", mine, limit, before)
        run = runs.record_reading(run, n=len(rows))
        call.emit({"run_id": run.run_id}, Table(listing.LISTED, rows, "approvals"))
    return None


@command(
    example=("crmctl approval show 7", "crmctl approval show 7 --save-scan paper.pdf"),
    exits=(*READING_EXITS, 12, 13),
    formats=("table", "json"),
)
@click.argument("number", type=NUMBER)
@click.option("--save-scan", type=FILE, metavar="FILE", help=N_("Write the newest scan to a new owner-only file."))
def show_command(call: Invocation, number: int, save_scan: Path | None) -> int | None:
    """Show one approval: what it is for, exactly, and who decided how."""
    from crmctl.approvals import listing, records
    from crmctl.approvals.about import about
    from crmctl.runs import run as runs
    from crmctl.store import engine

    with runs.open_run(call, "approval show", "approval.show") as run:
        with engine.read(run.engine) as conn:
            asked = records.find(conn, number)
            made = records.decisions(conn, (number,))[number]
            row = listing.row_of(run, asked, made, records.now(conn, run.at))
            may, why = listing.may_decide(run, conn, number)
            concerned = about(conn, run, asked)
        decided = list(listing.decision_rows(run, asked, made))
        run = runs.record_reading(run, approval=number, obj=asked.subject, n=1)
        if save_scan is not None:
            listing.save_scan(run, made, save_scan)
        told = dict(zip((column.code for column in listing.LISTED), row, strict=True))
        lines = [(column.heading(""), column.text(value)) for column, value in zip(listing.LISTED, row, strict=True)
                 if column.label and value is not None]  # fmt: skip
        lines.append((_("Hash"), asked.subject_hash))
        lines += concerned.lines
        if concerned.over is not None:
            lines.append((_("Too late"), str(concerned.over)))
        if more := listing.more_about(asked.subject):
            lines.append((_("What it is"), more))
        lines.append((_("May I decide?"), _("yes") if may else _("no ({code})").format(code=why)))
        head = Table((Column("what", N_("What")), Column("value", N_("Value"))), lines)
        parts = [head] if call.output == "table" else []
        if decided or call.output == "json":
            parts.append(Table(listing.DECIDED, decided, "decisions"))
        document = {"run_id": run.run_id, **told, "about": dict(concerned.data) or None}
        call.emit({**document, "may_decide": may, "why_not": why or None}, *parts)
    return None


@command(
    example=(
        "crmctl approval statement 7 > statement",
        "ssh-keygen -Y sign -n crmctl-approval -f ~/.ssh/id_ed25519 statement",
    ),
    exits=(0, 1, 2, 4, 6, 8, 10, 11, 74),
    formats=("table", "json"),
)
@click.argument("number", type=NUMBER)
@click.option(
    "--decision", type=click.Choice(("approve", "reject")), default="approve", help=N_("What the text is to say.")
)
@click.option("--by", default="", metavar="STAFF", help=N_("Whose decision it is, if somebody else's."))
def statement_command(call: Invocation, number: int, decision: str, by: str) -> int | None:
    """Print the exact text to sign: this decision of this person, on exactly this.

    The signature is made on one's own machine and handed in with: crmctl approval approve 7 --signature statement.sig
    """
    from crmctl.approvals import judging
    from crmctl.approvals.judging import Wish
    from crmctl.runs import run as runs
    from crmctl.store import engine

    with runs.open_run(call, "approval statement", "approval.record" if by else "approval.statement") as run:
        with engine.read(run.engine) as conn:
            judged = judging.judge(conn, run, Wish(number, decision, by), unsigned=True)
        run = runs.record_reading(run, approval=number, obj=judged.asked.subject, n=1)
        call.emit({"run_id": run.run_id, "statement": judged.statement}, *judged.statement.splitlines())
    return None


@command(
    example=(
        "crmctl approval approve 7",
        "crmctl approval approve 7 --by 1017 --document OA-20261121",
        "crmctl approval approve 7 --signature statement.sig",
    ),
    exits=DECIDING_EXITS,
    changes=True,
)
@click.argument("number", type=NUMBER)
@decision_options
def approve_command(call: Invocation, number: int, **given: Any) -> int | None:  # noqa: ANN401
    """Agree to what somebody else asked for.

    Nobody agrees to their own request, whatever their accounts. What was decided on paper is entered for somebody else,
    with the number of the paper or its scan; it is recorded that way, and who enters it is recorded too.
    """
    return decide(call, "approve", given, lambda _run: number)


@command(
    example=(
        "crmctl approval reject 7 --reason 'list too wide'",
        "crmctl approval reject 7 --by 1017 --document OA-20261121 --reason …",
    ),
    exits=DECIDING_EXITS,
    changes=True,
)
@click.argument("number", type=NUMBER)
@decision_options
def reject_command(call: Invocation, number: int, **given: Any) -> int | None:  # noqa: ANN401
    """Refuse what somebody else asked for: one refusal ends it."""
    return decide(call, "reject", given, lambda _run: number)


@command(example="crmctl approval revoke 7 --reason 'no longer wanted'", exits=DECIDING_EXITS, changes=True)
@click.argument("number", type=NUMBER)
@click.option("--reason", default="", help=N_("Why; kept sealed."))
def revoke_command(call: Invocation, number: int, reason: str) -> int | None:
    """Take an approval back that is not used yet: who asked for it, who agreed, or anybody who may decide on it."""
    return decide(call, "revoke", {"reason": reason}, lambda _run: number)


def decide(
    call: Invocation, decision: str, given: dict[str, Any], which: Callable[[Run], int], command: str = ""
) -> int | None:
    """Carry out a decision on the approval that `which` names once the run is open; `command` is what was called."""
    from crmctl.approvals import deciding, evidence, signatures
    from crmctl.approvals.evidence import Evidence
    from crmctl.approvals.judging import Wish
    from crmctl.runs import run as runs

    by, document, scan = given.get("by", ""), given.get("document", ""), given.get("scan")
    _check(decision, by, bool(document or scan), given)
    act = "approval.record" if by else f"approval.{decision}"
    with runs.open_run(call, command or f"approval {decision}", act) as run:
        number = which(run)
        signature = signatures.read_signature(given["signature"]) if given.get("signature") else None
        paper = Evidence(
            given["reason"].strip(),
            evidence.document_number(document) if document else None,
            evidence.read_scan(scan) if scan else None,
        )
        outcome = deciding.carry_out(run, Wish(number, decision, by, signature), paper)
        emit_decided(call, outcome)
    return None


def _check(decision: str, by: str, paper: bool, given: dict[str, Any]) -> None:
    """Raise UsageProblem for options that do not go together."""
    if decision != "approve" and not given["reason"].strip():
        raise UsageProblem(_("--reason is missing"), hint=_("say why; it is kept sealed"))
    if by and not paper and not given.get("signature"):
        raise UsageProblem(
            _("--by wants the paper: --document NUMBER or --scan FILE"), hint=_("or --signature FILE of that person")
        )
    if paper and not by:
        raise UsageProblem(_("--document and --scan are of somebody's decision on paper"), hint=_("say whose: --by"))


def emit_decided(call: Invocation, outcome: Outcome) -> None:
    """Say what became of an approval."""
    from crmctl.approvals import listing

    asked = outcome.asked
    document = {
        "run_id": outcome.run_id,
        "dry_run": call.dry_run,
        "approval": asked.approval_id,
        "state": outcome.state,
        "decision": outcome.judged.decision,
        "person": outcome.judged.person,
        "for": outcome.judged.ruling.for_person,
        "assurance": outcome.judged.assurance,
        "agreed": outcome.agreed,
        "people": outcome.people,
    }
    line = _("approval {number} of {act} on {subject}: {state}; {agreed} of {people} agreed").format(
        number=asked.approval_id,
        act=asked.act,
        subject=asked.subject,
        state=_(listing.STATES[outcome.state]),
        agreed=outcome.agreed,
        people=outcome.people,
    )
    call.emit(document, line)
