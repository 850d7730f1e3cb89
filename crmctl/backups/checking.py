"""Read a set to its end: every part there, of its size, with its hash, and nothing else in the folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from crmctl.backups.manifest import FILE, NOTE, BackupSet, Part
from crmctl.i18n import _

_PIECE = 1 << 20
Tell = Callable[[int], None]


class Problem(NamedTuple):
    """What is wrong with a set: a code for programs, which file, words for people."""

    code: str
    subject: str
    message: str


def problems(found: BackupSet, tell: Tell) -> list[Problem]:
    """Return what is wrong; `tell` hears of bytes read. What the disk does not give is a problem, no exception."""
    wanted = {part.name for part in found.manifest.parts} | {FILE, NOTE}
    wrong = [
        Problem("PART_UNKNOWN", path.name, _("the manifest does not name it"))
        for path in sorted(found.folder.iterdir())
        if path.name not in wanted
    ]
    for part in found.manifest.parts:
        wrong += _checked(found.folder / part.name, part, tell)
    return wrong


def _checked(path: Path, part: Part, tell: Tell) -> Iterator[Problem]:
    digest, size = sha256(), 0
    try:
        for piece in pieces(path):
            digest.update(piece)
            size += len(piece)
            tell(len(piece))
    except OSError:
        yield Problem("PART_MISSING", part.name, _("it is not there or cannot be read"))
        return
    if size != part.bytes:
        message = _("it has {size} bytes, the manifest says {wanted}").format(size=size, wanted=part.bytes)
        yield Problem("PART_SIZE", part.name, message)
    elif digest.hexdigest() != part.sha256:
        yield Problem("PART_HASH", part.name, _("its bytes are not those that were written"))


def pieces(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a regular file, from the disk rather than from memory where the system lets us."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY)
    with os.fdopen(handle, "rb", buffering=0) as stream:
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while piece := stream.read(_PIECE):
            yield piece
