"""Trials of backups (`crmctl backup drill`) as a purge's verification sees them: what the newest one since showed.

Whether a backup opens takes its private key, which has no business where purges run. So it is tried where that key is
at hand, and the log has what came of it: all who were ever destroyed were tried, and how many opened.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from crmctl import clock
from crmctl.audit.said import said
from crmctl.retention import earlier
from crmctl.store import schema

ACT = "backup.drill"


class Trial(NamedTuple):
    """A trial: when it ended, which backup was tried, on how many of the destroyed, and how many of them opened.

    `keys_set` is the number of the backup of keys that was tried with it; None without one.
    """

    at: datetime
    backup: str | None
    destroyed: int
    resurrected: int
    keys_set: int | None


def newest(conn: Connection, since: datetime) -> Trial | None:
    """Return the newest trial that began after a moment and came to its end, or found somebody who opens; else None."""
    found = None
    for body in said(conn, ACT, None):
        counts, at = body.get("counts", {}), clock.parse_stamp(body["ts"])
        if at - timedelta(seconds=counts.get("seconds", 0)) < since:
            continue  # those destroyed meanwhile were not tried
        if body["result"] == "done" or counts.get("resurrected"):
            tried = (counts["destroyed"], counts["resurrected"], counts.get("keys_set"))
            found = Trial(at, body.get("obj"), *tried)
    return found


def any_set(conn: Connection) -> bool:
    """Say whether there is a backup of the data that could be tried."""
    table = schema.load_all().tables["backup"]
    here = (table.c.kind == earlier.DATA, table.c.removed_at.is_(None))
    return bool(conn.execute(select(func.count()).select_from(table).where(*here)).scalar_one())
