"""`purge horizon`: from when on no copy of the keys, wherever it lies, brings anybody back (security.md 2(c)).

Keys that a purge destroyed are gone here at once; a copy of the key store made before still has them, under a master
key of then. When the last such master key is destroyed the purge is complete, and an entry says so, once. Where values
before changes were destroyed, whose customers' keys live on, the backups made before have to be gone as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from crmctl import clock
from crmctl.audit import entries
from crmctl.retention import barring, earlier, records
from crmctl.retention.ending import complete_after
from crmctl.retention.records import Destruction
from crmctl.retention.tables import destruction
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.security import keystanding
from crmctl.store import engine

ACT = "purge.horizon"


@dataclass(frozen=True)
class Horizon:
    """How far a destruction is: the master keys that copies of its keys may still need, and until when they are there.

    `complete_at` is when the last of them was found destroyed; `expected` when that is due, later where it is overdue.
    Of values before changes `backups` made before hold what opens: they have to be gone as well.
    """

    plan_id: int
    shredded_at: datetime
    epochs: tuple[int, ...]
    expected: datetime | None
    complete_at: datetime | None
    backups: tuple[int, ...] = ()


def look(run: Run) -> tuple[Run, list[Horizon]]:
    """Return how far every destruction is; those found complete are recorded so, each with an entry.

    Whoever was not to be entered again and may be by now is taken off that list. A dry run records nothing. Returns the
    run as well, with its number where something was recorded.
    """
    with engine.read(run.engine) as conn:
        found = list(_destructions(conn))
        sets = {each.plan_id: earlier.of_data(conn, each.begun_at) for each in found if any(each.emptied.values())}
        over = barring.over(conn, run)
    standing = [_horizon(run, each, sets.get(each.plan_id, [])) for each in found]
    fresh = [each for each, was in zip(standing, found, strict=True) if each.complete_at and not _recorded(was)]
    if not (fresh or over) or run.dry_run:
        return runs.record_reading(run, n=len(standing)), standing
    run = runs.begin(run)
    with runs.recorded_failure(run), engine.write(run.engine) as conn:
        for each in fresh:
            counts = records.begun(conn, each.plan_id).counts
            assert each.complete_at is not None
            told = records.dumps({**counts, "complete_at": clock.stamp(each.complete_at)})
            records.set_values(conn, each.plan_id, counts=told, complete_after=each.complete_at)
            entries.append(conn, run.entry("done", act=ACT, at=clock.now(), obj=f"plan:{each.plan_id}"))
        if over:
            counts = {"unbarred": barring.forget(conn, run)}
            entries.append(conn, run.entry("done", act=ACT, at=clock.now(), counts=counts))
        runs.finish(conn, run, "done", 0, {"complete": len(fresh)})
    return run, standing


def _destructions(conn: Connection) -> Iterator[Destruction]:
    columns = destruction.c
    query = select(columns.plan_id).where(columns.state != records.BEGUN).order_by(columns.plan_id.desc())
    for number in list(conn.execute(query).scalars()):
        yield records.begun(conn, number)


def _recorded(found: Destruction) -> str | None:
    recorded: str | None = found.counts.get("complete_at")
    return recorded


def _horizon(run: Run, found: Destruction, sets: list[earlier.Set]) -> Horizon:
    assert found.shredded_at is not None
    if recorded := _recorded(found):
        return Horizon(found.plan_id, found.shredded_at, (), None, clock.parse_stamp(recorded))
    terms = keystanding.terms_of(run.workspace)
    there = [each for each in keystanding.epochs(run.keys, terms) if each.epoch <= (found.master_epoch or 0)]
    if not there and not sets:
        return Horizon(found.plan_id, found.shredded_at, (), None, run.at)
    expected: datetime | None = run.at
    if there:
        last = there[-1]
        due = last.destroy_from or complete_after(last.created_at, max(found.shredded_at, run.at), terms)
        expected = max(due, run.at)
    if sets:
        gone = earlier.gone_after(run.policies, sets)
        expected = None if gone is None else max(gone, expected or run.at)
    epochs, backups = tuple(each.epoch for each in there), tuple(each.number for each in sets)
    return Horizon(found.plan_id, found.shredded_at, epochs, expected, None, backups)
