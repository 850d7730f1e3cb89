"""A folder as one stream: the service account fills one of its own, the caller's side makes it again elsewhere."""

from __future__ import annotations

import contextlib
import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from crmctl import files
from crmctl.errors import Refused
from crmctl.i18n import _

_PREFIX = "front-"  # a folder of a running command's, below the workspace's spool
_MODE = 0o700


def make_room(spool: Path) -> Path:
    """Return a new folder of this process's; what killed processes left behind is swept out."""
    for left in spool.glob(f"{_PREFIX}*"):
        if not _runs(left.name.removeprefix(_PREFIX)):
            shutil.rmtree(left, ignore_errors=True)
    place = spool / f"{_PREFIX}{os.getpid()}"
    files.make_folder(place)
    return place


def _runs(pid: str) -> bool:
    with contextlib.suppress(ValueError, OSError):
        os.kill(int(pid), 0)
        return True
    return False


def pack(folder: Path, stream: BinaryIO) -> None:
    """Write a folder's files to a stream: names and bytes alone, no owners, times or links."""
    with tarfile.open(fileobj=stream, mode="w:") as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()):
            member = tarfile.TarInfo(path.relative_to(folder).as_posix())
            member.size = path.stat().st_size
            with path.open("rb") as source:
                archive.addfile(member, source)


@contextlib.contextmanager
def unpacked(target: Path) -> Iterator[BinaryIO]:
    """Yield a file to be filled with a packed folder, which then becomes `target`, owner-only, whole or not at all.

    Raises Refused when `target` exists, StorageFailed when the disk refuses.
    """
    import tempfile

    if os.path.lexists(target):
        raise Refused(
            _("{path}: exists already").format(path=target),
            hint=_("choose another name or remove it first"),
            code="FILE_EXISTS",
        )
    building = target.with_name(f".{target.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        with tempfile.TemporaryFile(dir=target.parent) as stream:
            yield stream
            stream.seek(0)
            building.mkdir(mode=_MODE)
            _unpack(stream, building)
        building.rename(target)  # fails on a folder with something in it
        files.sync_folder(target.absolute().parent)
    except OSError as error:
        raise files.storage_failure(target, error) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _unpack(stream: BinaryIO, folder: Path) -> None:
    with tarfile.open(fileobj=stream, mode="r:") as archive:
        for member in archive:
            name = PurePosixPath(member.name)
            source = archive.extractfile(member) if member.isreg() else None
            if source is None or name.is_absolute() or ".." in name.parts:
                raise OSError("no plain file")
            path = folder / name
            path.parent.mkdir(mode=_MODE, parents=True, exist_ok=True)
            with files.atomic_output(path) as copy:
                shutil.copyfileobj(source, copy)
