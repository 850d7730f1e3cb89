"""The signer: a folder with the key that signs checkpoints and the state of the log it signed last.

The folder is the signer's own, owner-only, apart from the database: what is put back or rewritten there does not fit
the state here, and is not signed (security.md 2(d)). It may belong to an account that never opens the database.

    signer.key    private key, PEM, 0400
    signer.vkey   verifier key, to be named in audit.yaml
    state.json    origin, how far the log was signed, the newest checkpoint
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmctl.audit import note
from crmctl.audit.following import Position
from crmctl.errors import IntegrityFailed, InvalidInput, KeyMissing
from crmctl.files import OWNER_FOLDER, atomic_output, storage_failure, write_text
from crmctl.i18n import _
from crmctl.security import locks
from crmctl.security.keyfiles import check_folder, read_private

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY, PUBLIC, STATE = "signer.key", "signer.vkey", "state.json"
SCHEMA = "crmctl/signer/1"
_LONGEST_KEY = 4096
_LONGEST_STATE = 4 << 20


@dataclass(frozen=True)
class Signer:
    """An opened signer: its key, the log it signs, how far it signed it, and the checkpoint that says so."""

    folder: Path
    origin: str
    key: Ed25519PrivateKey
    signed: Position
    note: str

    @property
    def vkey(self) -> str:
        """The verifier key."""
        return note.vkey(self.origin, self.key.public_key().public_bytes_raw())

    def sign(self, position: Position) -> Signer:
        """Return the signer with a checkpoint of `position`, kept durably before anybody sees it.

        `position` must have been followed from `signed`. Raises StorageFailed when it cannot be kept.
        """
        text = note.checkpoint_text(self.origin, position.size, position.root)
        done = replace(self, signed=position, note=note.sign(text, self.origin, self.key))
        _write_state(done.folder, done.origin, position, done.note)
        return done


@contextlib.contextmanager
def held(folder: Path, timeout: float) -> Iterator[None]:
    """Keep a second process from signing in this folder; waits `timeout` seconds. Raises Locked."""
    with locks.hold("signer", workspace=folder, timeout=timeout, holder=f"pid {os.getpid()}"):
        yield


def exists(folder: Path) -> bool:
    """Say whether a signer is here, however damaged: none is made over it. One begun that never got its key is none."""
    if os.path.lexists(folder / KEY):
        return True
    try:
        return int(json.loads((folder / STATE).read_bytes())["size"]) > 0
    except FileNotFoundError:
        return False
    except (OSError, ValueError, TypeError, KeyError):
        return True


def readable(folder: Path) -> bool:
    """Say whether this account can read a signer here."""
    return os.access(folder / KEY, os.R_OK) and os.access(folder / STATE, os.R_OK)


def make_place(folder: Path) -> None:
    """Make the signer's folder, owner-only, where there is none. Raises KeyMissing for one that others may enter."""
    try:
        folder.mkdir(mode=OWNER_FOLDER, parents=True, exist_ok=True)
    except OSError as error:
        raise storage_failure(folder, error) from error
    check_folder(folder)


def make(folder: Path, origin: str) -> Signer:
    """Make a key and an empty state in an existing folder. The key comes last: without it nothing was signed."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = Ed25519PrivateKey.generate()
    made = Signer(folder, origin, key, Position(), "")
    _write_state(folder, origin, made.signed, "")
    write_text(folder / PUBLIC, made.vkey + "\n", replace=True)
    with atomic_output(folder / KEY, mode=0o400) as stream:
        stream.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return made


def load(folder: Path, origin: str = "") -> Signer:
    """Open the signer in `folder`, which must sign the log `origin` where that is given.

    Raises KeyMissing when it is missing or open to others, IntegrityFailed when its state is gone or not its own,
    InvalidInput when it signs another log.
    """
    check_folder(folder)
    key = _read_key(folder / KEY)
    document = _read_state(folder / STATE)
    own, text = str(document.get("origin", "")), str(document.get("note", ""))
    if origin and own and own != origin:
        raise InvalidInput(
            _("{folder}: signs the log {own}, not {origin}").format(folder=folder, own=own, origin=origin),
            hint=_("correct the origin; a log of another name needs a signer of its own"),
            code="ORIGIN_DIFFERS",
        )
    try:
        found = Signer(folder, own, key, Position.read(document), text)
        _check(found)
    except (KeyError, ValueError):
        raise _state_broken(folder) from None
    return found


def _check(signer: Signer) -> None:
    """Raise ValueError unless the state is what this key signed last."""
    if signer.signed.size == 0 and not signer.note and note.valid_name(signer.origin):
        return
    said = note.parse_checkpoint(note.parse(signer.note).text)
    if said != (signer.origin, signer.signed.size, signer.signed.root) or not note.verify(signer.note, signer.vkey):
        raise ValueError("state: not what was signed")


def _read_key(path: Path) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if not os.path.lexists(path):
        raise KeyMissing(
            _("{path}: the key that signs checkpoints is missing").format(path=path),
            hint=_("mount or restore the signer's folder; crmctl audit checkpoint makes one where there is none"),
            code="SIGNER_MISSING",
        )
    try:
        key = load_pem_private_key(read_private(path, _LONGEST_KEY), None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyMissing(
            _("{path}: does not hold an Ed25519 key").format(path=path),
            hint=_("restore the signer's folder"),
            code="SIGNER_INVALID",
        )
    return key


def _read_state(path: Path) -> dict[str, Any]:
    if not os.path.lexists(path):
        raise _state_broken(path.parent)
    try:
        found = json.loads(read_private(path, _LONGEST_STATE))
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        raise _state_broken(path.parent)
    return found


def _write_state(folder: Path, origin: str, position: Position, text: str) -> None:
    document = {"schema": SCHEMA, "origin": origin, **position.document(), "note": text}
    write_text(folder / STATE, json.dumps(document, indent=1) + "\n", replace=True)


def _state_broken(folder: Path) -> IntegrityFailed:
    return IntegrityFailed(
        _("{folder}: what was signed last is missing or damaged; nothing was signed").format(folder=folder),
        hint=_("restore {name} from a copy; without it nobody can say whether the log was rolled back").format(
            name=STATE
        ),
        code="SIGNER_STATE",
    )
