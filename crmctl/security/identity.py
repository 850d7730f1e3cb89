"""Blind indexes: find who has a mobile number without keeping the number (design §6, security.md 2(b)).

128 bits of HMAC-SHA256 under a key per kind, itself derived from the rotating index key of an epoch. Kinds are small
integers in the database; their names are in the derivation, so that equal values of two kinds give unrelated digests.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

DIGEST_BYTES = 16

# Numbers are stored: add, never renumber.
IDENTITY_KINDS: Mapping[str, int] = {
    "mobile": 1,
    "email": 2,
    "landline": 3,
    "uscc": 4,
    "id_card": 5,
    "external_userid": 6,
    "org_name": 7,
    "external_code": 8,
    "person_name": 9,
    "row": 10,
    "contact_name": 11,
}


class BlindIndex:
    """Digests of one index epoch; picklable, for the sealing process."""

    __slots__ = ("_hashes", "_key", "epoch")

    def __init__(self, key: bytes, epoch: int) -> None:
        self._key = key
        self.epoch = epoch
        self._hashes = {number: _keyed(key, name) for name, number in IDENTITY_KINDS.items()}

    def digest(self, kind: int, value: str) -> bytes:
        """Return the 16-byte look-up digest of a normalised `value`; `kind` is a number of IDENTITY_KINDS."""
        copy_inner, copy_outer = self._hashes[kind]
        inner = copy_inner()
        inner.update(value.encode())
        outer = copy_outer()
        outer.update(inner.digest())
        digest: bytes = outer.digest()[:DIGEST_BYTES]
        return digest

    def __repr__(self) -> str:
        return f"BlindIndex(epoch={self.epoch})"

    def __reduce__(self) -> tuple[Any, ...]:
        return BlindIndex, (self._key, self.epoch)


def _keyed(key: bytes, name: str) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Return copiers of the inner and outer hash of HMAC (RFC 2104), both already past the derived key of a kind."""
    derived = hmac.digest(key, b"bidx|" + name.encode(), "sha256").ljust(64, b"\0")
    inner = sha256(bytes(byte ^ 0x36 for byte in derived))
    outer = sha256(bytes(byte ^ 0x5C for byte in derived))
    return inner.copy, outer.copy
