"""`crmctl calendar update`: deadlines that another calendar makes another, for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmctl import clock
from crmctl.cli.render import Column, Table
from crmctl.i18n import N_, _

if TYPE_CHECKING:
    from crmctl.cli.invocation import Invocation
    from crmctl.runs.run import Run
    from crmctl.worktime.clocks import Moving

NOTES = {"told": N_("told to the customer: stays"), "over": N_("over already: stays")}


def emit_moving(call: Invocation, run: Run, found: Moving, *, applied: bool) -> None:
    """Write what moves and what stays, and how many."""
    stays = [move.stays for move in found.moves]
    document = {
        "run_id": run.run_id,
        "dry_run": not applied,
        "examined": found.examined,
        "moved": found.moved,
        "staying": stays.count("told"),
        "over": stays.count("over"),
        "refreshed": found.refreshed,
        "missed": found.missed,
        "troubles": [{"case": case, "code": code} for case, code in found.troubles],
    }
    line = _("running deadlines: {examined}; moved: {moved}; told to customers, so they stay: {staying}")
    if not applied:
        line = _("running deadlines: {examined}; would move: {moved}; told to customers, so they stay: {staying}")
    rest = []
    if document["over"]:
        rest.append(_("over already, so they stay: {over}").format(over=document["over"]))
    if found.refreshed:
        told = _("the same date, but no longer provisional, or from now on: {refreshed}")
        rest.append(told.format(refreshed=found.refreshed))
    if found.missed:
        rest.append(_("stopped or changed meanwhile, left: {count}").format(count=found.missed))
    rest += [_("{number}: cannot be judged ({code})").format(number=case, code=code) for case, code in found.troubles]
    if not applied and (found.moved or found.refreshed):
        rest.append(_("to move them: crmctl calendar update --apply"))
    parts = [_table(run, found)] if found.moves or call.output != "table" else []
    call.emit(document, *parts, line.format(**document), *rest, trouble=bool(found.troubles))


def _table(run: Run, found: Moving) -> Table:
    columns = (
        Column("case", N_("Case")),
        Column("stage", detail=True),
        Column("label", N_("Stage")),
        Column("calendar", N_("Calendar")),
        Column("from", N_("Deadline"), show=_short),
        Column("to", N_("By the calendar of today"), show=_short),
        Column("provisional", N_("Provisional"), show=lambda unsure: _("yes") if unsure else ""),
        Column("told", detail=True),
        Column("stays", N_("Note"), show=lambda why: _(NOTES[why]) if why else ""),
    )
    rows = [
        (
            move.reference,
            move.stage,
            move.label,
            move.calendar,
            clock.local(move.before, run.zone),
            clock.local(move.after, run.zone) if move.after else None,
            move.provisional,
            move.told,
            move.stays,
        )
        for move in found.moves
    ]
    return Table(columns, rows, "moves")


def _short(text: object) -> str:
    return str(text)[:16].replace("T", " ")
