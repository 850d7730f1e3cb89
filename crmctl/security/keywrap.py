"""Data keys wrapped under a master key: AES-256-GCM, the owner and the epoch in the associated data (security.md 2(a)).

A wrapped key is nonce (12) ‖ ciphertext (32) ‖ tag (16). Wrapping with GCM is 24 times cheaper than RFC 3394 here.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crmctl.errors import IntegrityFailed, KeyMissing
from crmctl.i18n import _
from crmctl.security.sealing import KEY_BYTES, NONCE_BYTES, DataKey, hmac_of_key, lp, owner_label

# Numbers are stored: add, never renumber. What a key can belong to.
OWNER_KINDS: Mapping[str, int] = {"customer": 1, "batch": 2, "document": 3, "staff": 4, "run": 5, "do_not_recreate": 6}
OWNER_NAMES: Mapping[int, str] = {number: name for name, number in OWNER_KINDS.items()}

# NIST SP 800-38D allows 2^32 random nonces under one key; a quarter of that leaves room.
WRAPS_PER_EPOCH = 1 << 30

KeyRow = tuple[int, int, int, bytes, int]  # owner kind, owner, generation, wrapped key, master epoch

_owner_generation = struct.Struct(">QI").pack


class KeyWrapper:
    """Makes, wraps and unwraps keys of one key store; picklable, for the sealing process. Holds the master keys."""

    def __init__(self, instance: bytes, masters: Mapping[int, bytes]) -> None:
        self._instance = instance
        self._masters = dict(masters)
        self.epoch = max(masters)
        self._ciphers: dict[int, AESGCM] = {}
        self._prefixes: dict[tuple[int, str], bytes] = {}

    def __repr__(self) -> str:
        return f"KeyWrapper(epoch={self.epoch})"

    def __reduce__(self) -> tuple[Any, ...]:
        return KeyWrapper, (self._instance, self._masters)

    def new_keys(self, owner_kind: str, ids: Sequence[int]) -> list[DataKey]:
        """Return one fresh random key of generation 1 for each owner."""
        entropy = os.urandom(KEY_BYTES * len(ids))
        return [
            DataKey(owner_kind, owner_id, 1, entropy[at : at + KEY_BYTES])
            for owner_id, at in zip(ids, range(0, len(entropy), KEY_BYTES), strict=True)
        ]

    def wrap(self, keys: Sequence[DataKey]) -> list[KeyRow]:
        """Return the rows that `KeyStore.add` stores, wrapped under the newest master key."""
        entropy = os.urandom(NONCE_BYTES * len(keys))
        encrypt, epoch, rows, at = self._cipher(self.epoch).encrypt, self.epoch, [], 0
        for key in keys:
            nonce = entropy[at : at + NONCE_BYTES]
            at += NONCE_BYTES
            bound = self._prefix(epoch, key.owner_kind) + _owner_generation(key.owner_id, key.generation)
            wrapped = nonce + encrypt(nonce, key.secret, bound)
            rows.append((OWNER_KINDS[key.owner_kind], key.owner_id, key.generation, wrapped, epoch))
        return rows

    def unwrap(self, row: KeyRow) -> DataKey:
        """Return the key of a stored row.

        Raises KeyMissing when its master key is not here, IntegrityFailed when the row was altered or moved.
        """
        kind, owner_id, generation, wrapped, epoch = row
        name = OWNER_NAMES.get(kind, "")
        bound = self._prefix(epoch, name) + _owner_generation(owner_id, generation)
        try:
            secret = self._cipher(epoch).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], bound)
        except (InvalidTag, ValueError):
            raise _altered(name, owner_id) from None
        return DataKey(name, owner_id, generation, secret)

    def unwrap_all(self, rows: Iterable[KeyRow]) -> dict[int, DataKey]:
        """Return owner → key; of several generations the last row wins, so give them in ascending order."""
        return {row[1]: self.unwrap(row) for row in rows}

    def rewrap(self, rows: Sequence[KeyRow]) -> list[KeyRow]:
        """Return stored rows wrapped under the newest master key instead; raises as `unwrap` does."""
        entropy = os.urandom(NONCE_BYTES * len(rows))
        epoch, fresh, at = self.epoch, [], 0
        encrypt = self._cipher(epoch).encrypt
        doors: dict[tuple[int, int], tuple[Any, bytes, bytes]] = {}
        for kind, owner_id, generation, wrapped, old in rows:
            door = doors.get((kind, old))
            if door is None:
                name = OWNER_NAMES.get(kind, "")
                door = self._cipher(old).decrypt, self._prefix(old, name), self._prefix(epoch, name)
                doors[kind, old] = door
            decrypt, before, after = door
            tail = _owner_generation(owner_id, generation)
            try:
                secret = decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], before + tail)
            except (InvalidTag, ValueError):
                raise _altered(OWNER_NAMES.get(kind, ""), owner_id) from None
            nonce = entropy[at : at + NONCE_BYTES]
            at += NONCE_BYTES
            fresh.append((kind, owner_id, generation, nonce + encrypt(nonce, secret, after + tail), epoch))
        return fresh

    def wrap_index(self, secret: bytes, index_epoch: int) -> bytes:
        """Return an index key wrapped under the newest master key."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher(self.epoch).encrypt(nonce, secret, self._index_bound(self.epoch, index_epoch))

    def unwrap_index(self, wrapped: bytes, index_epoch: int, master: int) -> bytes:
        """Return the index key of `index_epoch`; raises as `unwrap` does."""
        bound = self._index_bound(master, index_epoch)
        try:
            return self._cipher(master).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], bound)
        except (InvalidTag, ValueError):
            raise _altered("index", index_epoch) from None

    def proof(self, epoch: int) -> bytes:
        """Return what the key store keeps to tell a wrong master key: a commitment, useless without the key."""
        return master_proof(self._masters[epoch], self._instance, epoch)

    def masters(self) -> Mapping[int, bytes]:
        """Return the master keys by epoch, for a copy of the key store."""
        return self._masters

    def _cipher(self, epoch: int) -> AESGCM:
        cipher = self._ciphers.get(epoch)
        if cipher is None:
            master = self._masters.get(epoch)
            if master is None:
                raise KeyMissing(
                    _("master key {epoch} is missing").format(epoch=epoch),
                    hint=_("put its file back where `crmctl keys status` says"),
                    code="MASTER_MISSING",
                )
            cipher = self._ciphers[epoch] = AESGCM(master)
        return cipher

    def _prefix(self, epoch: int, kind: str) -> bytes:
        prefix = self._prefixes.get((epoch, kind))
        if prefix is None:
            prefix = b"crmctl/v1/wrap" + lp(self._instance) + epoch.to_bytes(4, "big") + lp(kind.encode())
            self._prefixes[epoch, kind] = prefix
        return prefix

    def _index_bound(self, master: int, index_epoch: int) -> bytes:
        return self._prefix(master, "index") + _owner_generation(index_epoch, 1)


def master_proof(master: bytes, instance: bytes, epoch: int) -> bytes:
    """Return HMAC-SHA256 of a master key over its instance and epoch."""
    return hmac_of_key(master, b"crmctl/v1/master" + lp(instance) + epoch.to_bytes(4, "big"))


def _altered(kind: str, number: int) -> IntegrityFailed:
    return IntegrityFailed(
        _("the key of {kind} {number} was altered in the key store").format(kind=owner_label(kind), number=number),
        hint=_("restore the newest copy of the key store"),
        code="KEY_BROKEN",
    )
