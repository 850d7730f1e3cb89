"""What `crmctl doctor` says of purges: begun and not finished, done and not proved, agreed to and not carried out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection, or_, select

from crmctl.clock import local
from crmctl.i18n import _
from crmctl.retention import records, waiting
from crmctl.retention.tables import destruction
from crmctl.runs import plans
from crmctl.runs.tables import plan


def troubles(conn: Connection, at: datetime, zone: str) -> Iterator[tuple[bool, str, str]]:
    """Yield whether it is wrong, message and command of each purge that waits for somebody, oldest first."""
    for number in _unsettled(conn):
        found = waiting.find(conn, number, at)
        if found.state == records.BEGUN:
            message = _("plan {plan}: its purge was begun and is not finished").format(plan=number)
            yield True, message, f"crmctl purge run {number}"
        elif found.state == records.DONE:
            message = _("plan {plan}: its purge is done and not verified").format(plan=number)
            yield False, message, f"crmctl purge verify {number}"
        elif found.state == waiting.APPROVED:
            until = min(found.plan.expires_at, found.approval.expires_at if found.approval else found.plan.expires_at)
            message = _("plan {plan}: is approved and not carried out; it can be until {time}").format(
                plan=number, time=local(until, zone)
            )
            yield False, message, f"crmctl purge run {number}"


def _unsettled(conn: Connection) -> list[int]:
    """Return the plans of purges of which somebody may have to do something, oldest first."""
    columns = plan.c
    query = (
        select(columns.plan_id)
        .outerjoin(destruction, destruction.c.plan_id == columns.plan_id)
        .where(
            columns.kind == plans.PURGE,
            or_(columns.state.in_((plans.OPEN, plans.APPLYING)), destruction.c.state == records.DONE),
        )
    )
    return list(conn.execute(query.order_by(columns.plan_id)).scalars())
