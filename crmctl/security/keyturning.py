"""`crmctl keys rotate`, `destroy` and `mirror` as runs: on the record before and after, resumed where killed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import func, select

from crmctl import clock
from crmctl.audit import entries
from crmctl.clock import local
from crmctl.errors import KeyMissing, Refused
from crmctl.i18n import _
from crmctl.runs.run import begin, denial_noted, finish, hold, recorded_failure
from crmctl.runs.tables import run as run_table
from crmctl.security import keymirror, keyrotate, keystanding, masters, serverrights
from crmctl.security.keyepochs import epochs_of
from crmctl.security.keymirror import Mirrored
from crmctl.security.keyplaces import shown
from crmctl.store import engine, schema

if TYPE_CHECKING:
    from crmctl.runs.run import Run
    from crmctl.security.keystore import KeyStore

ROTATE, ROTATE_INDEX = "keys rotate", "keys rotate --index"
# Identities belong to customers, of whom this room knows nothing: who puts them under another key.
REKEY = "crmctl.customers.rekeying:rekey"
Tell = Callable[[int], None]


@dataclass(frozen=True)
class Rotated:
    """What a rotation did: the new epoch, whether it finished one begun before, keys or identities, what is left."""

    run_id: int | None
    epoch: int
    resumed: bool
    done: int
    left: int


@dataclass(frozen=True)
class Destroyed:
    """What a destruction did: the epoch, files removed, copies of the key store that hold it too, who else has it."""

    run_id: int | None
    epoch: int
    files: tuple[Path, ...]
    copies: tuple[int, ...]
    provider: str


def rotate(run: Run, tell: Tell) -> Rotated:
    """Take a new master key and put every key under it; finish a rotation that was killed.

    Raises KeyMissing (12) when the provider has no next key or the key store is older than the database.
    """
    store = run.keys
    newest = store.wrapper.epoch
    known = _last_epoch(run)
    if newest < known:
        raise _older(store, newest, known)
    resumed = newest > known
    epoch = newest if resumed else newest + 1
    if run.dry_run:
        if not resumed:
            masters.require_numbered(store.source)
        return Rotated(None, epoch, resumed, keyrotate.waiting(store, epoch), 0)
    run = begin(run)
    with recorded_failure(run):
        _begun(run, f"master:{epoch}")
        if not resumed:
            keyrotate.new_master(store, clock.now())
        result = keyrotate.rewrap(store, tell)
        _done(run, f"master:{epoch}", {"epoch": epoch, "rewrapped": result.keys, "left": result.left})
    return Rotated(run.run_id, epoch, resumed, result.keys, result.left)


def rotate_index(run: Run, tell: Tell) -> Rotated:
    """Take a new index key, make all identities anew under it and destroy the old one; finish what was killed.

    Imports are kept out by the lock `import` while it runs, and refuse to begin until it is finished. Raises
    PermissionMissing, in the log, for a login of the database that may not write identities.
    """
    with denial_noted(run):
        serverrights.require(run, "identity", "SELECT", "INSERT", "DELETE")
    store = run.keys
    resumed = len(store.info.indexes) > 1
    newest = max(row.epoch for row in store.info.indexes)
    epoch = newest if resumed else newest + 1
    if run.dry_run:
        identity = schema.load_all().tables["identity"]
        with engine.read(run.engine) as conn:
            number = conn.execute(select(func.count()).where(identity.c.epoch < epoch)).scalar_one()
        return Rotated(None, epoch, resumed, number, 0)
    with hold(run, "import"):
        return _rotate_index(run, store, epoch, resumed, tell)


def _rotate_index(run: Run, store: KeyStore, epoch: int, resumed: bool, tell: Tell) -> Rotated:
    run = begin(run)
    with recorded_failure(run):
        _begun(run, f"index:{epoch}")
        if not resumed:
            keyrotate.new_index(store, clock.now())
        module, _colon, name = REKEY.partition(":")
        done, lost = getattr(import_module(module), name)(run, tell)
        for row in store.info.indexes[:-1]:
            keyrotate.drop_index(store, row.epoch)
        _done(run, f"index:{epoch}", {"epoch": epoch, "identities": done, "lost": lost})
    return Rotated(run.run_id, epoch, resumed, done, lost)


def destroy(run: Run, epoch: int) -> Destroyed:
    """Destroy a master key that wraps nothing any more, once its horizon is past.

    Raises Refused for the newest, for one in use, before its time, or for one that is not there.
    """
    store, terms = run.keys, keystanding.terms_of(run.workspace)
    _require_destroyable(run, store, epoch, terms)
    copies = _copies(run, store, epoch)
    if run.dry_run:
        return Destroyed(None, epoch, _files(store, epoch), copies, store.source.provider)
    if store.mirror is not None:
        store.mirror.ready(0)
    run = begin(run)
    with recorded_failure(run):
        _begun(run, f"master:{epoch}")
        # first the stores forget it, or they would not open without it; then its file goes: killed in between, the
        # same command again finds the file
        for rows in (store.rows, *([store.mirror.store().rows] if store.mirror else [])):
            if any(row.epoch == epoch for row in rows.info().masters):
                epochs_of(rows).drop_master(epoch)
        files = _files(store, epoch)
        for source in _sources(store):
            masters.destroy(source, epoch)
        _done(run, f"master:{epoch}", {"epoch": epoch, "files": len(files), "copies": len(copies)})
    return Destroyed(run.run_id, epoch, files, copies, store.source.provider)


def mirror(run: Run) -> tuple[int | None, Mirrored]:
    """Make the mirror, or make it equal to the key store again; verified."""
    store = run.keys
    keymirror.of(store)
    if run.dry_run:
        return None, keymirror.rehearsed(store)
    run = begin(run)
    with recorded_failure(run):
        _begun(run)
        result = keymirror.repair(store)
        counts = {"made": int(result.made), "written": result.written, "removed": result.removed, "keys": result.keys}
        _done(run, None, counts)
    return run.run_id, result


def _require_destroyable(run: Run, store: KeyStore, epoch: int, terms: keystanding.Terms) -> None:
    found = {each.epoch: each for each in keystanding.epochs(store, terms)}
    known = found.get(epoch)
    if known is None:
        if epoch < max(found) and any(path.exists() for path in _files(store, epoch)):
            return  # its destruction was killed before its file was gone
        raise Refused(
            _("master key {epoch}: the key store has none of this number; it has {known}").format(
                epoch=epoch, known=", ".join(map(str, sorted(found)))
            ),
            hint=_("see: crmctl keys status"),
            code="EPOCH_UNKNOWN",
        )
    if known.destroy_from is None or known.holds:
        from crmctl.security.keyepochs import still_used

        raise still_used(store.location, epoch)
    if run.at < known.destroy_from:
        raise Refused(
            _("master key {epoch}: may be destroyed from {moment} on").format(
                epoch=epoch, moment=local(known.destroy_from, run.zone)
            ),
            hint=_("copies of the key store made until then need it; key_horizon_days in crmctl.yaml says how long"),
            code="EPOCH_TOO_YOUNG",
        )


def _copies(run: Run, store: KeyStore, epoch: int) -> tuple[int, ...]:
    """Return the numbers of the copies made by `keys copy` while the epoch was known: its master key is in them."""
    register = schema.load_all().tables["copy_register"].c
    made = next((row.created_at for row in store.info.masters if row.epoch == epoch), None)
    if made is None:
        return ()
    query = select(register.copy_id).where(
        register.kind == "key store copy", register.made_at >= clock.parse_stamp(made), register.disposed_at.is_(None)
    )
    with engine.read(run.engine) as conn:
        return tuple(conn.execute(query.order_by(register.copy_id)).scalars())


def _sources(store: KeyStore) -> list[masters.MasterSource]:
    own = store.mirror.source if store.mirror is not None else store.source
    return [store.source] if own == store.source else [store.source, own]


def _files(store: KeyStore, epoch: int) -> tuple[Path, ...]:
    return tuple(source.file(epoch) for source in _sources(store) if source.provider == "file")


def _last_epoch(run: Run) -> int:
    """Return the newest epoch that a finished rotation made, as this database knows it."""
    columns = run_table.c
    query = select(columns.counts).where(columns.command == ROTATE, columns.state == "done")
    with engine.read(run.engine) as conn:
        counts = conn.execute(query.order_by(columns.run_id.desc()).limit(1)).scalar_one_or_none()
    found: dict[str, int] = orjson.loads(counts) if isinstance(counts, str) else counts or {}
    return found.get("epoch", 1)


def _older(store: KeyStore, newest: int, known: int) -> KeyMissing:
    return KeyMissing(
        _(
            "{location}: the key store of workspace {instance} is older than the database: "
            "its newest master key is {newest}, {known} was made"
        ).format(location=store.location, instance=shown(store.instance), newest=newest, known=known),
        hint=_("restore the newest copy of the key store"),
        code="KEYSTORE_OLD",
    )


def _begun(run: Run, about: str | None = None) -> None:
    with engine.write(run.engine) as conn:
        entries.append(conn, run.entry("begun", **({"obj": about} if about else {})))


def _done(run: Run, about: str | None, counts: dict[str, int]) -> None:
    at: datetime = clock.now()
    with engine.write(run.engine) as conn:
        finish(conn, run, "done", 0, counts)
        fields: dict[str, Any] = {"obj": about} if about else {}
        entries.append(conn, run.entry("done", at=at, counts=counts, **fields))
