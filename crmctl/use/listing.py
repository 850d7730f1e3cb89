"""How requests, uses and copies look: columns and rows of their lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crmctl import clock
from crmctl.cli.render import Column
from crmctl.i18n import N_, _
from crmctl.runs.run import Run
from crmctl.use import copies, evaluating, purposes
from crmctl.use.copies import Copy
from crmctl.use.evaluating import Figures, Period, Standing
from crmctl.use.records import Record
from crmctl.use.requests import Request

STATES = {"open": N_("not used yet"), "used": N_("used")}
LOG_EXPORT = "audit.export"
ABOUT = {"customers": N_("customers"), "log": N_("audit log")}
FOUND = {
    "there": N_("there"),
    "gone": N_("not there"),
    "changed": N_("changed"),
    "unseen": N_("cannot be seen from here"),
    "destroyed": N_("destroyed"),
}
KINDS = {
    "export": N_("export"),
    "rejects": N_("rejected rows"),
    "log": N_("audit log"),
    "key store copy": N_("key store copy"),
    "handover sheet": N_("handover sheet"),
    "transfer file": N_("WeCom transfer file"),
    "complaint form": N_("complaint form"),
    "complaint file": N_("file of a complaint"),
}


def _codes(run: Run, kind: str) -> Any:  # noqa: ANN401 - a function from code to label
    return lambda code: purposes.label(run.policies, kind, code)


def request_columns(run: Run) -> tuple[Column, ...]:
    """Return the columns of `use list`."""
    return (
        Column("use", N_("Use"), right=True),
        Column("at", N_("At")),
        Column("person", N_("Who")),
        Column("act", N_("Act"), detail=True),
        Column("about", N_("About"), show=lambda value: _(ABOUT.get(value, value))),
        Column("purpose", N_("Purpose"), show=_codes(run, "purposes")),
        Column("manner", N_("Manner"), show=_codes(run, "manners")),
        Column("responsible", N_("Responsible")),
        Column("recipient", N_("Recipient"), show=_codes(run, "recipients")),
        Column("fields", N_("Fields")),
        Column("customers", N_("Customers"), right=True),
        Column("state", N_("State"), show=lambda value: _(STATES.get(value, value))),
        Column("approval", N_("Approval"), right=True),
        Column("hash", N_("Hash"), detail=True),
    )


def request_row(run: Run, request: Request) -> tuple[Any, ...]:
    """Return the line of a request; one for the log, unless that of a customer, counts no customers."""
    log = request.act == LOG_EXPORT
    return (
        request.use_id, clock.local(request.created_at, run.zone), request.person, request.act,
        "log" if log else "customers", request.purpose, request.manner, request.responsible, request.recipient,
        list(request.fields), (request.rows or None) if log else request.rows, request.state, request.approval_id,
        request.hash,
    )  # fmt: skip


def record_columns(run: Run) -> tuple[Column, ...]:
    """Return the columns of `use list --records`."""
    return (
        Column("record", N_("Record"), show=lambda number: f"R-{number}"),
        Column("at", N_("At")),
        Column("person", N_("Who")),
        Column("act", N_("Act")),
        Column("purpose", N_("Purpose"), show=_codes(run, "purposes")),
        Column("recipient", N_("Recipient"), show=_codes(run, "recipients")),
        Column("customers", N_("Customers"), right=True),
        Column("entries", N_("Entries"), right=True),
        Column("use", N_("Use"), right=True),
        Column("result", N_("Result"), show=_codes(run, "results")),
        Column("result_at", N_("Result at"), detail=True),
        Column("run", N_("Run"), detail=True),
    )


def record_row(run: Run, record: Record) -> tuple[Any, ...]:
    """Return the line of a record of use; of the log entries left, not customers."""
    counts = (None, record.rows) if record.act == LOG_EXPORT else (record.rows, None)
    settled = None if record.result_at is None else clock.local(record.result_at, run.zone)
    return (
        record.record_id, clock.local(record.used_at, run.zone), record.person, record.act, record.purpose,
        record.recipient, *counts, record.use_id, record.result, settled, record.run_id,
    )  # fmt: skip


def copy_columns(run: Run, *, check: bool) -> tuple[Column, ...]:
    """Return the columns of `use copies`; `check` adds where a file lies and what is found there."""
    columns = (
        Column("copy", N_("Copy"), right=True),
        Column("at", N_("At")),
        Column("person", N_("Who")),
        Column("kind", N_("Kind"), show=lambda value: _(KINDS.get(value, value))),
        Column("rows", N_("Rows"), right=True),
        Column("fields", N_("In full")),
        Column("purpose", N_("Purpose"), show=_codes(run, "purposes")),
        Column("recipient", N_("Recipient"), show=_codes(run, "recipients")),
        Column("due_on", N_("Destroy by")),
        Column("destroyed_at", N_("Destroyed")),
        Column("destroyed_by", N_("By"), detail=True),
        Column("batch", N_("Batch"), detail=True),
        Column("use", N_("Use"), detail=True),
        Column("run", N_("Run"), detail=True),
        Column("bytes", N_("Bytes"), detail=True),
        Column("sha256", N_("SHA-256"), detail=True),
    )
    if not check:
        return columns
    found = Column("found", N_("File"), show=lambda value: _(FOUND.get(value, value)))
    return (*columns, found, Column("path", N_("Where")))


def copy_row(run: Run, copy: Copy, *, check: bool) -> tuple[Any, ...]:
    """Return the line of a copy."""
    gone = None if copy.disposed_at is None else clock.local(copy.disposed_at, run.zone)
    row: Sequence[Any] = (
        copy.copy_id, clock.local(copy.made_at, run.zone), copy.person, copy.kind, copy.rows, copy.fields,
        copy.purpose, copy.recipient, copy.due_on, gone, copy.disposed_by, copy.batch_id, copy.use_id, copy.run_id,
        copy.size, copy.sha256,
    )  # fmt: skip
    if not check:
        return tuple(row)
    place = copies.place_of(run, copy)
    return (*row, copies.state_of(run, copy), None if place is None else str(place))


def evaluated_columns(run: Run) -> tuple[Column, ...]:
    """Return the columns of `use evaluate`."""
    return (
        Column("purpose", N_("Purpose"), show=_codes(run, "purposes")),
        Column("person", N_("Who")),
        Column("act", N_("Act")),
        Column("uses", N_("Uses"), right=True),
        Column("records", N_("Records"), right=True),
        Column("without_result", N_("Without result"), right=True),
    )


def evaluation(run: Run, period: Period, found: Figures, stands: Standing) -> dict[str, Any]:
    """Return what JSON says of an evaluation, the table apart."""
    last = stands.last
    return {
        "run_id": run.run_id,
        "from": None if period.since is None else clock.local(period.since, run.zone),
        "to": None if period.until is None else clock.local(period.until, run.zone),
        **{f"sum_{name}": number for name, number in evaluating.counts_of(found).items()},
        "last_evaluated_at": None if last is None else clock.local(last.evaluated_at, run.zone),
        "last_evaluated_by": None if last is None else last.person,
        "evaluate_by": None if stands.due_on is None else stands.due_on.isoformat(),
        "overdue": stands.overdue,
    }


def evaluation_lines(found: Figures, stands: Standing) -> list[str]:
    """Return what people read below the table."""
    counts = evaluating.counts_of(found)
    lines = [
        _("uses: {uses}, without a result: {without_result}; requests never used: {requests_unused}").format(**counts),
        _("copies that should have been destroyed: {copies_overdue}").format(**counts),
    ]
    if stands.overdue:
        lines.append(_("an evaluation was due on {day}: crmctl use evaluated").format(day=stands.due_on))
    elif stands.due_on is not None:
        lines.append(_("to be evaluated by {day}").format(day=stands.due_on))
    return lines
