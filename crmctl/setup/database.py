"""The database as a whole: its revision, what its tables are, the room it takes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from crmctl import clock, policy, workspace
from crmctl.audit import entries
from crmctl.errors import PermissionMissing
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.security import actor, permissions, serverrights
from crmctl.store import engine, migrate
from crmctl.store import vacuum as sizes

if TYPE_CHECKING:
    from crmctl.cli.invocation import Invocation
    from crmctl.security.actor import Actor


def upgrade(call: Invocation) -> tuple[str | None, str]:
    """Bring the database to HEAD; return the revision before and after. Logged when it changed something."""
    with _opened(call, "db.upgrade") as (base, who, policy_hash):
        before = migrate.current(base)
        if before != migrate.HEAD:
            migrate.upgrade(base)
            with engine.write(base) as conn:
                entries.append(
                    conn,
                    entries.entry(act="db.upgrade", actor=who, at=clock.now(), result="done", policy=policy_hash),
                )
        return before, migrate.HEAD


def current(call: Invocation) -> str | None:
    """Return the database's revision, None when it has none."""
    with _opened(call, "db.current") as (base, _who, _hash):
        return migrate.current(base)


def check(call: Invocation) -> list[str]:
    """Return how the tables differ from what this program expects."""
    with _opened(call, "db.check") as (base, _who, _hash):
        migrate.require_head(base)
        return migrate.check(base)


@dataclass(frozen=True)
class Vacuumed:
    """How many bytes a database took before it was vacuumed, and after; `settled` unless SQLite's log is in use."""

    run_id: int | None
    before: int
    after: int
    settled: bool


def vacuum(run: Run) -> Vacuumed:
    """Vacuum the database of a run, on the record; a dry run looks whether it could be done.

    Raises what `store.vacuum` does, PermissionMissing for a login that does not own the tables, which a server would
    pass over.
    """
    with runs.denial_noted(run):
        serverrights.require_owner(run)
    sizes.require_room(run.engine)
    if run.dry_run:
        now = sizes.size(run.engine)
        return Vacuumed(None, now, now, settled=True)
    run = runs.begin(run)
    with runs.recorded_failure(run):
        before = sizes.size(run.engine)
        settled = sizes.vacuum(run.engine, run.workspace.timeout)
        after = sizes.size(run.engine)
        counts = {"bytes_before": before, "bytes_after": after}
        with engine.write(run.engine) as conn:
            runs.finish(conn, run, "done", 0, counts)
            entries.append(conn, run.entry("done", at=clock.now(), counts=counts))
    return Vacuumed(run.run_id, before, after, settled)


@contextlib.contextmanager
def _opened(call: Invocation, act: str) -> Iterator[tuple[Engine, Actor, str]]:
    """Yield the engine whatever its revision, after the permission check; who is denied is logged where that can be."""
    place = workspace.called(call)
    policies = policy.load(place.policies)
    now = clock.now()
    base = engine.open_engine(runs.database_url(place), timeout=place.timeout, workspace=place.root)
    try:
        nobody = actor.stranger(str(place.get("mode")))
        run = runs.identified(Run(act.replace(".", " "), act, nobody, place, policies, base, now, now))
        _permit(run)
        yield base, run.actor, policies.hash
    finally:
        base.dispose()


def _permit(run: Run) -> None:
    try:
        permissions.require(run.actor, runs.access_of(run.policies), run.act, on=runs.today(run.policies, run.at))
    except PermissionMissing as refusal:
        runs.note_denied(run, refusal)
        raise
