"""Write the parts of a set, its manifest, its note: all in a folder that gets its name when everything is durable."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from crmctl import __version__
from crmctl.audit import checkpoints
from crmctl.backups import agefile, evidence, manifest
from crmctl.backups.agefile import Readable, Sink
from crmctl.backups.manifest import Kind, LogHead, Manifest, Part
from crmctl.clock import stamp
from crmctl.files import OWNER_FILE, storage_failure

if TYPE_CHECKING:
    from crmctl.runs.run import Run

Writer = Callable[[Sink], None]


def part(folder: Path, name: str, role: str, recipients: Sequence[str], source: Readable) -> Part:
    """Write one part, sealed to `recipients`, synced. Raises StorageFailed when the disk refuses."""
    path = folder / (name + agefile.SUFFIX if recipients else name)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, OWNER_FILE)
        with os.fdopen(handle, "wb") as stream:
            sink = Sink(stream)
            agefile.seal(source, sink, recipients)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise storage_failure(path, error) from error
    return Part(path.name, role, sink.bytes, sink.hexdigest())


def seal_up(run: Run, folder: Path, said: Manifest) -> bytes:
    """Write the manifest and, where the signer can be read, its note; return the manifest's hash."""
    from hashlib import sha256

    data = said.to_bytes()
    digest = sha256(data).digest()
    text = evidence.sign(run.workspace, checkpoints.settings_of(run.policies), digest)
    for name, content in ((manifest.NOTE, text.encode()), (manifest.FILE, data)):
        if content:
            _write(folder / name, content)
    return digest


def _write(path: Path, data: bytes) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, OWNER_FILE)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise storage_failure(path, error) from error


def described(
    run: Run,
    kind: Kind,
    name: str,
    parts: Sequence[Part],
    *,
    counts: dict[str, int],
    log: LogHead,
    note: str,
) -> Manifest:
    """Return the manifest of a set that this run makes."""
    from crmctl.store import migrate

    return Manifest(
        kind=kind,
        name=name,
        instance=str(run.workspace.get("instance")),
        revision=migrate.HEAD,
        made_at=stamp(run.at),
        database=run.engine.dialect.name,
        counts=counts,
        log=log,
        checkpoint=note,
        parts=tuple(parts),
        master_epochs=tuple(row.epoch for row in run.keys.info.masters),
        policy=run.policies.hash,
        program=__version__,
        recipients=agefile.recipients_of(run.workspace),
    )
