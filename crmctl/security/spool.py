"""Standard input kept, sealed, until its batch ends, so that an interrupted import can be finished (design §8).

File: magic (8) ‖ generation (4) ‖ commitment of the key (32) ‖ file number (16), then segments of 1 MiB of plaintext,
each nonce (12) ‖ ciphertext ‖ tag (16). A segment's associated data are the file's head, the workspace, its own number
and whether it is the last: segments cannot be moved, exchanged or cut off. Reading and writing take flat memory.
"""

from __future__ import annotations

import hmac
import io
import os
import struct
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from cryptography.exceptions import InvalidTag

from crmctl.errors import IntegrityFailed, KeyMissing
from crmctl.files import atomic_output, open_input
from crmctl.i18n import _
from crmctl.security.sealing import NONCE_BYTES, TAG_BYTES, DataKey, Sealer, lp, owner_label

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

SEGMENT = 1 << 20  # bytes of plaintext
_MAGIC = b"CRMSPL\x01\x01"
_head = struct.Struct(">8sI32s16s")
_stored = NONCE_BYTES + SEGMENT + TAG_BYTES
_position = struct.Struct(">Q?").pack


def write_spool(path: Path, stream: BinaryIO, key: DataKey, sealer: Sealer) -> tuple[str, int]:
    """Seal all of `stream` into the new owner-only file `path`; return the plaintext's SHA-256 (hex) and its bytes.

    The file appears whole or not at all. Raises Refused when it exists, StorageFailed when the disk refuses.
    """
    head = _head.pack(_MAGIC, key.generation, key.commitment, os.urandom(16))
    bound, digest, size, index = head + lp(sealer.instance), sha256(), 0, 0
    with atomic_output(path) as out:
        out.write(head)
        segment = _exactly(stream)
        while True:
            following = _exactly(stream) if len(segment) == SEGMENT else b""
            nonce = os.urandom(NONCE_BYTES)
            out.write(nonce + key.cipher.encrypt(nonce, segment, bound + _position(index, not following)))
            digest.update(segment)
            size += len(segment)
            if not following:
                return digest.hexdigest(), size
            segment, index = following, index + 1


def open_spool(path: Path, key: DataKey, sealer: Sealer) -> BinaryIO:
    """Open a spool for reading; seekable. Its end is checked now, every other segment when it is read.

    Raises KeyMissing (KEY_WRONG) when another key sealed it, IntegrityFailed (SPOOL_BROKEN) when it was altered or cut.
    """
    return cast("BinaryIO", io.BufferedReader(_SpoolReader(path, key, sealer), SEGMENT))


def _exactly(stream: BinaryIO) -> bytes:
    """Read a whole segment, or what is left: a pipe gives what it has."""
    parts, wanted = [], SEGMENT
    while wanted:
        part = stream.read(wanted)
        if not part:
            break
        parts.append(part)
        wanted -= len(part)
    return b"".join(parts)


class _SpoolReader(io.RawIOBase):
    """Decrypts the segment a position falls into and keeps that one."""

    def __init__(self, path: Path, key: DataKey, sealer: Sealer) -> None:
        self._path, self._key = path, key
        self._file = open_input(path)
        try:
            head = self._file.read(_head.size)
            self._bound = head + lp(sealer.instance)
            self._check_head(head)
            body = os.fstat(self._file.fileno()).st_size - _head.size
            self._last, rest = divmod(body - 1, _stored)
            if body < NONCE_BYTES + TAG_BYTES or rest + 1 < NONCE_BYTES + TAG_BYTES:
                raise self._broken()
            self._size = self._last * SEGMENT + rest + 1 - NONCE_BYTES - TAG_BYTES
            self._at, self._index, self._segment = 0, -1, b""
            self._load(self._last)
        except BaseException:
            self._file.close()
            raise

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("negative position")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        if self._at >= self._size:
            return 0
        index, skip = divmod(self._at, SEGMENT)
        self._load(index)
        view = memoryview(buffer).cast("B")
        part = self._segment[skip : skip + len(view)]
        view[: len(part)] = part
        self._at += len(part)
        return len(part)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
            self._segment = b""
        super().close()

    def _check_head(self, head: bytes) -> None:
        if len(head) != _head.size or not head.startswith(_MAGIC):
            raise self._broken()
        _magic, generation, commitment, _number = _head.unpack(head)
        if generation != self._key.generation or not hmac.compare_digest(commitment, self._key.commitment):
            raise KeyMissing(
                _("{path}: another key than that of {kind} {number} sealed it").format(
                    path=self._path, kind=owner_label(self._key.owner_kind), number=self._key.owner_id
                ),
                hint=_("check with `crmctl keys status` that the key store belongs to this database"),
                code="KEY_WRONG",
            )

    def _load(self, index: int) -> None:
        if index == self._index:
            return
        self._file.seek(_head.size + index * _stored)
        stored = self._file.read(_stored)
        bound = self._bound + _position(index, index == self._last)
        try:
            self._segment = self._key.cipher.decrypt(stored[:NONCE_BYTES], stored[NONCE_BYTES:], bound)
        except (InvalidTag, ValueError):
            raise self._broken() from None
        self._index = index

    def _broken(self) -> IntegrityFailed:
        return IntegrityFailed(
            _("{path}: the sealed copy of the input was altered or cut off").format(path=self._path),
            hint=_("give the original file again"),
            code="SPOOL_BROKEN",
        )
