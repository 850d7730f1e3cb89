"""What a restore was asked for and what came of it; the new workspace's files and its key store."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmctl.backups import checking, manifest, newlog, opening
from crmctl.clock import now
from crmctl.errors import CrmctlError, InvalidInput, KeyMissing, Refused
from crmctl.files import make_folder, write_text
from crmctl.i18n import _
from crmctl.security import masters
from crmctl.security.keyfiles import DATABASE, new_folder
from crmctl.security.keystore import KeyStore
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


@contextmanager
def fresh_keys(request: Request, into: Path, found: BackupSet, was: Configuration) -> Iterator[str]:
    """Yield where the key store of the restored workspace is, proven to be of this workspace.

    From a set of keys it is made beside the new workspace, and gone again where the block fails. Raises KeyMissing for
    a store that is missing or another's, and where a master key is not given.
    """
    instance = bytes.fromhex(found.manifest.instance.replace("-", ""))
    if request.keys_set is None:
        location = request.keys or str(was.settings["keys"])
        location = location if "://" in location else str(Path(location).absolute())
        KeyStore.open(location, instance, master=was.settings.get("master_key")).close()
        yield location
        return
    _require_lost(was, instance, request.keys_set)
    folder = Path(f"{into}.keys")
    _from_set(request, request.keys_set, folder, found, was)
    try:
        master = None if request.masters else was.settings.get("master_key")
        KeyStore.open(folder, instance, master=master).close()
        yield str(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _require_lost(was: Configuration, instance: bytes, keys_set: Path) -> None:
    """Raise Refused where the key store of today can be opened and destroyed keys since the set was made.

    Who they belonged to is known to nobody else: the older keys would bring them back.
    """
    try:
        with KeyStore.open(str(was.settings["keys"]), instance, master=was.settings.get("master_key")) as today:
            receipts = today.rows.receipts()
    except CrmctlError:
        return
    made = manifest.read(keys_set).manifest.made_at
    if any(row.shredded_at >= made for row in receipts):
        raise Refused(
            _("{folder}: is older than the key store of today, which destroyed keys since").format(folder=keys_set),
            hint=_("use that one: leave out --keys-set; older keys would bring back who was destroyed"),
            code="KEYS_OLDER",
        )


def _from_set(request: Request, keys_set: Path, folder: Path, found: BackupSet, was: Configuration) -> None:
    """Make a key store from a set of keys and the master keys given beside it."""
    keys = manifest.read(keys_set)
    if keys.manifest.kind != manifest.KEYS or keys.manifest.instance != found.manifest.instance:
        raise InvalidInput(
            _("{folder}: is no backup of this workspace's keys").format(folder=keys_set), code="BACKUP_KIND"
        )
    for problem in checking.problems(keys, lambda _bytes: None):
        raise manifest.broken(str(keys_set / problem.subject), problem.message)
    identities = opening.identities_for(keys, request.identity)
    with new_folder(folder) as building:
        opening.to_file(keys, "keys", identities, building / DATABASE)
        if request.masters is not None:
            source, target = masters.in_folder(request.masters.absolute()), masters.in_folder(building)
            for epoch in keys.manifest.master_epochs:
                masters.write(target.file(epoch), masters.read(source, epoch))
        elif was.settings.get("master_key") is None:
            raise KeyMissing(
                _("a backup of keys holds no master key"),
                hint=_("give the folder with them (master-0001.key, …): --masters FOLDER; needed: {epochs}").format(
                    epochs=", ".join(map(str, keys.manifest.master_epochs))
                ),
                code="MASTER_MISSING",
            )


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
