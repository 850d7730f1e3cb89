"""`crmctl backup drill`: restore a set on trial, in a private place, and prove that it is worth its name.

Living customers open with the keys of today; of those that were destroyed since or before, none does: neither with
those nor, where a set of keys is tried with it, with what that holds. Nothing of it is kept, and the key store is only
read.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from secrets import SystemRandom
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Engine, select

from crmctl import clock
from crmctl.audit import checkpoints, entries, standing
from crmctl.audit.tables import audit_entry
from crmctl.backups import checking, evidence, inside, manifest, opening, reconcile, register, verifying
from crmctl.backups.checking import Problem
from crmctl.customers.opened import opened, pages
from crmctl.customers.reindexing import rebuild
from crmctl.errors import DONE, CrmctlError, IntegrityFailed, InvalidInput, KeyMissing
from crmctl.i18n import _
from crmctl.runs import run as runs
from crmctl.security.keysqlite import SqliteKeys
from crmctl.security.keywrap import OWNER_KINDS
from crmctl.store import engine, migrate

if TYPE_CHECKING:
    from crmctl.backups.manifest import BackupSet
    from crmctl.backups.register import Registered
    from crmctl.runs.run import Run

COMMAND = "backup drill"
SAMPLE = 200  # living customers that are opened
Tell = Callable[[int], None]


@dataclass(frozen=True)
class Drilled:
    """What a trial showed: when it began and how long it took in seconds, how old the set is in days.

    `decrypted` living customers opened of `living`; of `destroyed` ones, `resurrected` did. `keys_set` is the number of
    the set of keys that was tried with it; None without one.
    """

    run_id: int | None
    number: int | None
    folder: Path
    seconds: int
    age_days: int
    entries: int
    rows: int
    living: int
    decrypted: int
    destroyed: int
    resurrected: int
    keys_set: int | None
    problems: tuple[Problem, ...]

    @property
    def exit_code(self) -> int:
        """13 when something is wrong, else 0."""
        return IntegrityFailed.exit_code if self.problems else DONE


class _Keys(NamedTuple):
    """A set of keys that is tried, and its row in the register."""

    found: BackupSet
    row: Registered


@dataclass
class _Trial:
    """What is found out on the way."""

    run: Run
    found: BackupSet
    keys: _Keys | None
    problems: list[Problem]
    entries: int = 0
    rows: int = 0
    living: int = 0
    decrypted: int = 0
    destroyed: int = 0
    resurrected: int = 0

    def wrong(self, code: str, subject: str, message: str) -> None:
        self.problems.append(Problem(code, subject, message))


def drill(run: Run, which: str, identity: Path | None, server: str, tell: Tell, *, keys_set: str = "") -> Drilled:
    """Restore the set `which` on trial; `server` is the URL of a database on whose server a temporary one is made.

    `keys_set` is a set of keys that is sealed to the same private key, and tried on those who were destroyed.

    What is wrong is returned. Raises InvalidInput for what is no set of the data, KeyMissing for another's private key.
    Needs the lock `backup`; one entry of the log says how it went.
    """
    with engine.read(run.engine) as conn:
        folder, row = register.named(conn, which)
    found = manifest.read(folder)
    if found.manifest.kind != manifest.DATA:
        raise InvalidInput(_("{folder}: is a backup of keys").format(folder=folder), code="BACKUP_KIND")
    if found.manifest.database == "postgresql" and not server:
        raise InvalidInput(
            _("a dump of PostgreSQL needs a server"),
            hint=_("give any database on one where this login may make another: --database URL"),
            code="DATABASE_KIND",
        )
    keys = _keys_set(run, keys_set) if keys_set else None
    identities = opening.identities_for(found, identity)
    begun = clock.now()
    run = runs.begin(run)
    with runs.recorded_failure(run):
        trial = _Trial(run, found, keys, checking.problems(found, tell))
        _vouched(trial, found, row.run_id if row else None)
        gone: Sequence[int] | None = None
        if not trial.problems:
            try:
                with _restored(run, found, identities, server) as base:
                    gone = _tried(trial, base, tell)
            except IntegrityFailed as error:
                trial.wrong(error.code, str(folder), error.message)
        _register(run, row, trial)
        if gone is not None:
            _keys_tried(trial, identities, gone, tell)
        return _recorded(trial, folder, row.backup_id if row else None, begun)


def _keys_set(run: Run, which: str) -> _Keys:
    """Return the set of this workspace's keys that `which` names; the register has it."""
    with engine.read(run.engine) as conn:
        folder, row = register.named(conn, which)
    found = manifest.read(folder)
    said = (found.manifest.kind, found.manifest.instance)
    if row is None or said != (manifest.KEYS, str(run.workspace.get("instance"))):
        raise InvalidInput(
            _("{folder}: is no backup of this workspace's keys").format(folder=folder),
            hint=_("see those there are: crmctl backup list"),
            code="BACKUP_KIND",
        )
    return _Keys(found, row)


def _vouched(trial: _Trial, found: BackupSet, made_by: int | None) -> None:
    run = trial.run
    with engine.read(run.engine) as conn:
        settings = checkpoints.settings_of(run.policies)
        if evidence.vouched(conn, run.workspace, settings, found, made_by).by == evidence.NOBODY:
            trial.wrong("NOT_SIGNED", manifest.FILE, _("no signer that counts here signed it, and no entry names it"))


@contextmanager
def _restored(run: Run, found: BackupSet, identities: Sequence[Any], server: str) -> Iterator[Engine]:
    """Yield the restored database, gone afterwards with its folder; what a killed trial left goes first."""
    for leftover in run.workspace.spool.glob("drill-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="drill-", dir=run.workspace.spool)))
        opening.configuration_of(found, identities)
        if found.manifest.database == "sqlite":
            target = folder / "crmctl.db"
            opening.to_file(found, "database", identities, target)
            base = engine.open_engine(f"sqlite:///{target}", timeout=run.workspace.timeout)
            stack.callback(base.dispose)
            yield base
            return
        from crmctl.backups import servercopy

        outside = engine.open_engine(server, timeout=run.workspace.timeout)
        stack.callback(outside.dispose)
        url = stack.enter_context(servercopy.temporary(outside, f"crmctl_drill_{run.run_id}"))
        base = engine.open_engine(url, timeout=run.workspace.timeout)
        stack.callback(base.dispose)
        with servercopy.loading(base) as stream:
            opening.to_stream(found, "database", identities, stream)
        yield base


def _tried(trial: _Trial, base: Engine, tell: Tell) -> Sequence[int] | None:
    """Verify the database as it was made, then bring it in line with the keys and open what may be opened.

    Returns who was destroyed: before the set was made, as its log says, or since, by the log of today or without a key;
    None where the database is not sound, so that nobody was tried.
    """
    if base.dialect.name == "sqlite":
        trial.problems += inside.file_problems(Path(str(base.url.database)))
    if not trial.problems:
        trial.problems += inside.database_problems(base, trial.found.manifest)
    if trial.problems:
        return None
    migrate.upgrade(base)
    _log_verified(trial, base, tell)
    private = replace(trial.run, engine=base)
    found = reconcile.standing(private)
    if found.unaccounted:
        message = _("{number} customers have no key, and the key store does not say that it destroyed theirs")
        trial.wrong("KEYS_INCOMPLETE", "customer", message.format(number=found.unaccounted))
    gone = sorted({*found.keyless, *reconcile.destroyed(private), *reconcile.destroyed(trial.run)})
    _none_returns(trial, private, gone)
    reconcile.remove(private, found.keyless, tell)
    _living_open(trial, private)
    try:
        rebuild(private, tell)
    except KeyMissing as error:
        trial.wrong(error.code, "identity", error.message)
    return gone


def _log_verified(trial: _Trial, base: Engine, tell: Tell) -> None:
    """Verify log and rows with the signatures that count here, and that the log of today goes on from this one."""
    run = trial.run
    trust = checkpoints.trust_of(run.workspace, checkpoints.settings_of(run.policies))
    pins = standing.pins(run.workspace, checkpoints.settings_of(run.policies))
    held = [pin for pin in pins if pin.size <= trial.found.manifest.log.size]
    result, wrong = inside.log_problems(base, trust, tell, rows=True, pins=held)
    trial.problems += wrong
    trial.entries, trial.rows = result.entries, result.rows or 0
    head = trial.found.manifest.log
    with engine.read(run.engine) as conn:
        leaf = conn.execute(select(audit_entry.c.leaf).where(audit_entry.c.seq == head.size - 1)).scalar_one_or_none()
    if leaf is None or leaf.hex() != head.last_leaf:
        trial.wrong("LOG_FORKED", "audit_entry", _("the log of today does not go on from the one in this set"))


def _none_returns(trial: _Trial, private: Run, gone: Sequence[int]) -> None:
    """Try to open everybody who was destroyed with the keys of today."""
    trial.destroyed = len(gone)
    stores = [private.keys, *([private.keys.mirror.store()] if private.keys.mirror else [])]
    back: set[int] = set()
    for place in range(0, len(gone), reconcile.AT_ONCE):
        for store in stores:
            back.update(store.fetch("customer", gone[place : place + reconcile.AT_ONCE]))
    trial.resurrected = len(back)
    if back:
        message = _("{number} customers that were destroyed have a key again")
        trial.wrong("DESTROYED_RETURN", "customer", message.format(number=len(back)))


def _keys_tried(trial: _Trial, identities: Sequence[Any], gone: Sequence[int], tell: Tell) -> None:
    """Look for keys of the destroyed in the set of keys: whoever has it and its master key would open them."""
    if trial.keys is None:
        return
    found, row = trial.keys
    before = len(trial.problems)
    trial.problems += [*verifying.foreign(trial.run, found, row), *checking.problems(found, tell)]
    _vouched(trial, found, row.run_id)
    if len(trial.problems) == before:
        try:
            back = _in_set(trial.run, found, identities, gone)
        except (IntegrityFailed, KeyMissing) as error:  # broken, or sealed to another private key
            trial.wrong(error.code, str(found.folder), error.message)
            back = 0
        trial.resurrected = max(trial.resurrected, back)
        if back:
            message = _("{number} customers that were destroyed have a key in it: it was made before, make a new one")
            trial.wrong("KEYS_RETURN", str(found.folder), message.format(number=back))


def _in_set(run: Run, keys: BackupSet, identities: Sequence[Any], gone: Sequence[int]) -> int:
    """Return how many of these customers have a key in a set of keys; nothing of it is kept."""
    with tempfile.TemporaryDirectory(prefix="drill-", dir=run.workspace.spool) as folder:
        opening.to_file(keys, "keys", identities, Path(folder) / "keys.db")
        rows, kind = SqliteKeys(Path(folder) / "keys.db"), OWNER_KINDS["customer"]
        try:
            parts = (gone[place : place + reconcile.AT_ONCE] for place in range(0, len(gone), reconcile.AT_ONCE))
            return sum(len(rows.select(kind, part)) for part in parts)
        finally:
            rows.close()


def _living_open(trial: _Trial, private: Run) -> None:
    """Open living customers chosen at random, contacts and all."""
    everybody = [number for page in pages(private) for number in page]
    trial.living = len(everybody)
    chosen = sorted(SystemRandom().sample(everybody, min(SAMPLE, len(everybody))))
    try:
        for _customer in opened(private, chosen):
            trial.decrypted += 1
    except CrmctlError as error:
        trial.wrong(error.code, "customer", error.message)


def _register(run: Run, row: Registered | None, trial: _Trial) -> None:
    """Note in the register how the set of the data was found; nothing that is wrong with a set of keys is its fault."""
    if row is not None:
        with engine.write(run.engine) as conn:
            state = register.FAILED if trial.problems else register.VERIFIED
            register.note(conn, row.backup_id, state, clock.now())


def _recorded(trial: _Trial, folder: Path, number: int | None, begun: datetime) -> Drilled:
    """Enter in the log how it went."""
    run, at = trial.run, clock.now()
    made = clock.parse_stamp(trial.found.manifest.made_at)
    done = Drilled(
        run.run_id, number, folder, int((at - begun).total_seconds()), (at - made).days, trial.entries, trial.rows,
        trial.living, trial.decrypted, trial.destroyed, trial.resurrected,
        trial.keys.row.backup_id if trial.keys is not None else None, tuple(trial.problems),
    )  # fmt: skip
    names = ("seconds", "age_days", "living", "decrypted", "destroyed", "resurrected")
    counts = {name: int(getattr(done, name)) for name in names}
    counts |= {} if done.keys_set is None else {"keys_set": done.keys_set}
    with engine.write(run.engine) as conn:
        runs.finish(conn, run, "failed" if done.problems else "done", done.exit_code, counts)
        entries.append(
            conn,
            run.entry(
                "failed" if done.problems else "done",
                at=at,
                obj=f"backup:{number}" if number is not None else None,
                source=trial.found.digest.hex(),
                counts=counts,
                codes=sorted({problem.code for problem in done.problems}),
            ),
        )
    return done
