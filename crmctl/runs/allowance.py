"""How often a day somebody may do an act, counted from the log itself, so that no counter beside it can be reset.

A day is the company's calendar day; it counts what was done, begun or refused by the person under any account, and the
entries of one run once (security.md A22). Attempts that were denied do not count.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, time
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import ColumnElement, Connection, select

from crmctl.audit import entries
from crmctl.audit.reading import as_bytes
from crmctl.audit.tables import audit_entry
from crmctl.clock import stamp
from crmctl.errors import PermissionMissing
from crmctl.i18n import _
from crmctl.security import permissions

if TYPE_CHECKING:
    from crmctl.runs.run import Run
    from crmctl.security.access import AccessSettings

CODE = "LIMIT_REACHED"
PAGE = 1000  # entries looked at in one step back
_COUNTED = ("done", "begun", "refused")


def within(conn: Connection, run: Run, act: str, more: int = 1) -> None:
    """Raise PermissionMissing (LIMIT_REACHED) when doing `act` so many times `more` would pass the person's limit.

    Call it in the transaction that appends the entry, after the numbers it needs were taken: it waits for the end of
    the log, so that two at once cannot both have the last turn.
    """
    access = cast("AccessSettings", run.policies.settings("access"))
    limit = permissions.daily_limit(run.actor, access, act)
    if limit is None:
        return
    entries.settle(conn)
    if used(conn, run.actor.person, act, day_began(run), run.run_id) + more > limit:
        raise PermissionMissing(
            _("{person} may do {act} {limit} times a day, and has today").format(
                person=run.actor.person, act=act, limit=limit
            ),
            hint=_("go on tomorrow, or have the limit in policies/access.yaml changed"),
            code=CODE,
            details={"act": act},
        )


def day_began(run: Run) -> datetime:
    """Return when the company's calendar day of a run began."""
    zone = ZoneInfo(run.zone)
    return datetime.combine(run.at.astimezone(zone).date(), time(), zone)


def used(conn: Connection, person: str, act: str, since: datetime, but: int | None = None) -> int:
    """Return how often `person` did `act` since a moment; entries of run `but` do not count."""
    columns, found, alone = audit_entry.c, set(), 0
    likely = [columns.body.contains(text, autoescape=True) for text in (f'"act":"{act}"', json.dumps(person))]
    for body in since_then(conn, since, likely):
        who = body.get("actor", {})
        if (who.get("person"), body.get("act")) != (person, act) or body.get("result") not in _COUNTED:
            continue
        if body.get("run") is None:
            alone += 1
        elif body["run"] != but:
            found.add(body["run"])
    return alone + len(found)


def since_then(conn: Connection, since: datetime, likely: Sequence[ColumnElement[bool]]) -> Iterator[dict[str, Any]]:
    """Yield entries of a moment and later that fulfil the conditions, from the end of the log back, a page at a time.

    Order is by number, never by time: a page that a clock set back reaches into is followed by the one before it.
    """
    columns, first = audit_entry.c, stamp(since)
    newest = select(columns.seq).order_by(columns.seq.desc()).limit(1)
    below = int(conn.execute(newest).scalar_one_or_none() or -1) + 1
    while below > 0:
        start = max(0, below - PAGE)
        page = (columns.seq >= start, columns.seq < below)
        query = select(as_bytes(conn, columns.body)).where(*page, *likely)
        yield from (body for body in map(_parsed, conn.execute(query).scalars()) if body.get("ts", "") >= first)
        oldest = select(as_bytes(conn, columns.body)).where(columns.seq == start)
        if _parsed(conn.execute(oldest).scalar_one_or_none()).get("ts", "") < first and not _skewed(conn, page):
            return
        below = start


def _skewed(conn: Connection, page: tuple[Any, ...]) -> bool:
    columns = audit_entry.c
    query = select(columns.seq).where(*page, columns.body.contains('"skew":true', autoescape=True)).limit(1)
    return conn.execute(query).first() is not None


def _parsed(text: bytes | None) -> dict[str, Any]:
    """Return an entry; nothing of one that is pruned or unreadable, which lies before the day or shows in `verify`."""
    try:
        body = orjson.loads(text or b"{}")
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
