"""`complaint show`: one complaint with its limits and its history; its texts in clear only where that is logged first.

While a complaint is open, working on it is purpose enough and its number the ticket. Once it is closed, both are given
like those of any other reveal (ACC-04, USE-02).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, select

from crmctl import clock as times
from crmctl.audit import entries
from crmctl.cli.render import Column, Part, Table
from crmctl.complaints import columns, facts, judging, scope, tables, telling
from crmctl.complaints.drafting import FIELDS, label_of
from crmctl.complaints.model import Case
from crmctl.complaints.policy import ComplaintsSettings
from crmctl.complaints.reasons import DEED_TEXTS, FIELD_TEXTS
from crmctl.complaints.tickets import PURPOSE as PURPOSE
from crmctl.errors import InvalidInput
from crmctl.i18n import N_, _
from crmctl.runs import allowance
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.security.sealing import Sealer
from crmctl.store import engine
from crmctl.use import purposes, tickets
from crmctl.use import records as uses

ACT = "complaint.reveal"


@dataclass(frozen=True)
class Wish:
    """Whether texts are wanted in clear, and for what where the complaint is closed."""

    reveal: bool = False
    purpose: str = ""
    ticket: str = ""


@dataclass(frozen=True)
class Shown:
    """A complaint as somebody may see it. `texts` is None where they were not revealed; `events` have `text` or not."""

    run: Run
    case: Case
    texts: Mapping[str, str] | None
    events: tuple[Mapping[str, Any], ...]
    files: tuple[tuple[int, int], ...]  # number and size


def show(run: Run, number: str, wish: Wish) -> Shown:
    """Return a complaint; when it returns, the entry is committed.

    Raises Refused for one there is not or is not the person's; with `reveal` also as `revealing` does.
    """
    case = known(run, number)
    with engine.read(run.engine) as conn:
        events = facts.private_events(conn, case)
        files = _files(conn, case)
    if not wish.reveal:
        run = runs.record_reading(run, obj=f"complaint:{case.complaint_id}", n=1)
        return Shown(run, case, None, tuple(row for row, _sealed in events), files)
    run = revealing(run, case, wish, (*FIELDS, "events"))
    key = run.keys.key("customer", case.customer_id)
    sealer = Sealer(run.workspace.instance)
    texts = sealer.open_json(key, columns.IN_COMPLAINT, case.sealed, case.complaint_id)
    opened = tuple(
        {**row, "private": sealer.open_json(key, columns.IN_EVENT, sealed, row["event_id"])} if sealed else row
        for row, sealed in events
    )
    return Shown(run, case, texts, opened, files)


def known(run: Run, number: str) -> Case:
    """Return a complaint that the person may know of. Raises Refused otherwise, noted in the log."""
    with engine.read(run.engine) as conn:
        place = facts.place_of(conn, number)
        found = facts.case(conn, place) if place and scope.visible(conn, run, place) else None
    if found is None:
        raise scope.unknown(run, number, place)
    return found


def revealing(run: Run, case: Case, wish: Wish, fields: tuple[str, ...]) -> Run:
    """Commit entry and record of use before anything of a complaint is shown in clear; return the run with its number.

    Raises PermissionMissing (logged) for who keeps out of it, beyond the daily limit or for a forbidden purpose,
    InvalidInput for a closed complaint without purpose.
    """
    obj = f"complaint:{case.complaint_id}"
    with purposes.denials_logged(run, ACT, obj=obj):
        with engine.read(run.engine) as conn:
            judging.require_person(conn, run, case)
        code, ticket = _purpose(run, case, wish)
        run = runs.begin(run)
        with runs.recorded_failure(run), engine.write(run.engine) as conn:
            uses.record(conn, run, act=ACT, purpose=code, rows=1)
            runs.finish(conn, run, "done", 0, {"fields": len(fields)})
            allowance.within(conn, run, ACT)
            body = run.entry("done", at=times.now(), obj=obj, n=1, fields=list(fields), purpose=code, ticket=ticket)
            entries.append(conn, body)
    return run


def _purpose(run: Run, case: Case, wish: Wish) -> tuple[str, str | None]:
    if case.standing.open and not wish.purpose:
        return purposes.purpose(run.policies, PURPOSE).code, case.number
    if not wish.purpose:
        raise InvalidInput(
            _("{number}: is closed, so say what its texts are needed for").format(number=case.number),
            hint=_("add --purpose, and --ticket where the purpose needs one"),
            code="PURPOSE_MISSING",
        )
    found, ticket = tickets.justified(run, wish.purpose, wish.ticket, case.concerned)
    return found.code, ticket


def _files(conn: Connection, case: Case) -> tuple[tuple[int, int], ...]:
    table = tables.complaint_file.c
    query = select(table.file_id, table.size).where(
        table.customer_id == case.customer_id, table.complaint_id == case.complaint_id
    )
    return tuple((int(row[0]), int(row[1])) for row in conn.execute(query.order_by(table.file_id)))


def document(found: Shown) -> dict[str, Any]:
    """Return what programs get of a complaint."""
    run, case, row = found.run, found.case, found.case.row
    clear = {
        name: times.local(times.parse_stamp(value), run.zone) if name.endswith("_at") and value else value
        for name, value in row.items()
        if name not in ("terms", "about", "created_at", "updated_at")
    }
    return {
        "run_id": run.run_id,
        **clear,
        "about": list(case.about),
        "texts": dict(found.texts) if found.texts is not None else None,
        "missing": telling.missing(case),
        "deadlines": [telling.deadline(run, each) for each in case.clocks if each.running],
        "clocks": [telling.deadline(run, each) for each in case.clocks],
        "files": [{"file": number, "bytes": size} for number, size in found.files],
        "events": [_event_document(run, event) for event in found.events],
    }


def _event_document(run: Run, event: Mapping[str, Any]) -> dict[str, Any]:
    told = {
        "event": event["event_id"],
        "kind": event["kind"],
        "at": times.local(times.parse_stamp(event["at"]), run.zone),
        "entered_at": times.local(times.parse_stamp(event["created_at"]), run.zone),
        "person": event["person"],
        "data": orjson.loads(event["data"]),
    }
    return {**told, "texts": event["private"]} if "private" in event else told


def parts(found: Shown) -> list[Part]:
    """Return what people get of a complaint: facts, limits, history, what is missing."""
    run, case = found.run, found.case
    settings = telling.settings_or_none(run.policies, case.row["policy"])
    facts_table = Table((Column("field", N_("Field")), Column("value", N_("Value"))), _facts(found, settings))
    told: list[Part] = [facts_table]
    if found.texts is not None:
        rows = [(_(FIELD_TEXTS[name]), found.texts[name]) for name in FIELDS if found.texts.get(name)]
        told += ["", Table((Column("field", N_("What was said")), Column("value", N_("Value"))), rows)]
    told += ["", telling.limits_table(run, settings, case.clocks)]
    if case.standing.open:
        lacking = telling.missing_line(telling.missing(case))
        told += ["", lacking] if lacking else []
    history = (
        Column("at", N_("At")),
        Column("what", N_("Step")),
        Column("who", N_("Who")),
        Column("text", N_("Details")),
    )
    return [*told, "", Table(history, [_event_line(run, settings, event) for event in found.events])]


def _facts(found: Shown, settings: ComplaintsSettings | None) -> list[tuple[str, str]]:
    run, row = found.run, found.case.row
    names = telling.people(run, (row["first_receiver_id"], row["handler_id"], *found.case.about))
    lines = [
        (_("Acceptance number"), row["number"]),
        (_("Status"), telling.status_text(row["status"])),
        (_("Customer"), f"C-{row['linked_customer_id'] or row['customer_id']:06d}"),
        (_("Category"), label_of(telling.listed(settings, "categories"), row["category"])),
        (_("Severity"), label_of(telling.listed(settings, "severities"), row["severity"])),
        (_("Channel"), label_of(run.policies.company.channels, row["channel"])),
        (_("Received at"), _when(run, row["received_at"])),
        (_("Accepted at"), _when(run, row["accepted_at"])),
        (_("Answer told by"), _when(run, row["feedback_due_at"])),
        (_("First receiver"), names.get(row["first_receiver_id"], "")),
        (_("Handler"), names.get(row["handler_id"], _("nobody"))),
        (_("Complained about"), ", ".join(names.get(each, str(each)) for each in found.case.about)),
        (_("Responsible party"), row["department"] or ""),
        (_("Cause"), label_of(telling.listed(settings, "causes"), row["cause"])),
        (_("Repeats"), row["duplicate_of"] or ""),
        (_("Closed at"), _when(run, row["closed_at"])),
        (_("Files"), ", ".join(str(number) for number, _size in found.files)),
        (_("Policy"), f"{row['policy']} {row['policy_version']}"),
    ]
    return [line for line in lines if line[1]]


def _when(run: Run, stamp: str | None) -> str:
    return telling.short(run, times.parse_stamp(stamp)) if stamp else ""


def _event_line(run: Run, settings: ComplaintsSettings | None, event: Mapping[str, Any]) -> tuple[str, str, str, str]:
    data = orjson.loads(event["data"])
    private = event.get("private") or {}
    told = [_detail(run, settings, name, value) for name, value in data.items() if value not in (None, "", [])]
    told += [str(value) for value in private.values()]
    return _when(run, event["at"]), _(DEED_TEXTS[event["kind"]]), event["person"], _("; ").join(filter(None, told))


def _detail(run: Run, settings: ComplaintsSettings | None, name: str, value: Any) -> str:  # noqa: ANN401 - JSON
    match name:
        case "received_at" | "feedback_by" | "plan_due_at" | "due_at" | "due_was" | "due_will":
            return f"{_(DETAILS.get(name, name))} {_when(run, value)}"
        case "cause":
            return label_of(telling.listed(settings, "causes"), value)
        case "category":
            return label_of(telling.listed(settings, "categories"), value)
        case "severity":
            return label_of(telling.listed(settings, "severities"), value)
        case "channel":
            return label_of(run.policies.company.channels, value)
        case "stage":
            return label_of(telling.listed(settings, "stages"), value)
        case "settled":
            return _("settled") if value else _("not settled")
        case "score":
            return _("score {score}").format(score=value)
        case "department" | "of":
            return str(value)
        case "version":
            return _("plan {version}").format(version=value)
        case "approval":
            return _("approval {number}").format(number=value)
        case "customer":
            return f"C-{value:06d}"
        case "result":
            return _("passed") if value == "passed" else _("not passed")
        case "file":
            return _("file {number}").format(number=value)
    return ""


DETAILS = {
    "received_at": N_("received"),
    "feedback_by": N_("answer by"),
    "plan_due_at": N_("to be done by"),
    "due_at": N_("to be done by"),
    "due_was": N_("limit was"),
    "due_will": N_("limit asked"),
}
