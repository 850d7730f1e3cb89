"""What no program reaches and people destroy after a purge: copies outside, items of paper (DES-03, DES-06)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from crmctl.paper import records as paper
from crmctl.runs.plans import Plan
from crmctl.use import copies


def left(conn: Connection, plan: Plan) -> dict[str, Any]:
    """Return the numbers of what people destroy of a plan, and of what somebody said is destroyed by now."""
    outside, items = plan.summary.get("copies", []), paper.of_plan(conn, plan.plan_id)
    return {
        "copies": outside,
        "copies_destroyed": copies.destroyed(conn, outside),
        "paper": list(items.items),
        "paper_destroyed": list(items.destroyed),
    }
