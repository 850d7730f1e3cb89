"""One chunk of what a run does to customers: rows, changes and the entry that commits to them, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import Connection

from crmctl import clock
from crmctl.audit import entries
from crmctl.audit.changes import Changes
from crmctl.errors import Locked
from crmctl.i18n import _
from crmctl.process import uncollected
from crmctl.runs.run import Run
from crmctl.store import counters, engine

Fill = Callable[[Connection, Changes], Mapping[str, int]]


def write(run: Run, ordinal: int, n: int, changes: int, fill: Fill, obj: str = "") -> Mapping[str, int]:
    """Write chunk `ordinal` of a run, `n` customers with at most so many `changes`; return the counts of its entry.

    `fill` writes the rows and their changes and says what to count; `obj` is the one object that all of it is about.
    Raises what `fill` does, what the store does, and Locked where `fill` changed more: nothing of the chunk is kept
    then.
    """
    first = counters.take(run.engine, "change", changes) if changes else 0
    with engine.write(run.engine) as conn, uncollected():
        log = Changes(run.run_id or 0, ordinal, first)
        counts = fill(conn, log)
        if log.upcoming > first + changes:  # the numbers beyond are somebody else's
            raise Locked(
                _("others wrote meanwhile: there is more to change than was counted"),
                hint=_("run the same command again"),
                code="CHANGED_MEANWHILE",
            )
        summary = log.summary()
        body = run.entry(
            "done",
            at=clock.now(),
            chunk=ordinal,
            obj=obj,
            n=n,
            counts=dict(counts),
            changes=summary.changes,
            changes_root=summary.root if summary.changes else None,
        )
        entries.append(conn, body)
    return counts
