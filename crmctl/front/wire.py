"""What passes between the front and the service account: one message with open files, then lines back.

The front's side of a socket pair becomes the other side's standard input, which sudo hands on; descriptors above it
sudo closes, so open files travel in the message (SCM_RIGHTS).
"""

from __future__ import annotations

import array
import contextlib
import json
import os
import socket
import struct
from collections.abc import Sequence
from typing import Any

VERSION = 1
READ, WRITE, STREAM = "read", "write", "stream"  # what a file is for; the streamed one becomes standard input
FOLDER = "folder"  # to be written, and carried in one file
USES = (READ, WRITE, STREAM, FOLDER)
PASSED_ON = ("LANG", "LC_ALL", "LC_MESSAGES", "LANGUAGE", "CRMCTL_LANG", "NO_COLOR", "TERM", "COLUMNS")  # variables
HELLO = b"hello\n"
_LENGTH = struct.Struct(">I")
_MOST_BYTES = 4 << 20  # more than a command line can hold
_MOST_FILES = 64
_PEER = struct.Struct("3i")  # pid, uid, gid


class Garbled(Exception):
    """The other side does not speak this protocol."""


def send(line: socket.socket, message: dict[str, Any], descriptors: Sequence[int]) -> None:
    """Send a message with open files. Raises OSError where nobody takes it."""
    body = json.dumps({"version": VERSION, **message}).encode("ascii")
    if len(descriptors) > _MOST_FILES:
        raise Garbled("too many files")
    socket.send_fds(line, [_LENGTH.pack(len(body))], list(descriptors))
    line.sendall(body)


def receive(line: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Return the message and its open files, which no child inherits. Raises Garbled for anything else."""
    files: list[int] = []
    try:
        head = _read(line, _LENGTH.size, files)
        (length,) = _LENGTH.unpack(head)
        if length > _MOST_BYTES:
            raise Garbled("too long")
        message = json.loads(_read(line, length, files))
        if not isinstance(message, dict) or message.get("version") != VERSION:
            raise Garbled("another version")
    except (OSError, ValueError, RecursionError, Garbled) as error:
        for descriptor in files:
            os.close(descriptor)
        raise Garbled(type(error).__name__) from None
    return message, files


def _read(line: socket.socket, size: int, files: list[int]) -> bytes:
    """Return exactly `size` bytes; what files come along are put into `files`."""
    found = b""
    room = socket.CMSG_SPACE(_MOST_FILES * array.array("i").itemsize)
    while len(found) < size:
        data, extra, flags, _address = line.recvmsg(min(size - len(found), 1 << 16), room, socket.MSG_CMSG_CLOEXEC)
        for level, kind, packed in extra:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                numbers = array.array("i")
                numbers.frombytes(packed[: len(packed) - len(packed) % numbers.itemsize])
                files.extend(numbers)
        if not data or flags & socket.MSG_CTRUNC:
            raise Garbled("cut off")
        found += data
    return found


def caller_of(line: socket.socket) -> int:
    """Return the uid that made the socket pair, as the kernel noted it then."""
    _pid, uid, _gid = _PEER.unpack(line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    return int(uid)


def written(number: int) -> bytes:
    """Return the line that says a file is whole."""
    return b"written %d\n" % number


def tell(line: socket.socket, words: bytes) -> None:
    """Send a line; a front that is gone hears nothing."""
    with contextlib.suppress(OSError):
        line.sendall(words)
