"""`tier regrade --plan` and `--apply`: the moves of a re-grade saved, looked at, applied as they stand (TIER-03)."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, Select, and_, exists, func, or_, select

from crmctl import clock
from crmctl.audit import entries
from crmctl.audit.tables import change
from crmctl.customers.tables import customer
from crmctl.errors import LimitExceeded, PlanStale, UsageProblem
from crmctl.i18n import _
from crmctl.runs import plans
from crmctl.runs import run as runs
from crmctl.runs.plans import Item, Plan
from crmctl.runs.run import Run
from crmctl.runs.tables import plan_item
from crmctl.store import engine
from crmctl.tiers import beyond, regrade, waits
from crmctl.tiers.applying import CHUNK, Applied, apply
from crmctl.tiers.beyond import Leave
from crmctl.tiers.findings import KIND
from crmctl.tiers.grading import Grading
from crmctl.tiers.moves import CHANGE
from crmctl.tiers.policy import TiersSettings
from crmctl.tiers.protected import OVERRIDE
from crmctl.tiers.regrade import Outcome, Request, Tell
from crmctl.tiers.survey import Basis, Move
from crmctl.tiers.tables import tier_change, tier_override


@dataclass(frozen=True)
class Saved:
    """A plan that was saved, and what it would do."""

    plan_id: int
    outcome: Outcome


def validity(run: Run, hours: int | None) -> timedelta:
    """Return how long a plan may be applied: as asked for, else as the policy says. Raises UsageProblem for neither."""
    settings = run.policies.policy("tiers", at=runs.today(run.policies, run.at)).settings
    assert isinstance(settings, TiersSettings)
    found = hours or settings.plan_valid_hours
    if found is None:
        raise UsageProblem(_("--plan: neither --valid nor the policy says how long"), hint=_("give --valid HOURS"))
    return timedelta(hours=found)


def save(run: Run, request: Request, valid: timedelta) -> Saved:
    """Save what a re-grade would do as a plan; nothing else is written. Limits are checked when it is applied."""
    regrade.known(run, request)
    base = regrade.basis_of(run, request)
    run = runs.begin(run)
    with runs.recorded_failure(run):
        tallies = regrade.surveyed(run, base)
        outcome = replace(regrade.outcome_of(run, tallies), dry_run=True)
        with engine.read(run.engine) as conn:
            number = plans.save(run, KIND, _items(conn, base), outcome.counts, valid)
        with engine.write(run.engine) as conn:
            runs.finish(conn, run, "done", 0, outcome.counts)
            entries.append(conn, run.entry("done", obj=f"plan:{number}", counts=outcome.counts))
    return Saved(number, outcome)


def _items(conn: Connection, base: Basis) -> Iterator[Item]:
    """Yield what is to be done, by customer number; where several policies are in force, merged from all of them."""

    def of(position: int) -> Iterator[Item]:
        scoped = base.scoped[position]
        if scoped.ruling.report:
            return
        found: Iterator[Move] = base.moves(conn, position, base.part, ordered=True)
        for move in found:
            detail = (position, move.rank, move.held, move.since_on, list(move.values))
            yield Item(move.customer_id, move.action, move.before, move.after, detail)

    yield from heapq.merge(*(of(position) for position in range(len(base.scoped))))


def apply_plan(run: Run, number: int, request: Request, tell: Tell) -> Outcome:
    """Apply a saved plan, or what is left of it. Raises PlanStale for one that no longer fits, changing nothing."""
    with engine.read(run.engine) as conn:
        found = plans.find(conn, number, KIND)
        plans.usable(conn, found, run.policies.hash, run.at)
        _unmoved(conn, found)
    run = replace(run, as_of=found.as_of)
    base = regrade.basis_of(run, request)
    leave = _within_limits(run, request, base, found)
    if run.dry_run:
        return _outcome(run, found)
    run = runs.begin(run)
    with runs.recorded_failure(run):
        applied = Applied()
        for page in plans.pages(run, found, CHUNK):
            advance = partial(plans.advance, number=number, cursor=page[-1].customer_id)
            also = beyond.spending(run, leave, applied.chunks, advance)
            apply(run, _by_policy(base, page), applied, also=also)
            tell(len(page))
        outcome = _outcome(run, found, applied)
        with engine.write(run.engine) as conn:
            plans.close(conn, number, run.run_id)
            counts = {**outcome.counts, "waits_ended": waits.end_idle(conn, base)}
            runs.finish(conn, run, "done", 0, counts)
            about = {"obj": f"plan:{number}", "approval": leave.approval}
            entries.append(conn, run.entry("done", at=clock.now(), counts=counts, **about))
    return outcome


def _by_policy(base: Basis, page: Sequence[Item]) -> list[tuple[Grading, list[Move]]]:
    """Return the moves of a chunk by the policy that grades them."""
    moves: dict[int, list[Move]] = {}
    for item in page:
        moves.setdefault(int(item.detail[0]), []).append(_move(item))
    return [(base.scoped[position].grading, found) for position, found in sorted(moves.items())]


def _within_limits(run: Run, request: Request, base: Basis, found: Plan) -> Leave:
    """Check each policy's limits: a plan that nobody else approved goes no further than a run.

    Raises LimitExceeded, or as `beyond.leave` does where somebody was asked.
    """
    existing: Counter[int] = Counter()
    with engine.read(run.engine) as conn:
        for item in plans.items(conn, found.plan_id):
            existing[int(item.detail[0])] += item.action == CHANGE and item.before is not None
    changing = [(each.ruling.policy, existing[place]) for place, each in enumerate(base.scoped)]
    try:
        regrade.check_limits(run, request, changing)
    except LimitExceeded as refusal:
        return beyond.leave(run, found, refusal)
    return Leave()


def _move(item: Item) -> Move:
    _position, rank, held, since_on, values = item.detail
    return Move(item.customer_id, item.action, item.before, item.after, rank, held, since_on, tuple(values))


def _unmoved(conn: Connection, found: Plan) -> None:
    """Raise PlanStale when a customer's tier is no longer what the plan saw, or an override was set or lifted since.

    An override that ran out since was in force at the time the plan is for.
    """
    items = plan_item.c
    moved = or_(customer.c.tier.is_distinct_from(items.before), items.customer_id.in_(_overridden_since(found.run_id)))
    query = (
        select(func.count())
        .select_from(plan_item.outerjoin(customer, customer.c.customer_id == items.customer_id))
        .where(items.plan_id == found.plan_id, items.customer_id > found.cursor, moved)
    )
    number = int(conn.execute(query).scalar_one())
    if number:
        raise PlanStale(
            _("plan {plan}: {number} customers changed since it was made").format(plan=found.plan_id, number=number),
            hint=_("make a new plan"),
            code="PLAN_STALE",
        )


def _overridden_since(run_id: int) -> Select[Any]:
    """Return the customers whose override was set or lifted by a run later than `run_id`: the change log has both.

    Runs that make plans, set overrides and apply plans keep each other out, so that their numbers say which was first.
    """
    logged = change.c
    later = exists().where(
        logged.customer_id == tier_override.c.customer_id,
        logged.object == OVERRIDE.code,
        logged.object_id == tier_override.c.override_id,
        logged.run_id > run_id,
    )
    return select(tier_override.c.customer_id).where(later)


def _outcome(run: Run, found: Plan, applied: Applied | None = None) -> Outcome:
    """Return what is left of a plan as an outcome: what was `applied` of it, or what would be."""
    counts: dict[str, Any] = dict(found.summary)
    columns, history = plan_item.c, tier_change.c
    query = select(columns.before, columns.after, func.count()).where(
        columns.plan_id == found.plan_id, columns.action == CHANGE, columns.customer_id > found.cursor
    )
    if applied is not None:
        counts |= {"waiting": applied.waiting, "recovered": applied.recovered}
    if applied is not None and applied.missed:  # then what was planned is not what was done
        done = and_(history.customer_id == columns.customer_id, history.run_id == run.run_id)
        query = query.join_from(plan_item, tier_change, done)
    with engine.read(run.engine) as conn:
        query = query.group_by(columns.before, columns.after)
        matrix: dict[str, dict[str, int]] = {}
        for before, after, number in conn.execute(query):
            matrix.setdefault(before or "none", {})[after or "none"] = number
    changed = sum(number for row in matrix.values() for number in row.values())
    counts |= {"changed": changed, "unchanged": counts["unchanged"] + counts["changed"] - changed}
    return Outcome(
        run_id=run.run_id,
        dry_run=run.dry_run,
        counts=counts,
        matrix={before: dict(sorted(row.items())) for before, row in sorted(matrix.items())},
        reported={},
        missed=0 if applied is None else applied.missed,
    )
