"""`owner assign --plan` and `--apply`: who would get whom saved, looked at, applied as it stands (OWN-01)."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import Text, cast, func, select

from crmctl import clock
from crmctl.audit import entries
from crmctl.customers.tables import customer
from crmctl.errors import LimitExceeded, PlanStale, UsageProblem
from crmctl.i18n import _
from crmctl.owners import assign, beyond
from crmctl.owners.applying import CHUNK, Applied, Move, apply
from crmctl.owners.assign import Outcome, Request, Tell
from crmctl.owners.bench import bench, books
from crmctl.owners.beyond import Leave
from crmctl.owners.terms import settings_of
from crmctl.policy.scopes import in_force
from crmctl.runs import plans
from crmctl.runs import run as runs
from crmctl.runs.plans import Item, Plan
from crmctl.runs.run import Run
from crmctl.runs.tables import plan_item
from crmctl.store import engine

KIND, ACTION = beyond.BEYOND.act, "assign"


@dataclass(frozen=True)
class Done:
    """What was applied of a plan, or would be."""

    run_id: int | None
    dry_run: bool
    counts: dict[str, Any]
    missed: int = 0


def save(run: Run, request: Request, hours: int | None) -> Outcome:
    """Save what an assignment would do as a plan; nothing else is written. Limits are checked when it is applied.

    Raises UsageProblem where neither `hours` nor a policy says how long it may be applied.
    """
    from crmctl.customers import scope

    valid = _validity(run, hours)
    scope.require(run, request.customers)
    weighed = assign.weighing(run, request)
    run = runs.begin(run)
    with runs.recorded_failure(run):
        counts = weighed.counts()
        items = heapq.merge(
            *(_items(place, each.moves()) for place, each in enumerate(weighed.given) if not each.ruling.report)
        )
        number = plans.save(run, KIND, items, counts, valid)
        with engine.write(run.engine) as conn:
            runs.finish(conn, run, "done", 0, counts)
            entries.append(conn, run.entry("done", obj=f"plan:{number}", counts=counts))
    return Outcome(run.run_id, True, counts, weighed, plan=number)


def _validity(run: Run, hours: int | None) -> timedelta:
    day = runs.today(run.policies, run.at)
    stated = [settings_of(ruling.policy).plan_valid_hours for ruling in in_force(run.policies, "owners", day)]
    found = hours or min((each for each in stated if each is not None), default=None)
    if found is None:
        raise UsageProblem(_("--plan: neither --valid nor the policy says how long"), hint=_("give --valid HOURS"))
    return timedelta(hours=found)


def _items(place: int, moves: Iterator[Move]) -> Iterator[Item]:
    for move in moves:
        detail = (place, move.rule, move.runner_up, dict(move.inputs), move.policy, move.version)
        before = None if move.before is None else str(move.before)
        yield Item(move.customer_id, ACTION, before, str(move.after), detail)


def apply_plan(run: Run, number: int, request: Request, tell: Tell) -> Done:
    """Apply a saved plan, or what is left of it. Raises PlanStale for one that no longer fits, changing nothing."""
    with engine.read(run.engine) as conn:
        found = plans.find(conn, number, KIND)
        plans.usable(conn, found, run.policies.hash, run.at)
    run = replace(run, as_of=found.as_of)
    _fits_still(run, found)
    leave = _within_limits(run, request, found)
    if run.dry_run:
        return Done(None, True, dict(found.summary))
    run = runs.begin(run)
    with runs.recorded_failure(run):
        applied = Applied()
        for page in plans.pages(run, found, CHUNK):
            advance = partial(plans.advance, number=number, cursor=page[-1].customer_id)
            also = beyond.spending(run, leave, applied.chunks, advance)
            apply(run, [_move(item) for item in page], applied, also=also)
            tell(len(page))
        counts = {**found.summary, "assigned": applied.changed}
        with engine.write(run.engine) as conn:
            plans.close(conn, number, run.run_id)
            runs.finish(conn, run, "done", 0, counts)
            about = {"obj": f"plan:{number}", "approval": leave.approval}
            entries.append(conn, run.entry("done", at=clock.now(), counts=counts, **about))
    return Done(run.run_id, False, counts, applied.missed)


def _move(item: Item) -> Move:
    _place, rule, runner, inputs, policy, version = item.detail
    before = None if item.before is None else int(item.before)
    return Move(item.customer_id, before, int(item.after or 0), ACTION, rule, runner, inputs, policy, version)


def _fits_still(run: Run, found: Plan) -> None:
    """Raise PlanStale when an owner is no longer what the plan saw, or who is to get customers may not, or is full."""
    items = plan_item.c
    mine = items.plan_id == found.plan_id, items.customer_id > found.cursor
    joined = plan_item.outerjoin(customer, customer.c.customer_id == items.customer_id)
    moved = cast(customer.c.owner_id, Text).is_distinct_from(items.before)
    with engine.read(run.engine) as conn:
        number = int(conn.execute(select(func.count()).select_from(joined).where(*mine, moved)).scalar_one())
        asked = select(items.after, func.count()).where(*mine).group_by(items.after)
        wanted: dict[str, int] = {str(after): number for after, number in conn.execute(asked)}
        people = bench(conn, replace(run, as_of=run.at))
        held = books(conn)
    if number:
        raise _stale(_("plan {plan}: {number} customers changed since it was made"), found.plan_id, number)
    unfit = [staff_id for staff_id in wanted if people.problems(int(staff_id))]
    if unfit:
        raise _stale(_("plan {plan}: {number} people may no longer own customers"), found.plan_id, len(unfit))
    full = [staff_id for staff_id, more in wanted.items() if not _room(people, held, int(staff_id), more)]
    if full:
        raise _stale(_("plan {plan}: {number} people would have more than their capacity"), found.plan_id, len(full))


def _room(people: Any, held: Mapping[int | None, int], staff_id: int, more: int) -> bool:  # noqa: ANN401 - a Bench
    capacity = people.capacity(people.directory.by_id[staff_id])
    return capacity is not None and held.get(staff_id, 0) + more <= capacity


def _stale(message: str, number: int, concerned: int) -> PlanStale:
    return PlanStale(message.format(plan=number, number=concerned), hint=_("make a new plan"), code="PLAN_STALE")


def _within_limits(run: Run, request: Request, found: Plan) -> Leave:
    """Check each policy's limits: a plan that nobody else approved goes no further than a run.

    Raises LimitExceeded, or as `beyond.leave` does where somebody was asked.
    """
    existing: Counter[int] = Counter()
    with engine.read(run.engine) as conn:
        for item in plans.items(conn, found.plan_id):
            existing[int(item.detail[0])] += item.before is not None
    rulings = in_force(run.policies, "owners", runs.today(run.policies, run.as_of))
    changing = [(each.policy, existing[place]) for place, each in enumerate(rulings)]
    try:
        assign.check_limits(run, request, changing)
    except LimitExceeded as refusal:
        return beyond.leave(run, found, refusal)
    return Leave()
