"""Seal a value under one owner's data key, bound to the place it belongs to (design §6, security.md 2(a)).

Envelope, the bytes in a column:

    0       0xC1         format
    1       0x01         AES-256-GCM (0x10 is reserved for SM4-GCM)
    2..5    generation   of the data key, big-endian
    6..37   commitment   HMAC-SHA256 of the data key over its owner: says which key, before anything is decrypted
    38..49  nonce        random
    50..    ciphertext ‖ tag (16)

Associated data: bytes 0..5, then instance, table, column and owner, each with its length before it, so that an envelope
moved to another row, column, table or workspace does not open. `object_id` adds one more part where one owner has
several rows of one table (a customer's contacts, a batch's rejected rows).

Nonces are random: a data key seals far fewer than 2^32 values, the bound of NIST SP 800-38D §8.3.
"""

from __future__ import annotations

import hmac
import os
import struct
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crmctl.errors import IntegrityFailed, KeyMissing
from crmctl.i18n import N_, _

FORMAT = 0xC1
AES_256_GCM = 0x01
SM4_GCM = 0x10  # reserved, not written and not read
KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
OVERHEAD = 6 + 32 + NONCE_BYTES + TAG_BYTES
BLOCK = 16

_header = struct.Struct(">BBI").pack
_generation_of = struct.Struct(">I").unpack_from
_owner = struct.Struct(">Q").pack
_owner_generation = struct.Struct(">QI").pack
_inner_pad = bytes(byte ^ 0x36 for byte in range(256))
_outer_pad = bytes(byte ^ 0x5C for byte in range(256))
_inner_rest, _outer_rest = b"\x36" * 32, b"\x5c" * 32
_fresh = sha256().copy


def lp(value: bytes) -> bytes:
    """Return `value` with its length before it (uint16, big-endian), so that joined parts stay apart."""
    return len(value).to_bytes(2, "big") + value


def pad(plaintext: bytes) -> bytes:
    """Return JSON with trailing spaces to a multiple of 16 bytes: the length of a name must not show."""
    return plaintext.ljust(-(-len(plaintext) // BLOCK) * BLOCK)


def hmac_of_key(key: bytes, message: bytes) -> bytes:
    """Return HMAC-SHA256 (RFC 2104) of `message` under a 32-byte `key`; copying a fresh hash is a third cheaper."""
    inner = _fresh()
    inner.update(key.translate(_inner_pad) + _inner_rest + message)
    outer = _fresh()
    outer.update(key.translate(_outer_pad) + _outer_rest + inner.digest())
    return outer.digest()


class _Nonces:
    """Random nonces read from the kernel in blocks; a forked child starts with none, so that no two are ever shared."""

    def __init__(self) -> None:
        self._block: list[bytes] = []
        os.register_at_fork(after_in_child=self._block.clear)

    def take(self) -> bytes:
        try:
            return self._block.pop()
        except IndexError:
            entropy = os.urandom(NONCE_BYTES * 256)
            fresh = [entropy[at : at + NONCE_BYTES] for at in range(0, len(entropy), NONCE_BYTES)]
            nonce = fresh.pop()
            self._block.extend(fresh)
            return nonce


_take_nonce = _Nonces().take


@dataclass(frozen=True, slots=True)
class Place:
    """Where an envelope belongs: table and column."""

    table: str
    column: str
    canonical: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "canonical", lp(self.table.encode()) + lp(self.column.encode()) + b"\x00\x08")


_OWNERS = {
    "customer": N_("customer"),
    "batch": N_("import"),
    "document": N_("document"),
    "staff": N_("staff member"),
    "run": N_("run"),
    "do_not_recreate": N_("do-not-recreate list"),
}


def owner_label(kind: str) -> str:
    """Return what people call the owner of a key, in their language."""
    return _(_OWNERS.get(kind, kind))


class DataKey:
    """One owner's key. `owner_kind` is a word of `keytables.OWNER_KINDS`; the secret is never shown."""

    __slots__ = ("_cipher", "_commitment", "generation", "owner_id", "owner_kind", "secret")

    def __init__(self, owner_kind: str, owner_id: int, generation: int, secret: bytes) -> None:
        self.owner_kind = owner_kind
        self.owner_id = owner_id
        self.generation = generation
        self.secret = secret
        self._commitment: bytes | None = None
        self._cipher: AESGCM | None = None

    @property
    def commitment(self) -> bytes:
        """Return 32 bytes that only this key for this owner yields: AES-GCM alone commits to no key."""
        if self._commitment is None:
            message = b"crmctl/v1/commit" + self.owner_kind.encode() + _owner_generation(self.owner_id, self.generation)
            self._commitment = hmac_of_key(self.secret, message)
        return self._commitment

    @property
    def cipher(self) -> AESGCM:
        """Return the AES-256-GCM object of this key, made once."""
        if self._cipher is None:
            self._cipher = AESGCM(self.secret)
        return self._cipher

    def __repr__(self) -> str:
        return f"DataKey({self.owner_kind!r}, {self.owner_id}, generation={self.generation})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DataKey):
            return NotImplemented
        mine = (self.owner_kind, self.owner_id, self.generation)
        return mine == (other.owner_kind, other.owner_id, other.generation) and hmac.compare_digest(
            self.secret, other.secret
        )

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        return DataKey, (self.owner_kind, self.owner_id, self.generation, self.secret)


class Sealer:
    """Seals and opens for one workspace: `instance` is its 16-byte identifier. Holds no key; may be pickled."""

    __slots__ = ("_bound", "instance")

    def __init__(self, instance: bytes) -> None:
        if len(instance) != 16:
            raise ValueError("an instance identifier has 16 bytes")
        self.instance = instance
        self._bound = lp(instance)

    def __reduce__(self) -> tuple[Any, ...]:
        return Sealer, (self.instance,)

    def seal(
        self, key: DataKey, place: Place, plaintext: bytes, nonce: bytes | None = None, object_id: int = 0
    ) -> bytes:
        """Return `plaintext` sealed under `key` for `place`; only vectors and tests give a `nonce`."""
        header = _header(FORMAT, AES_256_GCM, key.generation)
        if nonce is None:
            nonce = _take_nonce()
        bound = header + self._bound + place.canonical + _owner(key.owner_id)
        if object_id:
            bound += b"\x00\x08" + _owner(object_id)
        commitment = key._commitment or key.commitment
        return header + commitment + nonce + (key._cipher or key.cipher).encrypt(nonce, plaintext, bound)

    def open(self, key: DataKey, place: Place, envelope: bytes, object_id: int = 0) -> bytes:
        """Return the plaintext of `envelope`.

        Raises KeyMissing (KEY_WRONG) when another key sealed it, found before anything is decrypted, and
        IntegrityFailed (SEAL_BROKEN) when it was altered or belongs to another place.
        """
        if len(envelope) < OVERHEAD or envelope[0] != FORMAT or envelope[1] != AES_256_GCM:
            raise _broken(key, place)
        (generation,) = _generation_of(envelope, 2)
        if generation != key.generation or not hmac.compare_digest(envelope[6:38], key.commitment):
            raise _wrong_key(key, place)
        bound = envelope[:6] + self._bound + place.canonical + _owner(key.owner_id)
        if object_id:
            bound += b"\x00\x08" + _owner(object_id)
        try:
            return key.cipher.decrypt(envelope[38:50], envelope[50:], bound)
        except InvalidTag:
            raise _broken(key, place) from None

    def seal_json(self, key: DataKey, place: Place, value: Any, object_id: int = 0) -> bytes:
        """Return `value` sealed as JSON with sorted keys, padded."""
        return self.seal(key, place, pad(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)), None, object_id)

    def open_json(self, key: DataKey, place: Place, envelope: bytes, object_id: int = 0) -> Any:
        """Return the value `seal_json` sealed; raises as `open` does."""
        plaintext = self.open(key, place, envelope, object_id)
        try:
            return orjson.loads(plaintext)
        except orjson.JSONDecodeError:
            raise _broken(key, place) from None


def _broken(key: DataKey, place: Place) -> IntegrityFailed:
    return IntegrityFailed(
        _("{place} of {kind} {number}: the sealed value was altered or does not belong here").format(
            place=f"{place.table}.{place.column}", kind=owner_label(key.owner_kind), number=key.owner_id
        ),
        hint=_("run `crmctl audit verify --rows` to see which rows differ from their log"),
        code="SEAL_BROKEN",
    )


def _wrong_key(key: DataKey, place: Place) -> KeyMissing:
    return KeyMissing(
        _("{place} of {kind} {number}: another key than generation {generation} sealed this value").format(
            place=f"{place.table}.{place.column}",
            kind=owner_label(key.owner_kind),
            number=key.owner_id,
            generation=key.generation,
        ),
        hint=_("check with `crmctl keys status` that the key store belongs to this database"),
        code="KEY_WRONG",
    )
