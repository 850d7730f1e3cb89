"""`crmctl audit prune`: let old entries of the log go, so that it still verifies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from crmctl.cli.options import Invocation, command
from crmctl.errors import UsageProblem
from crmctl.i18n import N_, _

if TYPE_CHECKING:
    from crmctl.audit.pruning import Plan
    from crmctl.cli.render import Part
    from crmctl.runs.run import Run


@command(
    example=("crmctl audit prune --before 2023-01-01 --dry-run", "crmctl audit prune --before 2023-01-01 --ask"),
    exits=(0, 1, 2, 4, 6, 8, 10, 11, 13, 74),
    changes=True,
)
@click.option("--before", required=True, metavar="DAY", help=N_("Entries older than this day lose their text."))
@click.option("--ask", "asked", is_flag=True, help=N_("Ask for somebody else's approval of exactly this; do nothing."))
def prune_command(call: Invocation, before: str, asked: bool) -> None:
    """Empty the texts of old entries; their hashes stay, and the log verifies as before.

    How long texts are kept at least is `keep_bodies` of audit.yaml. Everything pruned is signed before, the log is
    verified before, and an entry names what was pruned and its root. What access.yaml wants approved is asked for with
    --ask; the same command without it then does it, once. Interrupted, it is finished by typing it again.
    """
    from crmctl import clock
    from crmctl.audit import pruning
    from crmctl.runs import run as runs

    if asked and call.dry_run:
        raise UsageProblem(_("--ask asks for approval, so --dry-run does not apply"))
    with runs.open_run(call, "audit prune", "audit.prune", lock="prune") as run:
        day = clock.parse_day(before, "--before")
        if not asked:
            pruning.require_rights(run)
        with call.progress(_("verifying")) as shown:
            wanted = pruning.plan(run, day, shown.advance)
        if asked and wanted.begun is not None:
            raise UsageProblem(
                _("--ask: a prune is begun, of entries up to {last}").format(last=wanted.size - 1),
                hint=_("finish it first: the same command without --ask"),
            )
        approval = None
        if not wanted.count and wanted.begun is None:
            outcome = _("nothing more is that old; entries up to {last} are pruned").format(last=wanted.size - 1)
            if not wanted.size:
                outcome = _("nothing is that old")
        elif call.dry_run:
            outcome = _("would prune {number} entries: {first} to {last}").format(**_range(wanted))
        elif asked:
            approval = pruning.ask(run, wanted)
            outcome = _("to be pruned: {number} entries, {first} to {last}").format(**_range(wanted))
            if approval is None:
                outcome += "; " + _("policies/access.yaml asks for nobody's approval: leave out --ask")
        else:
            with call.progress(_("pruning")) as shown:
                pruning.prune(run, wanted, shown.advance)
            outcome = _("{number} entries pruned: {first} to {last}").format(**_range(wanted))
        _tell(call, run, wanted, outcome, approval, asked=asked)


def _range(wanted: Plan) -> dict[str, int]:
    return {"number": wanted.count, "first": wanted.first, "last": wanted.size - 1}


def _tell(call: Invocation, run: Run, wanted: Plan, outcome: str, approval: int | None, *, asked: bool) -> None:
    lines: list[Part] = [outcome]
    if wanted.size:
        lines.append(_("root of all that is pruned then: {root}").format(root=wanted.root.hex()))
        lines.append(_("plan: sha256 {digest}").format(digest=wanted.fingerprint))
    if wanted.begun is not None:
        lines.append(_("this finishes what entry {number} began").format(number=wanted.begun.seq))
    if approval is not None:
        lines.append(
            _("Approval {approval} is asked for; see: crmctl approval show {approval}").format(approval=approval)
        )
    pruned = bool(wanted.count) and not call.dry_run and not asked
    if pruned and run.engine.dialect.name == "postgresql":
        call.say(_("the texts are in the database's files until PostgreSQL has vacuumed: VACUUM FULL audit_entry"))
    if pruned:
        call.say(_("backups and exports made before still have the texts"))
    document = {
        "first": wanted.first,
        "last": wanted.size - 1 if wanted.size else None,
        "count": wanted.count,
        "root": wanted.root.hex(),
        "plan": wanted.fingerprint,
        "signed": wanted.signed,
        "approval": approval,
        "finishes": wanted.begun.seq if wanted.begun else None,
    }
    call.emit(document, *lines)
