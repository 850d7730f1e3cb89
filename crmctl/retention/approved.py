"""What somebody agrees to who approves a purge: how many customers by which rule, what goes with them, until when."""

from __future__ import annotations

from sqlalchemy import Connection

from crmctl import clock
from crmctl.approvals.about import About
from crmctl.approvals.records import Asked
from crmctl.i18n import _
from crmctl.retention import telling
from crmctl.retention.planning import ACT
from crmctl.runs import plans
from crmctl.runs.run import Run


def about(conn: Connection, run: Run, asked: Asked) -> About:
    """Return what an approval of a purge is for; nothing for plans of other kinds."""
    if asked.act != ACT:
        return About()
    found = plans.find(conn, int(asked.subject.partition(":")[2]), ACT)
    told = {
        "plan": found.plan_id,
        "destroy": found.summary.get("destroy", {}),
        "archive": found.summary.get("archive", {}),
        "keep": found.summary.get("keep", {}),
        "rejected_rows": found.summary.get("rejected_rows", {}).get("imports", []),
        "old_values": found.summary.get("old_values", {}),
        "rows": found.summary.get("rows", {}),
        "expires_at": clock.local(found.expires_at, run.zone),
    }
    archive = found.summary.get("archive", {})
    lines = (
        (_("Customers to be destroyed"), telling.by_rule(run.policies, found.summary.get("destroy", {}))),
        *(((_("To be put away"), telling.by_rule(run.policies, archive)),) if archive else ()),
        (_("Kept though their time is over"), telling.by_reason(found.summary.get("keep", {})) or "0"),
        *(((_("Rejected rows"), line),) if (line := telling.going(found.summary.get("rejected_rows", {}))) else ()),
        *(((_("Old values"), line),) if (line := telling.old_going(found.summary.get("old_values", {}))) else ()),
        (_("Rows by table"), telling.by_table(found.summary.get("rows", {}))),
        (_("Carried out until"), clock.local(found.expires_at, run.zone)),
        (_("Who it is"), f"crmctl purge show {found.plan_id} --customers"),
    )
    return About(told, lines)
