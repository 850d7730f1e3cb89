"""What a backup says of itself: MANIFEST.json, canonical, so that one hash stands for the whole set.

A set is a folder: the manifest, MANIFEST.note where it was signed on the spot, and the parts that the manifest names
with size and SHA-256. Whoever signs the manifest's hash has signed every byte.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from crmctl.errors import IntegrityFailed, InvalidInput
from crmctl.i18n import _

FILE, NOTE = "MANIFEST.json", "MANIFEST.note"
SCHEMA = "crmctl/backup/1"
DATA: Final = "data"
KEYS: Final = "keys"
_LONGEST = 1 << 20
_PART = re.compile(r"[a-z][a-z0-9.-]{0,40}\Z")
_HEX = re.compile(r"[0-9a-f]{64}\Z")
_FIELDS = {
    "schema": str, "kind": str, "name": str, "instance": str, "revision": str, "made_at": str, "database": str,
    "counts": dict, "log": dict, "checkpoint": str, "parts": list, "master_epochs": list, "policy": str,
    "program": str, "recipients": list,
}  # fmt: skip

Kind = Literal["data", "keys"]


class Part(NamedTuple):
    """One file of a set: its name, what it is (database, workspace, keys), bytes, SHA-256 in hex."""

    name: str
    role: str
    bytes: int
    sha256: str


class LogHead(NamedTuple):
    """The log a set holds: number of entries, RFC 6962 root and newest leaf in hex."""

    size: int
    root: str
    last_leaf: str


@dataclass(frozen=True)
class Manifest:
    """What a set holds. `counts` are rows by table, of a keys set keys by kind of owner.

    `checkpoint` is the newest trusted note of the log, empty where there is none; `master_epochs` are those that wrap
    the keys, `recipients` the public keys it is sealed to: none, it is not sealed.
    """

    kind: Kind
    name: str
    instance: str
    revision: str
    made_at: str
    database: str
    counts: Mapping[str, int]
    log: LogHead
    checkpoint: str
    parts: tuple[Part, ...]
    master_epochs: tuple[int, ...]
    policy: str
    program: str
    recipients: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes of all parts."""
        return sum(part.bytes for part in self.parts)

    def part(self, role: str) -> Part:
        """Return the part of a role. Raises IntegrityFailed when there is none."""
        for part in self.parts:
            if part.role == role:
                return part
        raise broken(self.name, _("it names no part `{role}`").format(role=role))

    def to_bytes(self) -> bytes:
        """Return the exact bytes of the file: ASCII, sorted keys, no spaces."""
        document = {"schema": SCHEMA, **{name: getattr(self, name) for name in _FIELDS if name != "schema"}}
        document["log"] = self.log._asdict()
        document["parts"] = [part._asdict() for part in self.parts]
        return (json.dumps(document, sort_keys=True, separators=(",", ":")) + "\n").encode("ascii")


class BackupSet(NamedTuple):
    """A set as it lies on disk: its folder, what its manifest says, SHA-256 of the manifest, its note or ""."""

    folder: Path
    manifest: Manifest
    digest: bytes
    note: str


def read(folder: Path) -> BackupSet:
    """Return the set in `folder`; its parts are not read yet.

    Raises InvalidInput when there is none, IntegrityFailed when its manifest is not one.
    """
    data = _contents(folder / FILE, folder)
    note = ""
    if os.path.lexists(folder / NOTE):
        note = _contents(folder / NOTE, folder).decode("utf-8", "replace")
    return BackupSet(folder, parse(data, str(folder)), sha256(data).digest(), note)


def parse(data: bytes, where: str) -> Manifest:
    """Return what the bytes of a manifest say. Raises IntegrityFailed for anything that `to_bytes` did not write."""
    try:
        document = json.loads(data)
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            raise ValueError("schema")
        found = _built(document)
    except (ValueError, KeyError, TypeError):
        raise broken(where, _("its manifest cannot be read")) from None
    if found.to_bytes() != data:
        raise broken(where, _("its manifest is not as it was written"))
    return found


def _built(document: dict[str, Any]) -> Manifest:
    if document.keys() != _FIELDS.keys() or any(type(document[name]) is not kind for name, kind in _FIELDS.items()):
        raise ValueError("fields")
    parts = tuple(Part(**part) for part in document["parts"])
    names = [part.name for part in parts]
    if not parts or len(set(names)) != len(names) or not all(map(_sound, parts)):
        raise ValueError("parts")
    if document["kind"] not in (DATA, KEYS):
        raise ValueError("kind")
    return Manifest(
        **{name: document[name] for name in _FIELDS if name not in ("schema", "log", "parts")}
        | {"master_epochs": tuple(document["master_epochs"]), "recipients": tuple(document["recipients"])},
        log=LogHead(**document["log"]),
        parts=parts,
    )


def _sound(part: Part) -> bool:
    sizes = type(part.bytes) is int and part.bytes >= 0
    return sizes and bool(_PART.match(part.name) and _HEX.match(part.sha256)) and isinstance(part.role, str)


def _contents(path: Path, folder: Path) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        raise InvalidInput(
            _("{path}: no backup is here (no {file} that can be read)").format(path=folder, file=FILE),
            hint=_("give the folder of a set, or its number: crmctl backup list"),
            code="BACKUP_UNKNOWN",
        ) from None
    with os.fdopen(handle, "rb") as stream:
        return stream.read(_LONGEST)


def broken(where: str, reason: str) -> IntegrityFailed:
    """Return the error of a set that is not as it was made."""
    return IntegrityFailed(
        _("{where}: the backup is not whole: {reason}").format(where=where, reason=reason),
        hint=_("take another set; make a new one: crmctl backup create"),
        code="BACKUP_BROKEN",
    )
