"""The staff of `init --demo`: made-up people, some of whom may not own customers. One run, logged like any other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection

from crmctl.runs.run import Run, today
from crmctl.staff import apply
from crmctl.staff.apply import Plan, Write
from crmctl.staff.columns import DAYS
from crmctl.staff.drafting import columns_of
from crmctl.staff.policy import settings_of
from crmctl.staff.protected import ABSENCE, STAFF
from crmctl.staff.register import new_draft

# The days of the sample are written as seen from this one, and moved to the day of `init`: it does not grow old.
SEEN_FROM = date(2026, 11, 22)
# Who is away from the day of `init` on: staff number, for how many days more, who stands in ("" nobody).
AWAY = (("E002", 4, ""), ("E003", 9, "E001"))


def add_demo(run: Run, people: Iterable[Mapping[str, str]]) -> int:
    """Add `people` (field → text, as `staff add` takes them) and a few absences; return how many people."""
    settings, day = settings_of(run.policies), today(run.policies, run.at)
    drafts = [_moved(new_draft(run, settings, texts), day - SEEN_FROM) for texts in people]

    def decide(conn: Connection) -> Plan:
        writes, ids = [], {}
        for draft in drafts:
            ids[draft["number"]] = apply.number(run, conn, "staff")
            values = {"staff_id": ids[draft["number"]], **columns_of(draft, day)}
            writes.append(Write(STAFF, None, apply.stamped(run, None, values)))
        for number, days, deputy in AWAY:
            values = {
                "absence_id": apply.number(run, conn, "absence"),
                "staff_id": ids[number],
                "from_on": day.isoformat(),
                "until_on": (day + timedelta(days=days)).isoformat(),
                "deputy_id": ids.get(deputy),
                "cancelled_at": None,
            }
            writes.append(Write(ABSENCE, None, apply.stamped(run, None, values)))
        return Plan(tuple(writes), "created", {"n": len(drafts)})

    apply.carry_out(run, decide)
    return len(drafts)


def _moved(draft: Mapping[str, Any], by: timedelta) -> dict[str, Any]:
    days = {name: (date.fromisoformat(draft[name]) + by).isoformat() for name in DAYS if name in draft}
    return {**draft, **days}
