"""Signed notes and checkpoints as C2SP defines them (c2sp.org/signed-note, c2sp.org/tlog-checkpoint), Ed25519 only.

A note is text, a blank line, and signature lines; a checkpoint is a note whose text is three lines: whose log it is
(origin), how many entries, their root. Anybody may add signature lines of other keys and types: they are ignored, never
believed. Knows no database and no files, and loads the cryptographic library only to sign or verify.

    crm.example.cn/audit/prod
    41207
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

    — crm.example.cn/audit/prod Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE…
"""

from __future__ import annotations

import base64
import binascii
import re
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ED25519 = b"\x01"  # the type of signature, in key ids and verifier keys
KEY_SIZE = 32
MAX_CHARACTERS = 1 << 20  # of a note: a hundred signatures of the largest kind there is are half of it
MAX_SIGNATURES = 100
_DASH = "\N{EM DASH} "
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_KEY_ID = re.compile(r"[0-9a-f]{8}", re.ASCII)
_SPKI = bytes.fromhex("302a300506032b6570032100")  # what precedes an Ed25519 public key in a DER file (RFC 8410)


class Signature(NamedTuple):
    """One signature line: the key's name and id (4 bytes), and what it signed the text with."""

    name: str
    key_id: bytes
    signature: bytes


class Note(NamedTuple):
    """A note taken apart; nothing of it is verified."""

    text: str
    signatures: tuple[Signature, ...]


class VerifierKey(NamedTuple):
    """A public key with the name it signs under."""

    name: str
    key_id: bytes
    public: bytes

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(ED25519 + self.public).decode()}"


class Checkpoint(NamedTuple):
    """What the text of a checkpoint says: the log's origin, its number of entries, their root (32 bytes)."""

    origin: str
    size: int
    root: bytes


def checkpoint_text(origin: str, size: int, root: bytes) -> str:
    """Return the text to sign. Raises ValueError for what would not be read back as the same checkpoint."""
    text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
    if parse_checkpoint(text) != (origin, size, root):
        raise ValueError("checkpoint: not of its form")
    return text


def parse_checkpoint(text: str) -> Checkpoint:
    """Return what a note's text says. Raises ValueError unless it is three lines: extension lines are not accepted."""
    lines = text.split("\n")
    if len(lines) != 4 or lines[3] or not lines[0] or _CONTROL.search(text):
        raise ValueError("checkpoint: not three lines")
    origin, size, root = lines[:3]
    if not _SIZE.fullmatch(size):
        raise ValueError("checkpoint: the size is no number")
    decoded = _decoded(root)
    if len(decoded) != KEY_SIZE:
        raise ValueError("checkpoint: the root is not of 32 bytes")
    return Checkpoint(origin, int(size), decoded)


def valid_name(name: str) -> bool:
    """Say whether `name` may name a key: not empty, no spaces of any script, no +, nothing that controls a terminal."""
    return bool(name) and "+" not in name and name.isprintable() and not any(map(str.isspace, name))


def key_id(name: str, public: bytes) -> bytes:
    """Return the four bytes that a signature line names the key by."""
    return sha256(name.encode() + b"\n" + ED25519 + public).digest()[:4]


def vkey(name: str, public_key: bytes) -> str:
    """Return the verifier key, `name+id+base64`, of 32 public bytes. Raises ValueError for what cannot name a key."""
    if not valid_name(name) or len(public_key) != KEY_SIZE:
        raise ValueError("verifier key: not of its form")
    return str(VerifierKey(name, key_id(name, public_key), public_key))


def parse_vkey(text: str) -> VerifierKey:
    """Return a verifier key. Raises ValueError for one that is damaged, or not of an Ed25519 key."""
    name, number, encoded = [*text.split("+", 2), "", ""][:3]
    decoded = _decoded(encoded)
    if not valid_name(name) or not _KEY_ID.fullmatch(number) or len(decoded) != 1 + KEY_SIZE or decoded[:1] != ED25519:
        raise ValueError("verifier key: not of its form")
    key = VerifierKey(name, key_id(name, decoded[1:]), decoded[1:])
    if key.key_id.hex() != number:
        raise ValueError("verifier key: its id is another key's")
    return key


def pem(key: VerifierKey) -> str:
    """Return the public key as a PEM file, for openssl."""
    return f"-----BEGIN PUBLIC KEY-----\n{base64.b64encode(_SPKI + key.public).decode()}\n-----END PUBLIC KEY-----\n"


def sign(text: str, name: str, private_key: Ed25519PrivateKey) -> str:
    """Return `text` as a note signed by one key. Raises ValueError for what could not be read back as a note."""
    public = private_key.public_key().public_bytes_raw()
    signature = private_key.sign(text.encode())
    encoded = base64.b64encode(key_id(name, public) + signature).decode()
    note = f"{text}\n{_DASH}{name} {encoded}\n"
    if parse(note).text != text:
        raise ValueError("note: not of its form")
    return note


def parse(note: str) -> Note:
    """Return a note taken apart, its text still to be verified. Raises ValueError when it is not of the form."""
    if len(note) > MAX_CHARACTERS or _CONTROL.search(note):
        raise ValueError("note: too long, or with control characters")
    note.encode()  # lone surrogates are no text
    text, blank, lines = note.rpartition("\n\n")
    if not blank or not lines.endswith("\n"):
        raise ValueError("note: without signature lines")
    signatures = tuple(map(_signature, lines[:-1].split("\n")))
    if len(signatures) > MAX_SIGNATURES:
        raise ValueError("note: too many signatures")
    return Note(text + "\n", signatures)


def verify(note: str, key: str | VerifierKey) -> bool:
    """Say whether `key` signed the note: a line of that key is there, and every line of it verifies.

    Lines of other keys are ignored, also of the same name or the same id. A note that is none was signed by nobody.
    Raises ValueError for a `key` that is not one.
    """
    known = parse_vkey(key) if isinstance(key, str) else key
    try:
        text, signatures = parse(note)
    except ValueError:
        return False
    own = [line.signature for line in signatures if (line.name, line.key_id) == (known.name, known.key_id)]
    return bool(own) and all(_verified(known.public, signature, text.encode()) for signature in own)


def _verified(public: bytes, signature: bytes, text: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, text)
    except InvalidSignature:
        return False
    return True


def _signature(line: str) -> Signature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    decoded = _decoded(encoded)
    if not line.startswith(_DASH) or not space or not valid_name(name) or len(decoded) < 5:
        raise ValueError("note: a signature line is not of its form")
    return Signature(name, decoded[:4], decoded[4:])


def _decoded(text: str) -> bytes:
    """Return what base64 `text` encodes, written in the one way there is. Raises ValueError for anything else."""
    try:
        found = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise ValueError("not base64") from None
    if base64.b64encode(found).decode() != text:
        raise ValueError("not base64")
    return found
