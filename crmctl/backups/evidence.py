"""Who vouches for a set: the audit signer by a note beside it, or the log, whose entry names the manifest's hash.

A note is signed under a name of its own (ORIGIN/backup), so that none can be taken for a checkpoint:

    crm.example.cn/audit/backup
    sha256 2f0c…

Where the signer is another account's, the entry of `backup create` holds the hash and the next checkpoint signs that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import orjson
from sqlalchemy import Connection, select

from crmctl.audit import checkpoints, note, signing
from crmctl.audit.tables import audit_entry

if TYPE_CHECKING:
    from crmctl.audit.policy import AuditSettings
    from crmctl.backups.manifest import BackupSet
    from crmctl.workspace import Workspace

ACTS = ("backup.create", "backup.verify", "backup.remove")
SIGNED, ENTERED, WAITING, NOBODY = "signed", "entered", "waiting", "nobody"
_TAIL = "/backup"

Voucher = Literal["signed", "entered", "waiting", "nobody"]


class Vouched(NamedTuple):
    """Who vouches: `signed` by a note, `entered` in the signed part of the log, `waiting` in the rest, `nobody`."""

    by: Voucher
    entry: int | None = None


def sign(place: Workspace, settings: AuditSettings, digest: bytes) -> str:
    """Return a note over a manifest's hash; "" where this process may not read the signer, or there is none yet."""
    if not signing.readable(place.signer):
        return ""
    signer = signing.load(place.signer, checkpoints.origin_of(place, settings))
    name = signer.origin + _TAIL
    return note.sign(_text(name, digest), name, signer.key)


def noted(found: BackupSet, vkeys: Sequence[str]) -> bool:
    """Say whether one of the signers `vkeys` signed exactly this manifest. A note that says otherwise is none."""
    for key in map(note.parse_vkey, vkeys):
        name = key.name + _TAIL
        own = note.VerifierKey(name, note.key_id(name, key.public), key.public)
        if note.verify(found.note, own) and note.parse(found.note).text == _text(name, found.digest):
            return True
    return False


def vouched(conn: Connection, place: Workspace, settings: AuditSettings, found: BackupSet, run: int | None) -> Vouched:
    """Return who vouches for a set; `run` is the one that made it, as the register says."""
    if noted(found, checkpoints.signers_of(place, settings)):
        return Vouched("signed")
    number = None if run is None else _entry_of(conn, run, found)
    if number is None:
        return Vouched("nobody")
    signed = checkpoints.newest(conn, checkpoints.trust_of(place, settings))
    return Vouched("entered" if signed is not None and number < signed.size else "waiting", number)


def _entry_of(conn: Connection, run: int, found: BackupSet) -> int | None:
    """Return the number of the entry in which that run named the hash: it comes after all that the set holds."""
    columns, digest = audit_entry.c, found.digest.hex()
    later = select(columns.seq, columns.body).where(columns.seq >= found.manifest.log.size)
    mark = f'"source":"{digest}"'
    for seq, body in conn.execute(later.where(columns.body.contains(mark, autoescape=True)).order_by(columns.seq)):
        entry = orjson.loads(body)
        if (entry.get("act"), entry.get("run"), entry.get("source")) == (ACTS[0], run, digest):
            return int(seq)
    return None


def _text(name: str, digest: bytes) -> str:
    return f"{name}\nsha256 {digest.hex()}\n"
