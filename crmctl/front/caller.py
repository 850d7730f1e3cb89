"""The front: runs as the caller, opens the caller's files, has the service account do the work.

It is no part of what keeps data safe: whoever writes a front of their own gets no further than with this one. What it
opens and writes, it does with the caller's rights, so that the service account never follows a name the caller gives.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar

from crmctl import files
from crmctl.errors import PermissionMissing
from crmctl.front import BEHIND_FRONT, folder, wire
from crmctl.front.registry import Entry
from crmctl.i18n import _

_LOOK = 0.2  # seconds between looks whether the other side has ended without hanging up


@dataclass(frozen=True, slots=True)
class Crossing:
    """One file the command line names: which value of which parameter, the name given, how it is used."""

    parameter: str
    position: int
    name: str
    use: str


class _NotWritten(Exception):
    """The service account did not write this file; it gets no name."""


@dataclass(frozen=True, slots=True)
class Front:
    """A caller's call of a workspace that belongs to a service account."""

    entry: Entry
    arguments: tuple[str, ...]
    service: ClassVar[bool] = False

    @property
    def workspace(self) -> str:
        """The folder of the workspace, which the caller cannot look into."""
        return self.entry.workspace

    def pass_on(self, crossings: Sequence[Crossing]) -> int:
        """Have the service account run the command with these files; return its exit status.

        Raises InvalidInput for a file that the caller cannot read, Refused for one that exists and would be written,
        StorageFailed where it cannot be, PermissionMissing where sudo lets nobody through.
        """
        numbers = [0]  # standard input comes first
        heard: set[int] = set()
        with contextlib.ExitStack() as stack:
            for number, crossing in enumerate(crossings, start=1):
                stack.enter_context(_opened(crossing, number, numbers, heard))
            return _spoken(self, crossings, numbers, heard)


@contextlib.contextmanager
def _opened(crossing: Crossing, number: int, numbers: list[int], heard: set[int]) -> Iterator[None]:
    """Open a file as the caller; when the block ends, one that was written gets its name, any other none."""
    path = Path(crossing.name)
    if crossing.use not in (wire.WRITE, wire.FOLDER):
        with files.open_input(path) as source:
            numbers.append(source.fileno())
            yield
        return
    output = folder.unpacked(path) if crossing.use == wire.FOLDER else files.atomic_output(path)
    with contextlib.suppress(_NotWritten), output as target:
        numbers.append(target.fileno())
        yield
        if number not in heard:
            raise _NotWritten


def _spoken(front: Front, crossings: Sequence[Crossing], numbers: Sequence[int], heard: set[int]) -> int:
    """Start the other side, send it the message, note in `heard` which files are whole; return its exit status."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ours:
        with theirs:
            child = _started(front.entry, theirs)
        greeted = False
        with _signals_go_on(ours):
            with contextlib.suppress(OSError):  # the other side is gone; its exit status says why
                wire.send(ours, _message(front, crossings), numbers)
            greeted = _listened(ours, child, heard)
            status = child.wait()
    if not greeted:
        raise PermissionMissing(
            _("{workspace}: sudo does not let you through to {service} (exit {status})").format(
                workspace=front.workspace, service=front.entry.service, status=status
            ),
            hint=_("the administrator adds you to the group that sudoers names; see docs/broker.md"),
            code="BROKER_CLOSED",
        )
    return status if status >= 0 else 128 - status


def _started(entry: Entry, theirs: socket.socket) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(entry.command(BEHIND_FRONT), stdin=theirs.fileno(), cwd="/")
    except OSError:
        raise PermissionMissing(
            _("{path}: cannot be run").format(path=entry.sudo),
            hint=_("install sudo, or correct the file in /etc/crmctl"),
            code="BROKER_CLOSED",
        ) from None


def _message(front: Front, crossings: Sequence[Crossing]) -> dict[str, Any]:
    lent = [asdict(crossing) for crossing in crossings]
    return {
        "workspace": front.workspace,
        "arguments": list(front.arguments),
        "environment": {name: os.environ[name] for name in wire.PASSED_ON if name in os.environ},
        "files": lent,
    }


def _listened(ours: socket.socket, child: subprocess.Popen[bytes], heard: set[int]) -> bool:
    """Note which files are whole until the other side hangs up or ends; say whether it has spoken at all."""
    said = b""
    with contextlib.suppress(OSError):
        while True:
            ended = child.poll() is not None  # then what it said is there already, whoever still holds the line
            if select.select([ours], [], [], 0 if ended else _LOOK)[0]:
                piece = ours.recv(4096)
                said += piece
                if not piece:
                    break
            elif ended:
                break
    for line in said.split(b"\n"):
        word, _space, number = line.partition(b" ")
        if word == b"written" and number.isdigit():
            heard.add(int(number))
    return said.startswith(wire.HELLO)


@contextlib.contextmanager
def _signals_go_on(ours: socket.socket) -> Iterator[None]:
    """Hand SIGTERM on by hanging up, since a caller may signal nothing of root's; Ctrl-C reaches both sides anyway."""

    def hang_up(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGTERM or not sys.stderr.isatty():
            with contextlib.suppress(OSError):
                ours.shutdown(socket.SHUT_WR)

    before = {number: signal.signal(number, hang_up) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
