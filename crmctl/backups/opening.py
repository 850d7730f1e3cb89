"""Open the parts of a set with a private key that is given for this once."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from crmctl.backups import agefile, configuration
from crmctl.backups.agefile import Sink
from crmctl.backups.manifest import BackupSet, Part, broken
from crmctl.errors import KeyMissing
from crmctl.files import OWNER_FILE, storage_failure
from crmctl.i18n import _

if TYPE_CHECKING:
    from crmctl.backups.configuration import Configuration


def identities_for(found: BackupSet, path: Path | None) -> list[Any]:
    """Return the private keys for a set; none for one that is not sealed. Raises KeyMissing where one is needed."""
    if not found.manifest.recipients:
        return []
    if path is None:
        raise KeyMissing(
            _("{folder}: is sealed; its private key is needed").format(folder=found.folder),
            hint=_("give the file with it: --identity FILE; it is read once and kept nowhere"),
            code="IDENTITY_MISSING",
        )
    return agefile.identities_in(path)


def stream(found: BackupSet, part: Part) -> BinaryIO:
    """Open a part for reading. Raises IntegrityFailed where it is not there."""
    path = found.folder / part.name
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        raise broken(str(path), _("it is not there or cannot be read")) from None
    return os.fdopen(handle, "rb")


def to_file(found: BackupSet, role: str, identities: Sequence[Any], target: Path) -> None:
    """Write the opened part of a role to a new owner-only file, synced.

    Raises KeyMissing for another's key, IntegrityFailed for what was altered, StorageFailed when the disk refuses.
    """
    part = found.manifest.part(role)
    try:
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, OWNER_FILE)
        with os.fdopen(handle, "wb") as written, stream(found, part) as sealed:
            agefile.unseal(sealed, Sink(written), identities, str(found.folder / part.name))
            written.flush()
            os.fsync(written.fileno())
    except OSError as error:
        raise storage_failure(target, error) from error


def to_stream(found: BackupSet, role: str, identities: Sequence[Any], target: BinaryIO) -> None:
    """Write the opened part of a role to a stream. Raises as `to_file` does, and what the stream raises."""
    part = found.manifest.part(role)
    with stream(found, part) as sealed:
        agefile.unseal(sealed, Sink(target), identities, str(found.folder / part.name))
    target.flush()


def configuration_of(found: BackupSet, identities: Sequence[Any]) -> Configuration:
    """Return the configuration in a set. Raises as `to_file` does."""
    part = found.manifest.part("workspace")
    opened = io.BytesIO()
    where = str(found.folder / part.name)
    with stream(found, part) as sealed:
        agefile.unseal(sealed, Sink(opened), identities, where)
    return configuration.unpack(opened.getvalue(), where)
