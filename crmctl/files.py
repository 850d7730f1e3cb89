"""Files the program opens and writes: no symbolic links, owner-only, atomically replaced."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from crmctl.errors import InvalidInput, Refused, StorageFailed
from crmctl.i18n import _, reason

OWNER_FILE = 0o600
OWNER_FOLDER = 0o700


def open_input(path: Path) -> BinaryIO:
    """Open a regular file that a user names, for reading bytes. Raises InvalidInput when that is not possible."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        raise InvalidInput(
            _("{path}: cannot be read: {reason}").format(path=path, reason=reason(error)),
            hint=_("check the name and its permissions"),
            code="FILE_UNREADABLE",
        ) from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise InvalidInput(
            _("{path}: is not a regular file").format(path=path),
            hint=_("give a file, or - for standard input"),
            code="FILE_NOT_REGULAR",
        )
    os.set_blocking(handle, True)
    return os.fdopen(handle, "rb")


@contextlib.contextmanager
def atomic_output(path: Path, *, replace: bool = False, mode: int = OWNER_FILE) -> Iterator[BinaryIO]:
    """Yield a file that becomes `path` (owner-only) when the block ends well, and never exists half-written.

    Raises Refused when `path` exists and `replace` is false, StorageFailed when the disk refuses.
    """
    if path.exists() and not replace:
        raise Refused(
            _("{path}: exists already").format(path=path),
            hint=_("choose another name or remove it first"),
            code="FILE_EXISTS",
        )
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    except OSError as error:
        raise storage_failure(path, error) from error
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        _publish(temporary, path, replace)
        sync_folder(path.parent)
    except OSError as error:
        raise storage_failure(path, error) from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()


def _publish(temporary: Path, path: Path, replace: bool) -> None:
    if replace:
        temporary.replace(path)
        return
    try:
        os.link(temporary, path)  # unlike rename, refuses a file that appeared meanwhile
    except FileExistsError:
        raise Refused(_("{path}: exists already").format(path=path), code="FILE_EXISTS") from None


def write_text(path: Path, text: str, *, replace: bool = False, mode: int = OWNER_FILE) -> None:
    """Write `text` as UTF-8 to `path`, owner-only and atomically."""
    with atomic_output(path, replace=replace, mode=mode) as stream:
        stream.write(text.encode("utf-8"))


def make_folder(path: Path) -> None:
    """Create `path` owner-only; existing is fine. Raises StorageFailed when the disk refuses."""
    try:
        path.mkdir(mode=OWNER_FOLDER, exist_ok=True)
    except OSError as error:
        raise storage_failure(path, error) from error


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def storage_failure(path: Path, error: OSError) -> StorageFailed:
    """Return the error that says `path` cannot be written and why."""
    return StorageFailed(
        _("{path}: cannot be written: {reason}").format(path=path, reason=reason(error)),
        hint=_("free space or correct the permissions, then run the same command again"),
        code="STORAGE_FAILED",
    )
