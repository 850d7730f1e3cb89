"""Register of copies: files with customer data that left the database, with whom they are, when they have to go.

A purge reaches no file that somebody took away; it can only ask for it. So each has a line here, with its SHA-256.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, insert, select, update

from crmctl import clock, files
from crmctl.audit import entries
from crmctl.errors import CrmctlError, Refused
from crmctl.i18n import _
from crmctl.runs.run import Run, finish, today
from crmctl.security.sealing import DataKey
from crmctl.store import bulk, counters, engine
from crmctl.use import sealed
from crmctl.use.policy import UseSettings
from crmctl.use.tables import copy_register

KINDS = {
    "customer.export": "export",
    "batch.rejects": "rejects",
    "audit.export": "log",
    "keys.copy": "key store copy",
    "owner.handover.sheet": "handover sheet",
    "owner.handover.wecom": "transfer file",
    "complaint.form": "complaint form",
    "complaint.file": "complaint file",
}
PAGE = 500


@dataclass(frozen=True)
class Copy:
    """One file as the register has it."""

    copy_id: int
    run_id: int
    batch_id: int | None
    use_id: int | None
    kind: str
    sha256: str
    size: int | None
    rows: int
    person: str
    recipient: str | None
    purpose: str | None
    fields: list[str]
    made_at: datetime
    due_on: str | None
    disposed_at: datetime | None
    disposed_by: str | None
    sealed: bytes | None

    def overdue(self, day: str) -> bool:
        """Whether it should have been destroyed by a day."""
        return self.disposed_at is None and self.due_on is not None and self.due_on <= day


@dataclass(frozen=True)
class Leaving:
    """A file about to be put in place.

    `act` is what makes it (`KINDS`), `sha256` and `size` are of its bytes, `fields` those it holds in full; `place` is
    where it will lie, to be sealed under the key given: of its batch, else of its run (`sealed.key_of`).
    """

    act: str
    sha256: str
    size: int
    rows: int
    fields: Sequence[str] = ()
    recipient: str | None = None
    purpose: str | None = None
    use_id: int | None = None
    batch_id: int | None = None
    place: tuple[DataKey, Path] | None = None


def register(conn: Connection, run: Run, leaving: Leaving) -> int:
    """Enter a file in the caller's transaction, before it is put in place; return the number of the copy."""
    number = counters.take(conn, "copy", 1)
    where = None
    if leaving.place is not None:
        key, path = leaving.place
        shown = path if isinstance(path, files.Lent) else path.absolute()
        where, _digest = sealed.seal(run, key, sealed.COPY, {"path": str(shown)}, number)
    conn.execute(
        insert(copy_register).values(
            copy_id=number,
            run_id=run.run_id,
            batch_id=leaving.batch_id,
            use_id=leaving.use_id,
            kind=KINDS[leaving.act],
            sha256=leaving.sha256,
            bytes=leaving.size,
            rows=leaving.rows,
            person=run.actor.person,
            recipient=leaving.recipient,
            purpose=leaving.purpose,
            fields=orjson.dumps(list(leaving.fields)).decode(),
            made_at=clock.now(),
            due_on=due_on(run),
            sealed=where,
        )
    )
    return number


def due_on(run: Run) -> str | None:
    """Return the day by which a copy made today has to go; None while the company has not decided how long."""
    days = None
    for policy in run.policies.of_kind("use"):
        assert isinstance(policy.settings, UseSettings)
        if policy.settings.copies_for is not None:
            days = run.policies.figure(policy.settings.copies_for)
    return None if days is None else (today(run.policies, run.at) + timedelta(days=int(days))).isoformat()


def listed(conn: Connection, limit: int, before: int | None = None, *, due: str = "", all_: bool = False) -> list[Copy]:
    """Return copies that are not destroyed (`all_`: also those), newest first; `due` only those due by that day."""
    columns = copy_register.c
    query = select(copy_register).order_by(columns.copy_id.desc()).limit(limit)
    if before is not None:
        query = query.where(columns.copy_id < before)
    if not all_ or due:
        query = query.where(columns.disposed_at.is_(None))
    if due:
        query = query.where(columns.due_on <= due)
    return list(_copies(conn.execute(query).mappings()))


def destroyed(conn: Connection, numbers: Sequence[int]) -> list[int]:
    """Return which of some copies are said to be destroyed, ascending."""
    columns = copy_register.c
    query = select(columns.copy_id).where(bulk.among(conn, columns.copy_id, numbers), columns.disposed_at.is_not(None))
    return sorted(conn.execute(query).scalars())


def find(conn: Connection, number: int) -> Copy:
    """Return a copy. Raises Refused when there is none of that number."""
    rows = conn.execute(select(copy_register).where(copy_register.c.copy_id == number)).mappings().all()
    for copy in _copies(rows):
        return copy
    raise Refused(
        _("there is no copy {number}").format(number=number), hint=_("see: crmctl use copies"), code="COPY_UNKNOWN"
    )


def _copies(rows: Iterable[Any]) -> Iterator[Copy]:
    for row in rows:
        values = {name: row["bytes" if name == "size" else name] for name in Copy.__dataclass_fields__}
        yield Copy(**{**values, "fields": orjson.loads(row["fields"] or "[]")})


def place_of(run: Run, copy: Copy) -> Path | None:
    """Return where a copy was written; None where that is not recorded, or its key is destroyed."""
    if copy.sealed is None:
        return None
    owner = ("batch", copy.batch_id) if copy.batch_id is not None else ("run", copy.run_id)
    key = run.keys.fetch(owner[0], (owner[1],)).get(owner[1])
    return None if key is None else Path(sealed.opened(run, key, sealed.COPY, copy.sealed, copy.copy_id)["path"])


def state_of(run: Run, copy: Copy) -> str:
    """Return what is found of a copy from here: destroyed, there, changed, gone, unseen (no place, or not readable).

    A service account looks nowhere: it opens no path that somebody named.
    """
    if copy.disposed_at is not None:
        return "destroyed"
    place = None if run.workspace.get("mode") == "broker" else place_of(run, copy)
    if place is None:
        return "unseen"
    try:
        handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return "gone"
    except OSError:
        return "unseen"
    with os.fdopen(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return "changed"
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    return "there" if found == copy.sha256 else "changed"


def dispose(run: Run, number: int) -> Copy:
    """Note that a copy was destroyed: when, and by whom; ends the begun `run`.

    Raises Refused when it was already, or can still be seen.
    """
    with engine.read(run.engine) as conn:
        copy = find(conn, number)
    if copy.disposed_at is not None:
        raise Refused(_("copy {number}: is destroyed already").format(number=number), code="COPY_DESTROYED")
    if state_of(run, copy) == "there":
        raise Refused(
            _("copy {number}: the file is still where it was written").format(number=number),
            hint=_("delete it, then say so again; where it lies: crmctl use copies --check"),
            code="COPY_THERE",
        )
    with engine.write(run.engine) as conn:
        same = (copy_register.c.copy_id == number, copy_register.c.disposed_at.is_(None))
        values = {"disposed_at": clock.now(), "disposed_by": run.actor.person}
        if conn.execute(update(copy_register).where(*same).values(**values)).rowcount != 1:
            raise Refused(_("copy {number}: is destroyed already").format(number=number), code="COPY_DESTROYED")
        finish(conn, run, "done", 0, {"copies": 1})
        entries.append(conn, run.entry("done", at=clock.now(), obj=f"copy:{number}", source=copy.sha256))
        return find(conn, number)


def unregister(run: Run, number: int) -> None:
    """Note that a registered file was not put in place after all; what cannot be noted stays listed, as `gone`."""
    with contextlib.suppress(CrmctlError), engine.write(run.engine) as conn:
        if state_of(run, find(conn, number)) == "there":  # it was, and what failed came after
            return
        values = {"disposed_at": clock.now(), "disposed_by": run.actor.person}
        conn.execute(update(copy_register).where(copy_register.c.copy_id == number).values(**values))
