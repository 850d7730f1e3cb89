"""`owner assign`: weigh → limits → apply, chunk by chunk (OWN-01, OWN-03).

A killed run needs no repair: what is committed has its owner, and the next run finds who is left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

from sqlalchemy import func, select

from crmctl import clock
from crmctl.audit import entries
from crmctl.customers import scope
from crmctl.customers.tables import customer
from crmctl.errors import LimitExceeded
from crmctl.owners import findings
from crmctl.owners.applying import Applied, apply, chunks
from crmctl.owners.weighing import Weighed, basis, weigh
from crmctl.policy.policyset import Policy
from crmctl.process import uncollected
from crmctl.runs import limits
from crmctl.runs import run as runs
from crmctl.runs.limits import Limits
from crmctl.runs.run import Run
from crmctl.store import engine

Tell = Callable[[int], None]


@dataclass(frozen=True)
class Request:
    """What was asked for: `customers` only, where named; `max_changes` beyond the policy's limits."""

    customers: tuple[int, ...] = ()
    max_changes: int | None = None


@dataclass(frozen=True)
class Outcome:
    """What an assignment did, or would do: `counts` by outcome, every move; `missed` customers changed meanwhile."""

    run_id: int | None
    dry_run: bool
    counts: dict[str, int]
    weighed: Weighed
    missed: int = 0
    refusal: LimitExceeded | None = None  # of a dry run: what the run would be refused with
    plan: int | None = None
    findings: int | None = None  # number under which what policies in mode report found is written down


def assign(run: Run, request: Request, tell: Tell) -> Outcome:
    """Give customers without an active owner one by the policies in force, or say what that would do (`run.dry_run`).

    Raises ValueUndecided while a figure is unset, LimitExceeded before anything is written, Refused for customers
    there are not.
    """
    scope.require(run, request.customers)
    weighed = weighing(run, request)
    if run.dry_run:
        return Outcome(None, True, weighed.counts(), weighed, refusal=refusal(run, request, weighed))
    run = runs.begin(run)
    with runs.recorded_failure(run):
        within_limits(run, request, weighed)
        applied = Applied()
        for chunk in chunks(chain.from_iterable(each.moves() for each in weighed.acting())):
            if run.held is not None:
                run.held.check()  # another run may be at work once the lock is lost
            apply(run, chunk, applied)
            tell(len(chunk))
        return finished(run, weighed, applied)


def finished(run: Run, weighed: Weighed, applied: Applied) -> Outcome:
    """Record that a run is done and say what it did."""
    counts = weighed.counts()
    counts["assigned"] -= applied.missed
    with engine.write(run.engine) as conn:
        reported = findings.save(conn, run, weighed)
        runs.finish(conn, run, "done", 0, counts)
        obj = None if reported is None else f"plan:{reported}"
        entries.append(conn, run.entry("done", at=clock.now(), obj=obj, counts=counts))
    return Outcome(run.run_id, False, counts, weighed, applied.missed, findings=reported)


def weighing(run: Run, request: Request) -> Weighed:
    """Return what an assignment would do; undecided values are told before a run begins."""
    with engine.read(run.engine) as conn, uncollected():
        return weigh(conn, basis(conn, run, request.customers))


def refusal(run: Run, request: Request, weighed: Weighed) -> LimitExceeded | None:
    """Return what the run would be refused with."""
    try:
        within_limits(run, request, weighed)
    except LimitExceeded as found:
        return found
    return None


def within_limits(run: Run, request: Request, weighed: Weighed) -> None:
    """Check each policy's limits against its whole plan. Raises LimitExceeded."""
    check_limits(run, request, [(each.found.policy, each.existing) for each in weighed.acting()])


def check_limits(run: Run, request: Request, existing: Sequence[tuple[Policy, int]]) -> None:
    """Check how many customers that have an owner would get another: first owners are no accident (design §4).

    Raises LimitExceeded.
    """
    with engine.read(run.engine) as conn:
        query = select(func.count()).select_from(customer).where(customer.c.owner_id.is_not(None))
        owned = int(conn.execute(query).scalar_one())
    for policy, number in existing:
        stated = policy.limits
        percent = None if stated.max_percent is None else float(stated.max_percent)
        limits.check(number, Limits(stated.max_changes, percent).allowed(owned, request.max_changes), policy.name)
