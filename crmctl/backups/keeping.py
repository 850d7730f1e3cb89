"""Remove old sets, once a newer one was read back whole (restic's order); each removal leaves an entry.

Only what the register knows and what is, byte for byte of its manifest, the set that was registered: whatever else lies
in the folder is somebody's.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from crmctl import clock
from crmctl.audit import entries
from crmctl.backups import manifest, register
from crmctl.errors import CrmctlError
from crmctl.files import storage_failure, sync_folder
from crmctl.store import engine

if TYPE_CHECKING:
    from crmctl.backups.policy import Keep
    from crmctl.backups.register import Registered
    from crmctl.runs.run import Run


class Removed(NamedTuple):
    """A set that is gone, or would be; `reached` is False where its folder was not to be found: it stays registered."""

    number: int
    folder: Path
    reached: bool


def beyond(run: Run, keep: Keep, kind: str, newer: int = 0) -> list[Registered]:
    """Return the sets that need not be kept any more when `newer` ones are about to come, oldest first."""
    sets, days = keep.bounds(run.policies)
    if sets is None and days is None:
        return []
    with engine.read(run.engine) as conn:
        known = register.rows(conn, kind=kind)
    limit = run.at - timedelta(days or 0)
    old, whole = [], newer
    for row in known:
        if (sets is None or whole >= sets) and (days is None or row.made_at < limit):
            old.append(row)
        whole += row.state != register.FAILED  # a broken set is none of the newest that are kept
    return list(reversed(old))


def remove(run: Run, rows: list[Registered]) -> list[Removed]:
    """Remove these sets from disk and register. Raises StorageFailed when the disk refuses."""
    return [Removed(row.backup_id, row.folder, _removed(run, row)) for row in rows]


def _removed(run: Run, row: Registered) -> bool:
    try:
        found = manifest.read(row.folder)
    except CrmctlError:
        return False
    ours = found.manifest.instance == str(run.workspace.get("instance")) and found.digest == row.digest
    if not ours:
        return False
    names = [manifest.FILE, manifest.NOTE, *(part.name for part in found.manifest.parts)]
    try:  # the manifest first: what is left of a killed removal is no set
        for name in names:
            (row.folder / name).unlink(missing_ok=True)
        if not any(row.folder.iterdir()):
            row.folder.rmdir()
        sync_folder(row.folder.parent)
    except OSError as error:
        raise storage_failure(row.folder, error) from error
    at = clock.now()
    with engine.write(run.engine) as conn:
        register.note(conn, row.backup_id, register.REMOVED, at)
        body = run.entry("done", act="backup.remove", at=at, obj=f"backup:{row.backup_id}", source=row.digest.hex())
        entries.append(conn, body)
    return True
