"""What a restore was asked for and what came of it; the files of the new workspace."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmctl.backups import newlog
from crmctl.clock import now
from crmctl.files import make_folder, write_text
from crmctl.i18n import _
from crmctl.workspace import FILE, SCHEMA

if TYPE_CHECKING:
    from crmctl.audit.signing import Signer
    from crmctl.backups.configuration import Configuration
    from crmctl.backups.evidence import Voucher
    from crmctl.backups.manifest import BackupSet
    from crmctl.backups.reconcile import Standing

FOLDERS = ("data", "locks", "spool", "reports", "policies")


@dataclass(frozen=True)
class Request:
    """What `crmctl backup restore` was asked for.

    `keys` is the key store of today, else the one the set knows; `keys_set` a backup of one, with `masters`, a folder
    with its master keys. `give_up` is how many customers without a key may be removed though nobody destroyed theirs.
    """

    which: str
    into: Path
    identity: Path | None = None
    database: str = ""
    password_file: str = ""
    keys: str = ""
    keys_set: Path | None = None
    masters: Path | None = None
    vkeys: tuple[str, ...] = ()
    unsigned: bool = False
    give_up: int = 0


@dataclass(frozen=True)
class Restored:
    """What was done: the run in the new log, how keys and data stood, rows removed by table, keys destroyed again,
    identities made and those that several customers claimed."""

    run_id: int | None
    found: BackupSet
    standing: Standing
    removed: Mapping[str, int]
    again: int
    identities: int
    shared: int
    voucher: Voucher = "nobody"
    begun: datetime = field(default_factory=now)


def write_workspace(
    building: Path, request: Request, into: Path, was: Configuration, store: str, signer: Signer
) -> None:
    """Write folders, crmctl.yaml and policies of the new workspace; its log has a name and a signer of its own."""
    for name in FOLDERS:
        make_folder(building / name)
    former = newlog.signers_in(was.files.get(newlog.FILE, b"").decode("utf-8", "replace"))
    if not former and "signer.vkey" in was.files:
        former = [was.files["signer.vkey"].decode("utf-8", "replace").strip()]
    audit = was.files.get(newlog.FILE)
    text = newlog.renamed(audit.decode("utf-8") if audit else None, signer.origin, [*former, signer.vkey])
    for name, data in {**was.files, newlog.FILE: text.encode()}.items():
        if name != "signer.vkey":
            path = building / name
            for parent in reversed(path.relative_to(building).parents[:-1]):
                make_folder(building / parent)
            write_text(path, data.decode("utf-8"))
    write_text(building / FILE, _config(request, into, was, store))


def _config(request: Request, into: Path, was: Configuration, store: str) -> str:
    settings: dict[str, Any] = {"schema": SCHEMA, **was.settings}
    settings |= {"database": request.database or "data/crmctl.db", "keys": store, "signer": f"{into}.signer"}
    if request.password_file:
        settings["database_password_file"] = str(Path(request.password_file).absolute())
    if request.keys_set is not None:  # a mirror would differ, and masters given beside it lie in the new store
        settings.pop("keys_mirror", None)
        if request.masters is not None:
            settings.pop("master_key", None)
    lines = [f"{name}: {json.dumps(value)}" for name, value in settings.items()]
    return "# " + _("Configuration of this workspace; see: crmctl config show") + "\n" + "\n".join(lines) + "\n"
