"""Files the program opens and writes: no symbolic links, owner-only, atomically replaced."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path, PosixPath
from typing import BinaryIO

from crmctl.errors import InvalidInput, Refused, StorageFailed
from crmctl.i18n import _, reason

OWNER_FILE = 0o600
OWNER_FOLDER = 0o700
_NOWHERE = "/dev/null"  # is no folder, so nothing below it can be opened or found

_lent: dict[str, Lent] = {}


class Lent(PosixPath):
    """A caller's file or folder in the service account's hands (broker mode): shown under the caller's name.

    A file is reached by its descriptor, and what the kernel would get as its name leads nowhere; a folder is really
    one of the account's own. The account opens no path that a caller names.
    """

    shown = ""
    descriptor = -1
    written: Callable[[], object] | None = None

    def __str__(self) -> str:
        """Return the caller's name for it."""
        return self.shown or super().__str__()

    def __fspath__(self) -> str:
        """Return what the kernel may see."""
        return super().__str__()


def lend(descriptor: int, shown: str, written: Callable[[], object] | None = None) -> Lent:
    """Return the path under which `open_input` or `atomic_output` find an open file; `written` is told when it is."""
    lent = shown_as(Path(_NOWHERE, str(descriptor), Path(shown).name), shown)
    lent.descriptor, lent.written = descriptor, written
    _lent[os.fspath(lent)] = lent
    return lent


def shown_as(path: Path, shown: str) -> Lent:
    """Return a path of our own under the name that the caller knows it by."""
    lent = Lent(path)
    lent.shown = shown
    return lent


def open_input(path: Path) -> BinaryIO:
    """Open a regular file that a user names, for reading bytes. Raises InvalidInput when that is not possible."""
    lent = _lent.get(os.fspath(path))
    if lent is not None:
        os.lseek(lent.descriptor, 0, os.SEEK_SET)
        return os.fdopen(os.dup(lent.descriptor), "rb")
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
    lent = _lent.get(os.fspath(path))
    if lent is not None:
        with _lent_output(lent) as stream:
            yield stream
        return
    if os.path.lexists(path) and not replace:  # where one may not look, opening says so
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


@contextlib.contextmanager
def _lent_output(lent: Lent) -> Iterator[BinaryIO]:
    """Yield the owner's file; it gets its name from the owner's side, who is told that it is whole."""
    try:
        with os.fdopen(os.dup(lent.descriptor), "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise storage_failure(lent, error) from error
    if lent.written is not None:
        lent.written()


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
        hint=_what_next(error),
        code="STORAGE_FAILED",
    )


def _what_next(error: OSError) -> str:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return _("make its folder first, or give another place, then run the same command again")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return _("correct the permissions, or give another place, then run the same command again")
    return _("free space or correct the permissions, then run the same command again")
