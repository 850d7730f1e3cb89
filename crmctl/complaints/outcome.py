"""One step of a complaint from the command line: a run is opened, something happens, and how it stands is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from crmctl.cases import numbers
from crmctl.complaints import asking, handling, telling
from crmctl.complaints.reasons import DEED_TEXTS
from crmctl.i18n import _
from crmctl.runs import run as runs

if TYPE_CHECKING:
    from crmctl.cli.options import Invocation
    from crmctl.complaints.acting import Outcome
    from crmctl.runs.run import Run

Act = Callable[["Run", str], "Outcome"]


def changed(call: Invocation, verb: str, number: str, act: Act, *, then: str = "") -> None:
    """Open a run of `complaint verb`, let something happen to the complaint with this number, tell how it stands.

    `then` is the command that does what somebody else was asked to agree to, with `{number}` in it.
    """
    with runs.open_run(call, f"complaint {verb}", f"complaint.{verb}") as run:
        done = act(run, numbers.parsed(number))
        settings = telling.settings_or_none(run.policies, done.row["policy"])
        line = _("{number}: would be: {status}") if run.dry_run else _("{number}: {status}")
        told = [line.format(number=done.row["number"], status=_stands(done))]
        if done.kind == "asked" and "approval" in done.told:
            told.append(
                _("approval {number} is asked for: crmctl approval show {number}").format(number=done.told["approval"])
            )
            told.append(_("once somebody agreed: {command}").format(command=then.format(number=done.row["number"])))
        running = [each for each in done.clocks if each.running]
        tables = [telling.deadlines_table(run, settings, running)] if running else []
        call.emit(telling.happened(run, done), *told, *tables)


def _stands(done: Outcome) -> str:
    """Return what happened and how the complaint stands now, said once where they are one."""
    deed, status = _(DEED_TEXTS[done.kind]), telling.status_text(done.row["status"])
    return status if deed == status else _("{deed}; {status}").format(deed=deed, status=status)


def told(call: Invocation, verb: str, kind: str, number: str, given: Mapping[str, Any]) -> None:
    """Record what needs a text alone (`handling.tell`)."""
    changed(
        call,
        verb,
        number,
        lambda run, plain: handling.tell(run, plain, kind, given["text"] or "", asking.happened(run, given)),
    )
