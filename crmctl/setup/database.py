"""The database's revision: current, upgrade, check."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from sqlalchemy import Engine

from crmctl import clock, policy, workspace
from crmctl.audit import entries
from crmctl.runs import run as runs
from crmctl.security import actor, permissions
from crmctl.store import engine, migrate

if TYPE_CHECKING:
    from crmctl.cli.invocation import Invocation
    from crmctl.security.access import AccessSettings
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


@contextlib.contextmanager
def _opened(call: Invocation, act: str) -> Iterator[tuple[Engine, Actor, str]]:
    """Yield the engine whatever its revision, after the permission check."""
    place = workspace.called(call)
    policies = policy.load(place.policies)
    access = cast("AccessSettings", policies.settings("access"))
    who = actor.current(access, mode=str(place.get("mode")), service_uid=place.get("service_uid"))
    permissions.require(who, access, act, on=runs.today(policies, clock.now()))
    base = engine.open_engine(runs.database_url(place), timeout=place.timeout, workspace=place.root)
    try:
        yield base, who, policies.hash
    finally:
        base.dispose()
