"""Files of the key store: owner-only, regular, reached through no symbolic link, belonging to this user."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from crmctl.errors import KeyMissing, Refused
from crmctl.files import make_folder, storage_failure, sync_folder
from crmctl.i18n import _, reason

FOLDER_MODE = 0o700
DATABASE = "keys.db"


def check_folder(folder: Path) -> None:
    """Raise KeyMissing unless `folder` is a real folder that only this user may enter."""
    _check(folder, _lstat(folder), want_folder=True)


def check_private(path: Path) -> None:
    """Raise KeyMissing unless `path` is a regular file that only this user may read or write."""
    _check(path, _lstat(path), want_folder=False)


def read_private(path: Path, limit: int, *, owner_checked: bool = True) -> bytes:
    """Return up to `limit` bytes of an owner-only regular file; checks the opened file, so nothing can swap it.

    systemd's credentials belong to root and let this user in as a group: `owner_checked=False`. Raises KeyMissing.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        raise _unreadable(path, error) from None
    try:
        _check(path, os.fstat(handle), want_folder=False, owner_checked=owner_checked)
        return os.read(handle, limit)
    finally:
        os.close(handle)


def _lstat(path: Path) -> os.stat_result:
    try:
        return path.lstat()
    except OSError as error:
        raise _unreadable(path, error) from None


def _check(path: Path, found: os.stat_result, *, want_folder: bool, owner_checked: bool = True) -> None:
    if stat.S_ISLNK(found.st_mode):
        raise _insecure(_("{path}: is a symbolic link").format(path=path), _("name the real place of the key store"))
    if not (stat.S_ISDIR if want_folder else stat.S_ISREG)(found.st_mode):
        wanted = _("a folder") if want_folder else _("a regular file")
        raise _insecure(_("{path}: is not {wanted}").format(path=path, wanted=wanted), _("restore the key store"))
    if owner_checked and found.st_uid != os.geteuid():
        raise _insecure(
            _("{path}: belongs to uid {uid}, not to uid {me}").format(path=path, uid=found.st_uid, me=os.geteuid()),
            _("run as its owner, or give it to yourself with chown"),
        )
    if stat.S_IMODE(found.st_mode) & (0o077 if owner_checked else 0o007):
        raise _insecure(
            _("{path}: others may read it (mode {mode})").format(path=path, mode=f"{stat.S_IMODE(found.st_mode):04o}"),
            _("close it: {command}").format(command=f"chmod {'700' if want_folder else 'go-rwx'} {path}"),
        )


def _insecure(message: str, hint: str) -> KeyMissing:
    return KeyMissing(message, hint=hint, code="KEYSTORE_INSECURE")


def _unreadable(path: Path, error: OSError) -> KeyMissing:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return KeyMissing(
            _("{path}: is missing from the key store").format(path=path),
            hint=_("mount the key store or restore its newest copy; without it the data cannot be read"),
            code="KEYSTORE_MISSING",
        )
    if error.errno == errno.ELOOP:  # O_NOFOLLOW met a link
        return _insecure(_("{path}: is a symbolic link").format(path=path), _("name the real place of the key store"))
    return KeyMissing(
        _("{path}: cannot be read: {reason}").format(path=path, reason=reason(error)),
        hint=_("run as the owner of the key store"),
        code="KEYSTORE_UNREADABLE",
    )


def refuse_existing(path: Path) -> None:
    """Raise Refused when something of this name exists, be it a dangling link."""
    if os.path.lexists(path):
        raise Refused(
            _("{path}: exists already").format(path=path),
            hint=_("name a new place; a key store is never overwritten"),
            code="FILE_EXISTS",
        )


@contextlib.contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yield an owner-only folder that becomes `folder` when the block ends well, and leaves nothing otherwise.

    Raises Refused when `folder` exists, StorageFailed when the disk refuses.
    """
    refuse_existing(folder)
    building = _beside(folder)
    make_folder(building)
    try:
        yield building
        sync_folder(building)
        refuse_existing(folder)
        building.rename(folder)
        sync_folder(folder.parent)
    except OSError as error:
        raise storage_failure(folder, error) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield a name for a file that becomes `path` when the block ends well; raises as `new_folder` does."""
    refuse_existing(path)
    building = _beside(path)
    try:
        yield building
        path.hardlink_to(building)  # unlike rename, refuses a file that appeared meanwhile
        sync_folder(path.parent)
    except OSError as error:
        raise storage_failure(path, error) from error
    finally:
        building.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
