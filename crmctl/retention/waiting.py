"""Plans of purges as they stand: what waits for whom, what may be carried out, what is done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from crmctl.approvals import records as approvals
from crmctl.approvals.records import Asked
from crmctl.errors import Refused
from crmctl.i18n import _
from crmctl.retention import records
from crmctl.retention.planning import ACT
from crmctl.retention.records import Destruction
from crmctl.runs import plans
from crmctl.runs.plans import Plan
from crmctl.runs.run import Run
from crmctl.runs.tables import plan
from crmctl.store import engine

EMPTY, UNASKED, EXPIRED, OPEN, APPROVED, REJECTED = "empty", "unasked", "expired", "open", "approved", "rejected"


@dataclass(frozen=True)
class Purge:
    """One plan with the approval that was asked for it and the destruction it became.

    `state`: empty (nobody to destroy), unasked (its making was interrupted: make a new one), open (somebody else has
    to agree), approved, rejected, expired, begun, done, verified.
    """

    plan: Plan
    approval: Asked | None
    destruction: Destruction | None
    state: str


def find(conn: Connection, number: int, at: datetime) -> Purge:
    """Return a purge as it stands at a moment. Raises Refused when there is no such plan."""
    return _purge(conn, plans.find(conn, number, ACT), at)


def listed(conn: Connection, at: datetime, limit: int, before: int | None = None) -> Iterator[Purge]:
    """Yield purges as they stand, newest first."""
    query = select(plan.c.plan_id).where(plan.c.kind == ACT).order_by(plan.c.plan_id.desc()).limit(limit)
    if before is not None:
        query = query.where(plan.c.plan_id < before)
    for number in list(conn.execute(query).scalars()):
        yield find(conn, number, at)


def ready(run: Run) -> tuple[int, ...]:
    """Return the plans to carry out now: what was begun and is not done first, then what is approved, oldest first.

    Plans of other policies, which will be refused, come last: they keep no other from being carried out.
    """
    columns = plan.c
    states = (plans.APPLYING, plans.OPEN)
    query = select(columns.plan_id).where(columns.kind == ACT, columns.state.in_(states)).order_by(columns.plan_id)
    with engine.read(run.engine) as conn:
        found = [find(conn, number, run.at) for number in list(conn.execute(query).scalars())]
    found.sort(key=lambda each: each.plan.policy_hash != run.policies.hash)
    wanted = (records.BEGUN, APPROVED)
    return tuple(each.plan.plan_id for state in wanted for each in found if each.state == state)


def approval_of(run: Run, number: int) -> int:
    """Return the approval that was asked for a plan. Raises Refused for a plan there is not, or that needs none."""
    with engine.read(run.engine) as conn:
        found = find(conn, number, run.at)
    if found.approval is None:
        raise nobody(found.plan)
    return found.approval.approval_id


def anything(found: Plan) -> bool:
    """Say whether there is anything to destroy in a plan, or to put away."""
    told = found.summary
    imports = told.get("rejected_rows", {}).get("imports", ())
    runs = told.get("old_values", {}).get("runs", 0)
    customers = any(told.get("destroy", {}).values()) or any(told.get("archive", {}).values())
    return bool(runs) or customers or any(not each["kept"] for each in imports)


def nobody(found: Plan) -> Refused:
    """Return the refusal of a plan that destroys nobody, or whose making was interrupted before anybody was asked."""
    number = found.plan_id
    if not found.summary:
        return Refused(
            _("plan {plan}: was interrupted while it was made").format(plan=number),
            hint=_("make a new plan"),
            code="PLAN_UNASKED",
        )
    return Refused(
        _("plan {plan}: there is nothing to destroy in it").format(plan=number),
        hint=_("see: crmctl purge show {plan}").format(plan=number),
        code="PLAN_EMPTY",
    )


def _purge(conn: Connection, found: Plan, at: datetime) -> Purge:
    asked = next(iter(approvals.of_subject(conn, ACT, f"plan:{found.plan_id}")), None)
    done = records.find(conn, found.plan_id)
    return Purge(found, asked, done, _state(conn, found, asked, done, at))


def _state(conn: Connection, found: Plan, asked: Asked | None, done: Destruction | None, at: datetime) -> str:
    if done is not None:
        return done.state
    if asked is None:
        return EMPTY if found.summary else UNASKED
    moment = approvals.now(conn, at)
    standing = asked.standing(moment)
    if standing in (approvals.REJECTED, approvals.REVOKED):
        return REJECTED
    if standing == approvals.EXPIRED or moment > found.expires_at:
        return EXPIRED
    return APPROVED if standing == approvals.APPROVED else OPEN
