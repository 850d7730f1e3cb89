"""The parts of a main set: the database as of one moment, without identities, and the workspace's configuration."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from crmctl.audit.checkpoints import settings_of, trust_of
from crmctl.backups import agefile, configuration, contents, sqlitecopy, writing
from crmctl.backups.manifest import DATA, LogHead, Part
from crmctl.store import engine

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from crmctl.runs.run import Run

DATABASE, DUMP, WORKSPACE = "database.db", "database.dump", "workspace.tar.gz"
_Written = tuple[Part, dict[str, int], LogHead, str]


def write(run: Run, folder: Path, name: str) -> None:
    """Write the parts, manifest and note of a main set into `folder`."""
    written = _from_sqlite if run.engine.dialect.name == "sqlite" else _from_server
    recipients = agefile.recipients_of(run.workspace)
    database, counts, log, note = written(run, folder, recipients)
    packed = io.BytesIO(configuration.pack(run.workspace))
    other = writing.part(folder, WORKSPACE, "workspace", recipients, packed)
    said = writing.described(run, DATA, name, (database, other), counts=counts, log=log, note=note)
    writing.seal_up(run, folder, said)


def _from_sqlite(run: Run, folder: Path, recipients: tuple[str, ...]) -> _Written:
    """Copy the file beside the workspace's own, not onto the medium: what lies there is sealed from the first byte."""
    source = Path(str(run.engine.url.database))
    with spooled(run, "backup") as target:
        sqlitecopy.copy(source, target, contents.LEFT_OUT, run.workspace.timeout)
        copied = engine.open_engine(f"sqlite:///{target}", timeout=run.workspace.timeout)
        try:
            with engine.read(copied) as conn:
                told = _told(run, conn)
        finally:
            copied.dispose()
        for beside in ("-wal", "-shm"):
            target.with_name(target.name + beside).unlink(missing_ok=True)
        with target.open("rb") as stream:
            return (writing.part(folder, DATABASE, "database", recipients, stream), *told)


def _from_server(run: Run, folder: Path, recipients: tuple[str, ...]) -> _Written:
    from crmctl.backups import servercopy

    with servercopy.dumping(run.engine, contents.LEFT_OUT) as (conn, stream):
        told = _told(run, conn)
        return (writing.part(folder, DUMP, "database", recipients, stream), *told)


def _told(run: Run, conn: Connection) -> tuple[dict[str, int], LogHead, str]:
    trust = trust_of(run.workspace, settings_of(run.policies))
    return contents.counts(conn), contents.log_head(conn), contents.checkpoint_note(conn, trust)


@contextlib.contextmanager
def spooled(run: Run, what: str) -> Iterator[Path]:
    """Yield the name of a file in the workspace's spool that is gone afterwards, and any that a killed run left.

    Whoever calls this holds the lock `backup`.
    """
    for leftover in run.workspace.spool.glob(f"{what}-*"):
        leftover.unlink(missing_ok=True)
    target = run.workspace.spool / f"{what}-{run.run_id}.db"
    try:
        yield target
    finally:
        for path in run.workspace.spool.glob(f"{target.name}*"):
            path.unlink(missing_ok=True)
