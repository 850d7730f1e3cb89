"""`crmctl backup restore`: a new workspace from a set, never over an old one; what was destroyed stays destroyed.

Needs no workspace and no database that works: what decides who may do it is the access.yaml of the set itself.
Everything is made in folders of other names that get their own at the end.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmctl import clock, policy, workspace
from crmctl.audit import checkpoints, entries, signing
from crmctl.backups import checking, evidence, inside, manifest, newlog, opening, reconcile, register
from crmctl.backups.keysback import KeysRestored, fresh_keys, restore_keys
from crmctl.backups.restored import Request, Restored, write_workspace
from crmctl.customers.reindexing import rebuild
from crmctl.errors import CrmctlError, IntegrityFailed, InvalidInput, Refused
from crmctl.files import storage_failure, sync_folder
from crmctl.i18n import _
from crmctl.runs import run as runs
from crmctl.security.keystore import KeyStore
from crmctl.store import engine, migrate

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from crmctl.backups.evidence import Voucher
    from crmctl.backups.manifest import BackupSet
    from crmctl.cli.invocation import Invocation
    from crmctl.workspace import Workspace

Tell = Callable[[int], None]
COMMAND, ACT = "backup restore", "backup.restore"


def restore(call: Invocation, request: Request, tell: Tell) -> Restored | KeysRestored:
    """Make the workspace that `request` describes from a set of the data, or a key store from a set of keys.

    Raises Refused where something is already, IntegrityFailed for a set that is not whole or that nobody vouches for,
    KeyMissing for keys that do not fit or are too few, PermissionMissing for whoever may not: then nothing is left.
    """
    begun = clock.now()
    into = request.into.resolve()
    _refuse_existing(into, request)
    home = _home(call)
    found = _whole(_folder(home, request.which), tell)
    voucher = _vouched(home, found, request)
    if found.manifest.kind == manifest.KEYS:
        return restore_keys(call, request, _required(home, request.which), found, voucher)
    _require_same_kind(found, request)
    identities = opening.identities_for(found, request.identity)
    was = opening.configuration_of(found, identities)
    with ExitStack() as stack:
        building = stack.enter_context(_becoming(into))
        store = stack.enter_context(fresh_keys(request, into, found, was))
        signer = stack.enter_context(_new_signer(into, was.files, str(was.settings["instance"]), begun))
        write_workspace(building, request, into, was, store, signer)
        place = workspace.find(building)
        base = stack.enter_context(_database(place, found, identities))
        _require_described(place, base, found, tell)
        return replace(_done(call, place, base, found, request, tell), voucher=voucher, begun=begun)


def _refuse_existing(into: Path, request: Request) -> None:
    names = [into, Path(f"{into}.signer"), *([Path(f"{into}.keys")] if request.keys_set else [])]
    for path in names:
        if os.path.lexists(path) and not (path == into and path.is_dir() and not any(path.iterdir())):
            raise Refused(
                _("{path}: exists already").format(path=path),
                hint=_("name a new folder: a restore never overwrites anything"),
                code="FOLDER_NOT_EMPTY",
            )
    if not into.parent.is_dir():
        raise Refused(_("{folder}: its parent folder does not exist").format(folder=into), code="FOLDER_PARENT_MISSING")


def _require_same_kind(found: BackupSet, request: Request) -> None:
    """Raise InvalidInput where a dump of a server is to become a file, or the other way round."""
    server = found.manifest.database == "postgresql"
    if server == request.database.startswith("postgresql"):
        return
    if server:
        message, hint = _("a dump of PostgreSQL needs a server"), _("make a database there and give it: --database URL")
    else:
        message, hint = _("a SQLite database is a file in the new workspace"), _("leave out --database")
    raise InvalidInput(message, hint=hint, code="DATABASE_KIND")


def _home(call: Invocation) -> Workspace | None:
    """Return the workspace the command was called in; it need not be there any more."""
    with suppress(CrmctlError):
        return workspace.called(call)
    return None


def _folder(home: Workspace | None, which: str) -> Path:
    if not which.isdecimal():
        return Path(which).absolute()
    with _live(_required(home, which)) as base, engine.read(base) as conn:
        return register.named(conn, which)[0]


def _required(home: Workspace | None, which: str) -> Workspace:
    if home is None:
        raise InvalidInput(
            _("{which}: needs the workspace that it belongs to, and there is none here").format(which=which),
            hint=_("name it with -w; a backup of the data can be given by its folder alone"),
            code="WORKSPACE_MISSING",
        )
    return home


@contextmanager
def _live(home: Workspace) -> Iterator[Engine]:
    base = engine.open_engine(runs.database_url(home), timeout=home.timeout, workspace=home.root, read_only=True)
    try:
        yield base
    finally:
        base.dispose()


def _whole(folder: Path, tell: Tell) -> BackupSet:
    found = manifest.read(folder)
    for problem in checking.problems(found, tell):
        raise manifest.broken(str(folder / problem.subject), problem.message)
    return found


def _vouched(home: Workspace | None, found: BackupSet, request: Request) -> Voucher:
    """Return who vouches for a set. Raises IntegrityFailed where nobody does and `unsigned` was not said."""
    try:
        voucher: Voucher = "signed" if evidence.noted(found, request.vkeys) else "nobody"
    except ValueError:
        raise InvalidInput(
            _("--vkey: not a verifier key"),
            hint=_("as `crmctl audit checkpoint` shows it: name+id+base64"),
            code="VKEY_INVALID",
        ) from None
    if voucher == evidence.NOBODY and home is not None:
        with suppress(CrmctlError):
            voucher = _vouched_at(home, found)
    if voucher != evidence.NOBODY or request.unsigned:
        return voucher
    raise IntegrityFailed(
        _("{folder}: nobody vouches for this backup here").format(folder=found.folder),
        hint=_(
            "name the audit signer's verifier key with --vkey, or run it in the workspace (-w) whose log names it; "
            "--unsigned takes it as it is, and the log will say so"
        ),
        code="NOT_SIGNED",
    )


def _vouched_at(home: Workspace, found: BackupSet) -> Voucher:
    settings = checkpoints.settings_of(policy.load(home.policies))
    if evidence.noted(found, checkpoints.signers_of(home, settings)):
        return "signed"
    with _live(home) as base, engine.read(base) as conn:
        known = [row for row in register.rows(conn) if row.digest == found.digest]
        return evidence.vouched(conn, home, settings, found, known[0].run_id if known else None).by


@contextmanager
def _becoming(into: Path) -> Iterator[Path]:
    """Yield a folder that becomes `into` when the block ends well, and is gone otherwise."""
    building = into.with_name(f".{into.name}.restore")
    shutil.rmtree(building, ignore_errors=True)
    try:
        building.mkdir(mode=0o700)
        yield building
        if into.exists():
            into.rmdir()
        building.rename(into)
        sync_folder(into.parent)
    except OSError as error:
        raise storage_failure(into, error) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)


@contextmanager
def _new_signer(into: Path, files: dict[str, bytes], instance: str, at: Any) -> Iterator[signing.Signer]:
    """Make the signer of the restored log; it stands beside the workspace when the block ends well."""
    settings = files.get(newlog.FILE, b"").decode("utf-8", "replace")
    origin = newlog.origin_in(settings) or f"crmctl/{instance}"
    with _becoming(Path(f"{into}.signer")) as folder:
        yield signing.make(folder, newlog.name_of(origin, at))


@contextmanager
def _database(place: Workspace, found: BackupSet, identities: list[Any]) -> Iterator[Engine]:
    """Yield the database of the set, in a file of the workspace or in the server's empty database."""
    url = runs.database_url(place)
    if found.manifest.database == "sqlite":
        opening.to_file(found, "database", identities, place.root / "data" / "crmctl.db")
        base = engine.open_engine(url, timeout=place.timeout, workspace=place.root)
        try:
            yield base
        finally:
            base.dispose()
        return
    from crmctl.backups import servercopy

    base = engine.open_engine(url, timeout=place.timeout)
    try:
        servercopy.require_empty(base)
        try:
            with servercopy.loading(base) as stream:
                opening.to_stream(found, "database", identities, stream)
            yield base
        except BaseException:
            servercopy.clear(base)
            raise
    finally:
        base.dispose()


def _require_described(place: Workspace, base: Engine, found: BackupSet, tell: Tell) -> None:
    """Raise IntegrityFailed unless the database is the one of the manifest, sound, and its log verifies."""
    wrong = []
    if base.dialect.name == "sqlite":
        wrong = inside.file_problems(Path(str(base.url.database)))
    wrong = wrong or inside.database_problems(base, found.manifest)
    if not wrong:
        migrate.upgrade(base)
        trust = checkpoints.trust_of(place, checkpoints.settings_of(policy.load(place.policies)))
        wrong = inside.log_problems(base, trust, tell, rows=True)[1]
    for problem in wrong:
        raise IntegrityFailed(
            _("{folder}: what is in it does not verify: {code} {subject}: {message}").format(
                folder=found.folder, code=problem.code, subject=problem.subject, message=problem.message
            ),
            hint=_("take another set"),
            code="BACKUP_BROKEN",
        )


def _done(call: Invocation, place: Workspace, base: Engine, found: BackupSet, request: Request, tell: Tell) -> Restored:
    """Bring the restored database in line with the keys, make identities, and say so in its log."""
    with KeyStore.open(place.keys, place.instance, master=place.get("master_key")) as store:
        reconcile.go_past(base, store)
    with runs.open_run(replace(call, workspace=place.root), COMMAND, ACT) as opened:
        standing = reconcile.standing(opened)
        reconcile.require_accounted(standing, request.give_up)
        run = runs.begin(opened)
        with runs.recorded_failure(run):
            removed = reconcile.remove(run, standing.keyless, tell)
            forgotten = reconcile.forget_quarantine(run)
            again = reconcile.destroy_again(run, standing.returned)
            identities, shared = rebuild(run, tell)
            counts = {
                "customers_removed": len(standing.keyless),
                "rejected_rows_removed": forgotten,
                "keys_destroyed_again": again,
                "identities": identities,
                "identities_shared": shared,
                "log": found.manifest.log.size,
                "unsigned": int(request.unsigned),
            }
            with engine.write(run.engine) as conn:
                runs.finish(conn, run, "done", 0, counts)
                entries.append(conn, run.entry("done", at=clock.now(), source=found.digest.hex(), counts=counts))
        removed |= {"rejected_row": forgotten} if forgotten else {}
        return Restored(run.run_id, found, standing, removed, again, identities, shared)
