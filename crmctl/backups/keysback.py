"""Key stores for what is restored: the one of today, or one made from a set of keys and master keys given beside it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmctl import clock
from crmctl.audit import entries
from crmctl.backups import checking, manifest, opening, reconcile
from crmctl.errors import CrmctlError, InvalidInput, KeyMissing, Refused
from crmctl.i18n import _
from crmctl.runs import run as runs
from crmctl.security import masters
from crmctl.security.keyfiles import DATABASE, new_folder
from crmctl.security.keystore import KeyStore
from crmctl.store import engine
from crmctl.workspace import Value, Workspace

if TYPE_CHECKING:
    from crmctl.backups.configuration import Configuration
    from crmctl.backups.evidence import Voucher
    from crmctl.backups.manifest import BackupSet
    from crmctl.backups.restored import Request
    from crmctl.cli.invocation import Invocation


@dataclass(frozen=True)
class KeysRestored:
    """What came of restoring keys alone: where they are, how many customers have none, how many went again."""

    run_id: int | None
    found: BackupSet
    folder: Path
    keys: int
    keyless: int
    again: int
    voucher: Voucher


@contextmanager
def fresh_keys(request: Request, into: Path, found: BackupSet, was: Configuration) -> Iterator[str]:
    """Yield where the key store of the restored workspace is, proven to be of this workspace.

    From a set of keys it is made beside the new workspace, and gone again where the block fails. Raises KeyMissing for
    a store that is missing or another's, and where a master key is not given.
    """
    master = was.settings.get("master_key")
    if request.keys_set is None:
        location = request.keys or str(was.settings["keys"])
        location = location if "://" in location else str(Path(location).absolute())
        KeyStore.open(location, _instance(found), master=master).close()
        yield location
        return
    keys = _whole(request.keys_set)
    if keys.manifest.kind != manifest.KEYS or keys.manifest.instance != found.manifest.instance:
        raise InvalidInput(
            _("{folder}: is no backup of this workspace's keys").format(folder=keys.folder), code="BACKUP_KIND"
        )
    _require_lost(str(was.settings["keys"]), master, keys)
    with _made(keys, request, Path(f"{into}.keys"), master) as store:
        store.close()
        yield f"{into}.keys"


def restore_keys(
    call: Invocation, request: Request, home: Workspace, found: BackupSet, voucher: Voucher
) -> KeysRestored:
    """Make a key store in the new folder `request.into` for the workspace `home`, whose own is lost.

    Customers that its log says were destroyed lose their keys again; those without a key are counted, and stay. Raises
    Refused while the key store of today is there and destroyed keys since.
    """
    folder, master = request.into.resolve(), home.get("master_key")
    if found.manifest.instance != str(home.get("instance")):
        raise InvalidInput(
            _("{folder}: is no backup of this workspace's keys").format(folder=found.folder), code="BACKUP_KIND"
        )
    _require_lost(home.keys, master, found)
    with (
        runs.open_run(call, "backup restore", "backup.restore") as opened,
        _made(found, request, folder, master) as store,
    ):
        store.close()
        run = runs.begin(replace(opened, workspace=_with_keys(home, folder, request)))
        with runs.recorded_failure(run):
            standing = reconcile.standing(run)
            again = reconcile.destroy_again(run, standing.returned)
            number = sum(found.manifest.counts.values()) - again
            counts = {"keys": number, "keys_destroyed_again": again, "keyless": len(standing.keyless)}
            with engine.write(run.engine) as conn:
                runs.finish(conn, run, "done", 0, counts)
                body = run.entry("done", at=clock.now(), source=found.digest.hex(), fields=["keys"], counts=counts)
                entries.append(conn, body)
    return KeysRestored(run.run_id, found, folder, number, len(standing.keyless), again, voucher)


def _with_keys(home: Workspace, folder: Path, request: Request) -> Workspace:
    """Return the workspace as it is once crmctl.yaml points to the restored keys."""
    values = dict(home.values)
    values["keys"] = Value("keys", str(folder), "option", "")
    values["keys_mirror"] = Value("keys_mirror", "", "option", "")
    if request.masters is not None:
        values["master_key"] = Value("master_key", None, "option", "")
    return replace(home, values=values)


def _whole(folder: Path) -> BackupSet:
    keys = manifest.read(folder)
    for problem in checking.problems(keys, lambda _bytes: None):
        raise manifest.broken(str(folder / problem.subject), problem.message)
    return keys


def _instance(found: BackupSet) -> bytes:
    return bytes.fromhex(found.manifest.instance.replace("-", ""))


def _require_lost(location: str, master: Mapping[str, Any] | None, keys: BackupSet) -> None:
    """Raise Refused where the key store of today can be opened and destroyed keys since the set was made.

    Who they belonged to is known to nobody else: the older keys would bring them back.
    """
    try:
        with KeyStore.open(location, _instance(keys), master=master) as today:
            receipts = today.rows.receipts()
    except CrmctlError:
        return
    if any(row.shredded_at >= keys.manifest.made_at for row in receipts):
        raise Refused(
            _("{folder}: is older than the key store of today, which destroyed keys since").format(folder=keys.folder),
            hint=_("use that one: leave out --keys-set; older keys would bring back who was destroyed"),
            code="KEYS_OLDER",
        )


@contextmanager
def _made(keys: BackupSet, request: Request, folder: Path, master: Mapping[str, Any] | None) -> Iterator[KeyStore]:
    """Yield the opened key store made from a set of keys; its folder is gone again where the block fails."""
    identities = opening.identities_for(keys, request.identity)
    if request.masters is None and master is None:
        raise KeyMissing(
            _("a backup of keys holds no master key"),
            hint=_("give the folder with them (master-0001.key, …): --masters FOLDER; needed: {epochs}").format(
                epochs=", ".join(map(str, keys.manifest.master_epochs))
            ),
            code="MASTER_MISSING",
        )
    with new_folder(folder) as building:
        opening.to_file(keys, "keys", identities, building / DATABASE)
        if request.masters is not None:
            source, target = masters.in_folder(request.masters.absolute()), masters.in_folder(building)
            for epoch in keys.manifest.master_epochs:
                masters.write(target.file(epoch), masters.read(source, epoch))
    try:
        with KeyStore.open(folder, _instance(keys), master=None if request.masters else master) as store:
            yield store
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
