"""The register of sets: which were made, where they lie, when they were last seen whole (SEC-02)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
from sqlalchemy import Connection, insert, select, update

from crmctl.backups.tables import backup
from crmctl.errors import InvalidInput
from crmctl.i18n import _

if TYPE_CHECKING:
    from crmctl.backups.manifest import BackupSet, Kind

MADE, VERIFIED, FAILED, REMOVED = "made", "verified", "failed", "removed"
HERE = (MADE, VERIFIED, FAILED)  # sets that nobody has removed


@dataclass(frozen=True)
class Registered:
    """A row of the register."""

    backup_id: int
    kind: Kind
    state: str
    folder: Path
    made_at: datetime
    run_id: int
    size: int
    digest: bytes
    log_size: int
    master_epoch: int
    counts: Mapping[str, int]
    verified_at: datetime | None
    removed_at: datetime | None


def enter(conn: Connection, number: int, run_id: int, made: BackupSet, at: datetime) -> None:
    """Add a set that was just made."""
    said = made.manifest
    conn.execute(
        insert(backup).values(
            backup_id=number,
            kind=said.kind,
            state=MADE,
            location=str(made.folder),
            made_at=at,
            run_id=run_id,
            bytes=said.size,
            manifest_hash=made.digest,
            log_size=said.log.size,
            master_epoch=max(said.master_epochs),
            counts=orjson.dumps(dict(said.counts), option=orjson.OPT_SORT_KEYS).decode(),
        )
    )


def note(conn: Connection, number: int, state: str, at: datetime) -> None:
    """Record that a set was found whole or not, or was removed."""
    values: dict[str, object] = {"state": state}
    if state == VERIFIED:
        values["verified_at"] = at
    if state == REMOVED:
        values["removed_at"] = at
    conn.execute(update(backup).where(backup.c.backup_id == number).values(values))


def rows(
    conn: Connection, *, kind: str = "", states: Sequence[str] = HERE, limit: int | None = None, before: int = 0
) -> list[Registered]:
    """Return the sets of these states, newest first."""
    columns = backup.c
    query = select(
        columns.backup_id, columns.kind, columns.state, columns.location, columns.made_at, columns.run_id,
        columns.bytes, columns.manifest_hash, columns.log_size, columns.master_epoch, columns.counts,
        columns.verified_at, columns.removed_at,
    ).where(columns.state.in_(states)).order_by(columns.backup_id.desc())  # fmt: skip
    if kind:
        query = query.where(columns.kind == kind)
    if before:
        query = query.where(columns.backup_id < before)
    if limit is not None:
        query = query.limit(limit)
    return [
        Registered(*row[:3], Path(row[3]), *row[4:10], orjson.loads(row[10]), *row[11:]) for row in conn.execute(query)
    ]


def named(conn: Connection, text: str) -> tuple[Path, Registered | None]:
    """Return the folder that a number of the register or a path names, with its row where there is one.

    Raises InvalidInput for a number that nobody has, or of a set that was removed.
    """
    known = rows(conn)
    if text.isdecimal():
        for row in known:
            if row.backup_id == int(text):
                return row.folder, row
        raise InvalidInput(
            _("there is no backup {number}").format(number=text),
            hint=_("see those there are: crmctl backup list"),
            code="BACKUP_UNKNOWN",
        )
    folder = Path(text).absolute()
    return folder, next((row for row in known if row.folder in (folder, folder.resolve())), None)
