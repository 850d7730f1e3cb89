"""`crmctl backup list`: the register, and whether each set is still where it was written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crmctl.backups import manifest, register
from crmctl.clock import local
from crmctl.errors import CrmctlError
from crmctl.store import engine

if TYPE_CHECKING:
    from crmctl.backups.register import Registered
    from crmctl.runs.run import Run

MISSING = "missing"


def rows(run: Run, removed: bool, limit: int, before: int) -> list[tuple[Any, ...]]:
    """Return what the table shows, newest first."""
    states = (*register.HERE, register.REMOVED) if removed else register.HERE
    with engine.read(run.engine) as conn:
        known = register.rows(conn, states=states, limit=limit, before=before)
    return [
        (
            row.backup_id,
            row.kind,
            local(row.made_at, run.zone),
            _state(row),
            local(row.verified_at, run.zone) if row.verified_at else None,
            row.size,
            row.log_size,
            str(row.folder),
        )
        for row in known
    ]


def _state(row: Registered) -> str:
    """Return how a set stands; `missing` where its folder does not hold a manifest any more."""
    if row.state == register.REMOVED:
        return row.state
    try:
        return row.state if manifest.read(row.folder).digest == row.digest else register.FAILED
    except CrmctlError as error:
        return MISSING if error.code == "BACKUP_UNKNOWN" else register.FAILED
