"""`tier regrade`: survey → limits → apply, chunk by chunk (TIER-03, TIER-04).

A killed run needs no repair: what is committed is graded, and the next run finds what is left to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from crmctl import clock
from crmctl.audit import entries
from crmctl.customers import scope
from crmctl.customers.model import NO_CUSTOMER
from crmctl.customers.policy import decimals_of
from crmctl.customers.tables import customer
from crmctl.errors import LimitExceeded
from crmctl.policy.header import Limits as StatedLimits
from crmctl.policy.policyset import Policy
from crmctl.runs import limits
from crmctl.runs import run as runs
from crmctl.runs.limits import Limits
from crmctl.runs.run import Run
from crmctl.store import engine
from crmctl.tiers import findings, waits
from crmctl.tiers import survey as surveys
from crmctl.tiers.applying import CHUNK, Applied, apply, chunks
from crmctl.tiers.moves import UNDECIDED, Part
from crmctl.tiers.survey import Basis, Move, Tally

RANGE = 50_000  # customer numbers read at once where there are many moves
Tell = Callable[[int], None]


@dataclass(frozen=True)
class Request:
    """What a re-grade was asked for: `customers` only, where named; `max_changes` beyond the policy's limits."""

    customers: tuple[int, ...] = ()
    max_changes: int | None = None


@dataclass(frozen=True)
class Outcome:
    """What a re-grade did, or would do: `counts` by outcome, `matrix` from tier to tier, `moves` the first of them."""

    run_id: int | None
    dry_run: bool
    counts: dict[str, int]
    matrix: dict[str, dict[str, int]]
    reported: dict[str, dict[str, int]]
    moves: list[tuple[Tally, Move]] = field(default_factory=list)
    complete: bool = True  # whether `moves` are all there are
    missed: int = 0
    findings: int | None = None  # number under which what policies in mode report found is written down
    refusal: LimitExceeded | None = None  # of a dry run: what the run would be refused with


def basis_of(run: Run, request: Request) -> Basis:
    """Return what to grade by at the run's time."""
    at = run.as_of.astimezone(ZoneInfo(run.zone))
    part = Part(only=request.customers)
    return surveys.basis(run.policies, at, decimals_of(run.policies), part)


def regrade(run: Run, request: Request, tell: Tell) -> Outcome:
    """Grade customers by the policies in force, or say what that would do (`run.dry_run`).

    Raises ValueUndecided while a figure is unset, LimitExceeded before anything is written, Refused for customers
    there are not.
    """
    known(run, request)
    base = basis_of(run, request)  # undecided values are told before a run begins
    if run.dry_run:
        tallies = surveyed(run, base)
        try:
            within_limits(run, request, tallies)
        except LimitExceeded as refusal:
            return replace(outcome_of(run, tallies), refusal=refusal)
        return outcome_of(run, tallies)
    run = runs.begin(run)
    with runs.recorded_failure(run):
        return regraded(run, request, tell)


def regraded(run: Run, request: Request, tell: Tell, first_chunk: int = 0) -> Outcome:
    """Grade within a run that has begun; its transactions are numbered from `first_chunk` on."""
    base = basis_of(run, request)
    tallies = surveyed(run, base, count=_limited(run, request, base))
    within_limits(run, request, tallies)
    applied = Applied(chunks=first_chunk)
    for position, tally in enumerate(tallies):
        if not tally.scoped.ruling.report:
            found = _found(run, base, position, tally)
            for chunk in chunks(move for move in found if move.action != UNDECIDED):
                _held(run)
                apply(run, [(tally.scoped.grading, chunk)], applied)
                tell(len(chunk))
    outcome = outcome_of(run, tallies, applied)
    with engine.write(run.engine) as conn:
        reported = findings.save(conn, run, base, tallies)
        counts = {**outcome.counts, "waits_ended": waits.end_idle(conn, base)}
        runs.finish(conn, run, "done", 0, counts)
        obj = None if reported is None else f"plan:{reported}"
        entries.append(conn, run.entry("done", at=clock.now(), obj=obj, counts=counts))
    return replace(outcome, findings=reported)


def _held(run: Run) -> None:
    """Stop when the lock is lost: another run may be at work."""
    if run.held is not None:
        run.held.check()


def known(run: Run, request: Request) -> None:
    """Raise Refused, noted in the log, for a customer there is not, or of whom the person may not know."""
    scope.require(run, request.customers)


def surveyed(run: Run, base: Basis, *, count: bool = True) -> list[Tally]:
    """Return what every policy would do; `count` False leaves the moves of those that act for later."""
    with engine.read(run.engine) as conn:
        return surveys.survey(conn, base, count=count)


def _limited(run: Run, request: Request, base: Basis) -> bool:
    """Say whether a limit could stop the run; if none can, its moves are counted as they are applied."""
    graded = _graded(run)
    for scoped in base.scoped:
        allowed = _allowed(scoped.ruling.policy.limits, graded, request.max_changes)
        if allowed is not None and allowed < graded:
            return True
    return False


def _graded(run: Run) -> int:
    """Return how many customers have a tier: only their changes count against limits (design §4)."""
    with engine.read(run.engine) as conn:
        somebody = customer.c.status.not_in(NO_CUSTOMER)
        query = select(func.count()).select_from(customer).where(customer.c.tier.is_not(None), somebody)
        return int(conn.execute(query).scalar_one())


def _allowed(stated: StatedLimits, graded: int, override: int | None) -> int | None:
    percent = None if stated.max_percent is None else float(stated.max_percent)
    return Limits(stated.max_changes, percent).allowed(graded, override)


def within_limits(run: Run, request: Request, tallies: Sequence[Tally]) -> None:
    """Check each policy's limits against its whole plan. Raises LimitExceeded."""
    acting = [tally for tally in tallies if not tally.scoped.ruling.report]
    check_limits(run, request, [(tally.scoped.ruling.policy, tally.existing) for tally in acting])


def check_limits(run: Run, request: Request, existing: Sequence[tuple[Policy, int]]) -> None:
    """Check the limits of policies against how many customers that have a tier each would change.

    Raises LimitExceeded.
    """
    graded = _graded(run)
    for policy, number in existing:
        limits.check(number, _allowed(policy.limits, graded, request.max_changes), policy.name)


def _found(run: Run, base: Basis, position: int, tally: Tally) -> Iterator[Move]:
    """Yield the moves to apply, by customer number: those kept, else read range by range, and counted if need be."""
    if tally.counted and tally.kept is not None:
        yield from sorted(tally.kept)
        return
    with engine.read(run.engine) as conn:
        ends = select(func.min(customer.c.customer_id), func.max(customer.c.customer_id))
        first, last = conn.execute(ends.where(base.part.holds(customer.c.customer_id))).one()
    for begin in range(first, last + 1, RANGE) if first is not None else ():
        part = Part(begin, begin + RANGE - 1, base.part.only)
        with engine.read(run.engine) as conn:
            rows = [row for page in base.pages(conn, position, part) for row in page]
        if not tally.counted:
            tally.take(rows)
        yield from sorted(map(surveys.move_of, rows))


def outcome_of(run: Run, tallies: Sequence[Tally], applied: Applied | None = None) -> Outcome:
    """Return a survey as the outcome of a run, with what was applied of it."""
    counts = surveys.totals(tallies)
    if applied is not None:
        counts["unchanged"] += counts["changed"] - applied.changed
        counts["changed"] = applied.changed
    kept: list[tuple[Tally, Move]] = []
    for tally in tallies:
        kept += [(tally, move) for move in tally.kept or ()]
    return Outcome(
        run_id=run.run_id,
        dry_run=run.dry_run,
        counts=counts,
        matrix=surveys.matrix(tallies),
        reported=surveys.matrix(tallies, report=True),
        moves=sorted(kept, key=lambda pair: pair[1].customer_id),
        complete=all(tally.kept is not None for tally in tallies),
        missed=0 if applied is None else applied.missed,
    )


def all_moves(run: Run, request: Request) -> Iterator[tuple[Any, Move]]:
    """Yield every move of a re-grade, however many, in flat memory: what a dry run lists in full."""
    base = basis_of(run, request)
    for position, scoped in enumerate(base.scoped):
        with engine.read(run.engine) as conn:
            for move in base.moves(conn, position, base.part):
                yield scoped, move


__all__ = ["CHUNK", "Outcome", "Request", "all_moves", "basis_of", "regrade"]
