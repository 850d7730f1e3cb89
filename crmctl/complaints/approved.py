"""What somebody agrees to about a complaint: which one, which limit from when to when, or closing it unagreed."""

from __future__ import annotations

import orjson
from sqlalchemy import Connection, select

from crmctl import clock
from crmctl.approvals.about import About
from crmctl.approvals.records import Asked
from crmctl.complaints import facts, tables, telling
from crmctl.complaints.drafting import label_of
from crmctl.complaints.model import Case
from crmctl.errors import PlanStale
from crmctl.i18n import _
from crmctl.runs.run import Run


def about(conn: Connection, run: Run, asked: Asked) -> About:
    """Return what an approval about a complaint is for; an extension whose limit is over can be agreed to no more."""
    columns = tables.complaint.c
    own = int(asked.subject.partition(":")[2])
    place = conn.execute(select(columns.customer_id, columns.complaint_id).where(columns.complaint_id == own)).first()
    case = None if place is None else facts.case(conn, (int(place[0]), int(place[1])))
    if case is None:
        return About()
    asked_for = [row for row in case.events if row["kind"] == "asked" and row["run_id"] == asked.run_id]
    data = orjson.loads(asked_for[0]["data"]) if asked_for else {}
    if "stage" in data:
        return _extension(run, case, data)
    standing = case.standing
    told = {"number": case.number, "refusals": standing.refusals, "mediated": standing.mediated}
    lines = (
        (_("Complaint"), case.number),
        (_("Plans refused"), str(standing.refusals)),
        (_("Mediation offered"), _("yes") if standing.mediated else _("no")),
        _why(case),
    )
    return About(told, lines)


def _extension(run: Run, case: Case, data: dict[str, str]) -> About:
    was, will = ([clock.parse_stamp(data[name])] if data.get(name) else [] for name in ("due_was", "due_will"))
    stages = telling.listed(telling.settings_or_none(run.policies, case.row["policy"]), "stages")
    told = {
        "number": case.number,
        "stage": data["stage"],
        "due_was": clock.local(was[0], run.zone) if was else None,
        "due_will": clock.local(will[0], run.zone) if will else None,
    }
    until = " → ".join(telling.short(run, moment) for moment in (*was, *will))
    lines = (
        (_("Complaint"), case.number),
        (_("Stage"), label_of(stages, data["stage"])),
        (_("Limit"), until),
        _why(case),
    )
    over = None
    if was and clock.parse_stamp(clock.stamp(clock.now())) > was[0]:
        over = PlanStale(
            _("{number}: the limit of stage {stage} ended at {at}, and what is over is not extended").format(
                number=case.number, stage=data["stage"], at=telling.short(run, was[0])
            ),
            hint=_("it was asked for in time, and nobody agreed in time"),
            code="EXTENSION_LATE",
        )
    return About(told, lines, over)


def _why(case: Case) -> tuple[str, str]:
    return _("Reason"), f"crmctl complaint show {case.number} --reveal"
