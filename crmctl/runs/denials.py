"""Refused attempts in the log: the first at once, its repetitions for a while in one entry with their number.

A flood of them so cannot bury what else the log holds (security.md A24). Repetitions are counted in table `denial`
until the time is over that access.yaml gives (`fold_denials`); the next run then writes their entry.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import Connection, and_, delete, insert, or_, select, update

from crmctl.audit import entries
from crmctl.errors import PermissionMissing
from crmctl.runs.tables import denial
from crmctl.security.actor import Actor

if TYPE_CHECKING:
    from crmctl.runs.run import Run
    from crmctl.security.access import AccessSettings

REPEATED = "repeated"  # the count in the entry
_SAME = ("person", "uid", "act", "code", "obj")  # what two attempts share that are the same


def note(conn: Connection, run: Run, refusal: PermissionMissing, **fields: Any) -> None:
    """Log in the caller's transaction that an attempt was refused; `fields` as `Run.entry` takes them."""
    entries.settle(conn)  # one at a time: the first has the entry, the others are counted
    flush(conn, run)
    key = {
        "person": run.actor.person,
        "uid": run.actor.uid,
        "act": fields.get("act", run.act),
        "code": refusal.code,
        "obj": fields.get("obj") or "",
    }
    same = and_(*(denial.c[name] == value for name, value in key.items()))
    if conn.execute(select(denial.c.repeated).where(same)).first() is not None:
        conn.execute(update(denial).where(same).values(repeated=denial.c.repeated + 1))
        return
    conn.execute(insert(denial).values(**key, via=run.actor.via, first_at=run.at, repeated=0))
    entries.append(conn, run.entry("denied", codes=[refusal.code], **fields))


def flush(conn: Connection, run: Run) -> None:
    """Write in the caller's transaction what was counted in times that are over."""
    columns, folded = denial.c, folded_for(run)
    over = or_(columns.first_at <= run.at - folded, columns.first_at > run.at + folded)  # a clock set back ends it too
    rows = conn.execute(select(denial).where(over)).mappings().all()
    if not rows:
        return
    entries.settle(conn)
    done = [row for row in rows if _taken(conn, row)]
    for row in done:
        if row["repeated"]:
            who = Actor(row["person"], row["uid"], row["via"], ())
            told = replace(run, actor=who, run_id=None, as_of=run.at).entry(
                "denied", act=row["act"], obj=row["obj"], codes=[row["code"]], counts={REPEATED: row["repeated"]}
            )
            entries.append(conn, told)


def folded_for(run: Run) -> timedelta:
    """Return for how long repetitions of a refusal are counted instead of logged one by one."""
    access = cast("AccessSettings", run.policies.settings("access"))
    return timedelta(minutes=int(access.fold_denials.partition(" ")[0]))


def _taken(conn: Connection, row: Any) -> bool:  # noqa: ANN401 - a row of `denial`
    """Delete a row as it was read; False when another run did so meanwhile."""
    same = and_(*(denial.c[name] == row[name] for name in (*_SAME, "first_at", "repeated")))
    return conn.execute(delete(denial).where(same)).rowcount == 1
