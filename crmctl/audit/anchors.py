"""Pass checkpoints on to places outside the database: a file, a program, the system's log.

WORKSPACE/data/anchors.json remembers how far each got; where it is lost, every anchor counts as behind.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from crmctl.errors import StorageFailed
from crmctl.files import OWNER_FILE, write_text
from crmctl.i18n import _, reason

if TYPE_CHECKING:
    from crmctl.audit.policy import Anchor

BOOK = "anchors.json"
END = "%%\n"  # after each checkpoint of a file
_NOTICE_OF_USER = 13  # facility user, severity notice (RFC 5424)
_TAIL = 1 << 20


class Outcome(NamedTuple):
    """How an anchor fared; `reason` is empty where it has the checkpoint."""

    name: str
    required: bool
    reason: str


@dataclass
class Book:
    """Which checkpoint each anchor got last: its number of entries; of a file also its bytes since."""

    path: Path
    got: dict[str, dict[str, int]]

    @classmethod
    def read(cls, folder: Path) -> Book:
        """Return the book kept in `folder`; an unreadable one is empty, so that every anchor is behind."""
        path = folder / BOOK
        try:
            found = json.loads(path.read_bytes())
            got = {str(name): {"size": int(kept["size"]), "bytes": int(kept["bytes"])} for name, kept in found.items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            got = {}
        return cls(path, got)

    def size(self, name: str) -> int:
        """Return how many entries the newest checkpoint has that this anchor got; 0 for none."""
        return self.got.get(name, {}).get("size", 0)

    def bytes(self, name: str) -> int:
        """Return how long the anchor's file was then."""
        return self.got.get(name, {}).get("bytes", 0)

    def note(self, name: str, size: int, length: int) -> None:
        """Remember, durably, that an anchor has the checkpoint of `size` entries."""
        self.got[name] = {"size": size, "bytes": length}
        write_text(self.path, json.dumps(self.got, indent=1, sort_keys=True) + "\n", replace=True)


def pass_on(anchors: Iterable[Anchor], size: int, text: str, book: Book) -> list[Outcome]:
    """Give the checkpoint of `size` entries to every anchor that lacks it; return how each fared."""
    found = []
    for anchor in anchors:
        failure = ""
        if book.size(anchor.name) < size:
            try:
                length = _give(anchor, text, book.bytes(anchor.name))
            except _NotTaken as error:
                failure = str(error)
            else:
                book.note(anchor.name, size, length)
        found.append(Outcome(anchor.name, anchor.required, failure))
    return found


def require(outcomes: Sequence[Outcome]) -> None:
    """Raise StorageFailed naming the required anchors that did not take the checkpoint."""
    failed = [outcome for outcome in outcomes if outcome.required and outcome.reason]
    if failed:
        told = "; ".join(f"{outcome.name}: {outcome.reason}" for outcome in failed)
        raise StorageFailed(
            _("a required anchor did not take the checkpoint, which does not count: {told}").format(told=told),
            hint=_("mend it and run the same command again; the anchors are in policies/audit.yaml"),
            code="ANCHOR_FAILED",
        )


def notes_in(path: Path) -> Iterator[str]:
    """Yield the checkpoints at the end of an anchor's file, oldest first; none where it cannot be read."""
    try:
        with path.open("rb") as stream:
            stream.seek(max(stream.seek(0, os.SEEK_END) - _TAIL, 0))
            text = stream.read().decode("utf-8", "replace")
    except OSError:
        return
    yield from text.split(END)[:-1]


class _NotTaken(Exception):
    """Why an anchor did not take a checkpoint, in the reader's language."""


def _give(anchor: Anchor, text: str, length: int) -> int:
    if anchor.file is not None:
        return _append(Path(anchor.file), text, length)
    if anchor.syslog is not None:
        _send(anchor.syslog, text)
    elif anchor.command:
        _start(anchor.command, anchor.seconds, text)
    return 0


def _append(path: Path, text: str, length: int) -> int:
    """Append to the file and return its length. Before, it was `length` bytes: a shorter or other one is no anchor."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    try:
        handle = os.open(path, flags if length else flags | os.O_CREAT, OWNER_FILE)
    except OSError as error:
        raise _NotTaken(reason(error)) from None
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise _NotTaken(_("is not a regular file"))
        if found.st_size < length:
            raise _NotTaken(_("is shorter than it was: somebody cut or replaced it"))
        data = (text + END).encode()
        if os.write(handle, data) != len(data):
            raise _NotTaken(_("took a part only"))
        os.fsync(handle)
        after, named = os.fstat(handle), path.lstat()
        if (after.st_dev, after.st_ino) != (named.st_dev, named.st_ino):
            raise _NotTaken(_("was replaced while it was written"))
        return after.st_size
    except OSError as error:
        raise _NotTaken(reason(error)) from None
    finally:
        os.close(handle)


def _send(address: str, text: str) -> None:
    """Send one line; unlike the C library's syslog(3), a log that nobody reads is a failure."""
    line = f"<{_NOTICE_OF_USER}>crmctl[{os.getpid()}]: checkpoint {' '.join(text.split())}".encode()
    failure: OSError | None = None
    for kind, end in ((socket.SOCK_DGRAM, b""), (socket.SOCK_STREAM, b"\n")):
        with socket.socket(socket.AF_UNIX, kind) as channel:
            channel.settimeout(5)
            try:
                channel.connect(address)
                channel.sendall(line + end)
            except OSError as error:
                failure = error
            else:
                return
    assert failure is not None
    raise _NotTaken(reason(failure))


def _start(argv: Sequence[str], seconds: int, text: str) -> None:
    """Start a program with the checkpoint on its standard input; no shell, and its output is not kept."""
    quiet = subprocess.DEVNULL
    try:
        done = subprocess.run(  # noqa: S603
            list(argv), input=text.encode(), stdout=quiet, stderr=quiet, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise _NotTaken(_("took longer than {seconds} s").format(seconds=seconds)) from None
    except OSError as error:
        raise _NotTaken(reason(error)) from None
    if done.returncode:
        raise _NotTaken(_("ended with {status}").format(status=done.returncode))
