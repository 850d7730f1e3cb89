"""Results about complaints: the document programs get, the lines and tables people get."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from crmctl import clock as times
from crmctl import staff
from crmctl.cases.clockwork import Clock
from crmctl.cases.policy import PROMISED
from crmctl.cli.render import Column, Table
from crmctl.complaints import decide
from crmctl.complaints.acting import Outcome
from crmctl.complaints.drafting import label_of
from crmctl.complaints.model import Case
from crmctl.complaints.opening import Opened
from crmctl.complaints.policy import ComplaintsSettings, settings_named
from crmctl.complaints.reasons import MISSING, STATUS_TEXTS
from crmctl.i18n import N_, _
from crmctl.policy import PolicySet
from crmctl.policy.model import CodeItem
from crmctl.runs.run import Run
from crmctl.store import engine
from crmctl.worktime.limits import limit_of


def settings_or_none(policies: PolicySet, name: str) -> ComplaintsSettings | None:
    """Return the settings of the complaints policy of that name; None where it is gone: its complaints go on."""
    known = any(each.name == name for each in policies.of_kind("complaints"))
    return settings_named(policies, name) if known else None


def listed(settings: ComplaintsSettings | None, name: str) -> Sequence[CodeItem]:
    """Return one list of a policy, for `label_of`; nothing where the policy is gone, so that codes stand for words."""
    found: Sequence[CodeItem] = getattr(settings, name) if settings is not None else ()
    return found


def opened(run: Run, done: Opened) -> dict[str, Any]:
    """Return the document of `complaint open`."""
    prepared = done.draft
    return {
        "run_id": done.run_id,
        "dry_run": run.dry_run,
        "number": done.number,
        "customer": done.customer_id,
        "complaint_id": done.complaint_id,
        "status": "accepted",
        "category": prepared.category,
        "severity": prepared.severity,
        "channel": prepared.channel,
        "received_at": times.local(prepared.received_at, run.zone),
        "accepted_at": times.local(prepared.entered, run.zone),
        "feedback_due_at": local(run, prepared.feedback.due_at),
        "first_receiver": prepared.request.first_receiver,
        "handler": done.handler,
        "policy": prepared.policy.name,
        "policy_version": prepared.policy.version,
        "deadlines": [deadline(run, each) for each in prepared.clocks if each.running],
    }


def happened(run: Run, done: Outcome) -> dict[str, Any]:
    """Return the document of whatever happened to a complaint."""
    row = done.row
    return {
        "run_id": done.run_id,
        "dry_run": run.dry_run,
        "number": row["number"],
        "customer": row["customer_id"],
        "complaint_id": row["complaint_id"],
        "event": done.kind,
        "status": row["status"],
        "plan_version": row["plan_version"],
        "closing": row.get("closing"),
        **done.told,
        "deadlines": [deadline(run, each) for each in done.clocks if each.running],
    }


def deadline(run: Run, each: Clock) -> dict[str, Any]:
    """Return what a program needs to know of a running clock."""
    return {
        "stage": each.stage,
        "within": each.within,
        "started_at": times.local(each.started_at, run.zone),
        "due_at": local(run, each.due_at),
        "provisional": each.provisional,
        "told": each.told,
        "paused": each.paused,
        "extended": each.extended,
        "late": each.late(run.at),
        "stopped_at": local(run, each.stopped_at),
    }


def local(run: Run, moment: datetime | None) -> str | None:
    """Return a moment in the company's zone; None where there is none."""
    return times.local(moment, run.zone) if moment else None


def deadlines_table(
    run: Run, settings: ComplaintsSettings | None, found: Iterable[Clock], key: str = ""
) -> Table:  # fmt: skip
    """Return the running clocks for people, the first to end first."""
    running = sorted((each for each in found if each.running), key=_order)
    rows = [
        (
            label_of(listed(settings, "stages"), each.stage),
            within_text(each),
            short(run, each.due_at) if each.due_at else "",
            note(run, each),
        )
        for each in running
    ]
    columns = (
        Column("stage", N_("Stage")), Column("within", N_("Limit")),
        Column("due", N_("Ends")), Column("note", N_("Note")),
    )  # fmt: skip
    return Table(columns, rows, key)


def limits_table(run: Run, settings: ComplaintsSettings | None, found: Iterable[Clock]) -> Table:
    """Return every clock of a complaint for people, in the order they began: the limit, and whether it was kept."""
    rows = [
        (
            label_of(listed(settings, "stages"), each.stage),
            short(run, each.started_at),
            within_text(each),
            short(run, each.due_at) if each.due_at else "",
            short(run, each.stopped_at) if each.stopped_at else _("running"),
            kept(run, each),
        )
        for each in sorted(found, key=lambda each: (each.started_at, each.clock_id))
    ]
    columns = (
        Column("stage", N_("Stage")), Column("began", N_("Began")), Column("within", N_("Limit")),
        Column("due", N_("Ends")), Column("done", N_("Done")), Column("note", N_("Note")),
    )  # fmt: skip
    return Table(columns, rows)


def kept(run: Run, each: Clock) -> str:
    """Return whether a limit was kept, and what else is to be said of it."""
    if each.running or each.due_at is None:
        return note(run, each)
    late = each.late(run.at)
    said = note(run, replace(each, stopped_at=None, due_at=None))
    return _("; ").join(filter(None, (_("late") if late else _("in time"), said)))


def _order(each: Clock) -> tuple[bool, datetime]:
    return each.due_at is None, each.due_at or each.started_at


def within_text(each: Clock) -> str:
    """Return a limit in the reader's language."""
    if not each.within:
        return _("none configured")
    return _("as promised") if each.within == PROMISED else limit_of(each.within).words


def note(run: Run, each: Clock) -> str:
    """Return what is to be said of a running clock besides when it ends."""
    told = []
    if each.late(run.at):
        told.append(_("overdue"))
    if each.paused:
        told.append(_("stands still: the customer's turn"))
    if each.provisional:
        told.append(_("provisional: public holidays are not announced yet"))
    if each.told:
        told.append(_("told to the complainant"))
    if each.extended:
        told.append(_("extended {times} times").format(times=each.extended))
    return _("; ").join(told)


def short(run: Run, moment: datetime) -> str:
    """Return a moment for people: company's zone, to the minute."""
    return times.local(moment, run.zone)[:16].replace("T", " ")


def span_text(amount: timedelta) -> str:
    """Return a length of time for people: hours and minutes."""
    minutes = int(amount.total_seconds() // 60)
    return _("{hours} h {minutes:02d} min").format(hours=minutes // 60, minutes=minutes % 60)


def missing(case: Case) -> list[str]:
    """Return what a complaint lacks before it can be closed, as codes."""
    return list(decide.missing(case.standing, case.rest["closing"]))


def missing_line(lacking: Iterable[str]) -> str:
    """Return what a complaint lacks before it can be closed, in words; empty when nothing."""
    words = _("; ").join(_(MISSING[need][0]) for need in lacking)
    return _("Before it can be closed: {missing}").format(missing=words) if words else ""


def status_text(code: str) -> str:
    """Return what people call a state."""
    return _(STATUS_TEXTS.get(code, code))


def people(run: Run, ids: Iterable[int | None]) -> Mapping[int, str]:
    """Return staff by id as colleagues know them: name and number."""
    wanted = {each for each in ids if each is not None}
    if not wanted:
        return {}
    with engine.read(run.engine) as conn:
        by_id = staff.directory(conn).by_id
    return {each: f"{by_id[each].name} ({by_id[each].number})" if each in by_id else str(each) for each in wanted}
