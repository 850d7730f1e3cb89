"""Grants and revocations in the log: the first run under other access settings than the last says what changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import Connection, select

from crmctl.audit import entries
from crmctl.runs import tables
from crmctl.security import granting

if TYPE_CHECKING:
    from crmctl.runs.run import Run
    from crmctl.security.access import AccessSettings

ACT = "access.changed"
UNREADABLE = "BEFORE_UNREADABLE"


def note(conn: Connection, run: Run) -> None:
    """Append in the caller's transaction an entry for every person and role whose rights changed (ACC-08).

    Compared are the policies of `run` with those of the run before, whoever's that was: a set that was in force
    earlier is news again. The first set of all is the beginning. Call it before the row of `run` is written.
    """
    columns = tables.run.c
    before = conn.execute(select(columns.policy_hash).order_by(columns.run_id.desc()).limit(1)).scalar_one_or_none()
    if before is None or before == run.policies.hash:
        return
    kept = tables.policy_version.c
    text = conn.execute(select(kept.text).where(kept.policy_hash == before)).scalar_one_or_none()
    old = granting.settings_in(json.loads(text)) if text else None
    new = cast("AccessSettings", run.policies.settings("access"))
    codes = [UNREADABLE] if old is None else []
    for change in granting.changes(old, new):
        entries.append(conn, run.entry("done", act=ACT, codes=codes, **_fields(change)))


def _fields(change: granting.Change) -> dict[str, Any]:
    most = entries.MAX_ITEMS
    return {
        "about": change.person,
        "obj": change.object,
        "granted": list(change.granted)[:most],
        "revoked": list(change.revoked)[:most],
        "fields": list(change.fields),
    }
