"""The part of a keys set: the wrapped keys, their epochs and the receipts of destroyed ones. Never a master key.

Whoever finds the set has nothing without the master key of its epoch, and that dies after `key_horizon_days`. Master
keys are kept apart from both sets: in their provider, on paper, in the copies that `crmctl keys copy` makes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from crmctl.audit.checkpoints import settings_of, trust_of
from crmctl.backups import agefile, contents, writing
from crmctl.backups.datapart import spooled
from crmctl.backups.manifest import KEYS, broken
from crmctl.i18n import _
from crmctl.security.keycopy import SAMPLE, copy_rows
from crmctl.security.keysqlite import SqliteKeys
from crmctl.security.keywrap import OWNER_NAMES
from crmctl.store import engine
from crmctl.store.sqlite import create_file

if TYPE_CHECKING:
    from crmctl.runs.run import Run

NAME = "keys.db"


def write(run: Run, folder: Path, name: str) -> None:
    """Write the part, manifest and note of a keys set into `folder`. Raises IntegrityFailed for a copy that differs."""
    recipients = agefile.recipients_of(run.workspace)
    trust = trust_of(run.workspace, settings_of(run.policies))
    with engine.read(run.engine) as conn:
        log, note = contents.log_head(conn), contents.checkpoint_note(conn, trust)
    with spooled(run, "backup") as target:
        if run.keys.rows.kind == "sqlite":
            create_file(target)
        counts = copy_rows(run.keys.rows, target)
        _prove(run, target, counts)
        with target.open("rb") as stream:
            part = writing.part(folder, NAME, "keys", recipients, stream)
    named = {OWNER_NAMES.get(kind, str(kind)): number for kind, number in counts.items()}
    said = writing.described(run, KEYS, name, (part,), counts=named, log=log, note=note)
    writing.seal_up(run, folder, said)


def _prove(run: Run, path: Path, counts: dict[int, int]) -> None:
    copied = SqliteKeys(path)
    try:
        if copied.counts() != counts or copied.damage():
            raise broken(str(path), _("the copy differs from the key store"))
        run.keys.wrapper.unwrap_all(copied.sample(SAMPLE))
    finally:
        copied.close()
