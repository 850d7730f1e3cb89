"""Sign a log that another account hands over: no workspace, no database, only lines and the signer's own folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from crmctl.audit import signing
from crmctl.audit.entries import MAX_BYTES
from crmctl.audit.following import Position, follow
from crmctl.audit.note import valid_name
from crmctl.audit.signing import Signer
from crmctl.errors import InvalidInput
from crmctl.i18n import _


@dataclass(frozen=True)
class Signed:
    """A signer after it looked at a log: `added` entries are signed that were not before."""

    signer: Signer
    added: int


def default_folder() -> Path:
    """Return where a signer without a workspace lives unless told otherwise: the XDG state folder."""
    state = os.environ.get("XDG_STATE_HOME", "")
    return (Path(state) if Path(state).is_absolute() else Path.home() / ".local" / "state") / "crmctl" / "signer"


def sign(folder: Path, origin: str, log: BinaryIO, *, timeout: float, dry_run: bool = False) -> Signed:
    """Follow the entries in `log` (lines as `audit list --raw` writes them) and sign where they end.

    The folder is made on first use and then needs `origin`; memory stays flat. Raises IntegrityFailed 13 for a log that
    does not extend what was signed here last: nothing is signed then, and nothing kept.
    """
    if dry_run:
        signer = signing.load(folder, origin)
        end = follow(lines(log), signer.signed)
        return Signed(signer, end.size - signer.signed.size)
    if not signing.exists(folder) and not valid_name(origin):
        raise InvalidInput(
            _("{folder}: no signer here yet, and no name of the log to sign").format(folder=folder),
            hint=_("give --origin NAME: what `origin` of policies/audit.yaml says, else crmctl/INSTANCE"),
            code="ORIGIN_MISSING",
        )
    signing.make_place(folder)
    with signing.held(folder, timeout):
        signer = signing.load(folder, origin) if signing.exists(folder) else signing.make(folder, origin)
        end = follow(lines(log), signer.signed)
        added = end.size - signer.signed.size
        return Signed(signer.sign(end) if added else signer, added)


def position(folder: Path) -> Position:
    """Return how far the signer in `folder` signed; the beginning where there is none yet."""
    return signing.load(folder).signed if signing.exists(folder) else Position()


def lines(log: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a log. A longer one than an entry can be comes cut short, as a line that is no entry."""
    while line := log.readline(MAX_BYTES + 2):
        yield line.removesuffix(b"\n")
