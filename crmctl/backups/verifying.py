"""`crmctl backup verify`: read sets to the end; with the private key also look inside."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmctl import clock
from crmctl.audit import checkpoints, entries
from crmctl.backups import checking, evidence, inside, manifest, opening, register
from crmctl.backups.checking import Problem
from crmctl.errors import DONE, UNSIGNED_TAIL, CrmctlError, IntegrityFailed
from crmctl.i18n import _
from crmctl.runs.run import begin, finish, recorded_failure
from crmctl.security.keysqlite import SqliteKeys
from crmctl.store import engine

if TYPE_CHECKING:
    from crmctl.backups.evidence import Voucher
    from crmctl.backups.manifest import BackupSet
    from crmctl.backups.register import Registered
    from crmctl.runs.run import Run

Tell = Callable[[int], None]


@dataclass(frozen=True)
class Verified:
    """What came of reading one set: who vouches for it, whether it was opened, what is wrong."""

    folder: Path
    number: int | None
    kind: str
    made_at: str
    voucher: Voucher
    opened: bool
    problems: tuple[Problem, ...]

    @property
    def exit_code(self) -> int:
        """13 when something is wrong, 14 while the entry that vouches is not signed yet, else 0."""
        if self.problems:
            return IntegrityFailed.exit_code
        return UNSIGNED_TAIL if self.voucher == evidence.WAITING else DONE


def verify(run: Run, sets: Sequence[str], every: bool, identity: Path | None, tell: Tell) -> tuple[Run, list[Verified]]:
    """Read the sets named by number or folder, or `every` one of the register; record what was found.

    Problems are returned, not raised. Raises InvalidInput for a number that nobody has, KeyMissing for a private key
    that is none.
    """
    with engine.read(run.engine) as conn:
        chosen = [register.named(conn, text) for text in sets]
        if every:
            chosen += [(row.folder, row) for row in reversed(register.rows(conn))]
    run = begin(run)
    with recorded_failure(run):
        done = [_verified(run, folder, row, identity, tell) for folder, row in chosen]
        with engine.write(run.engine) as conn:
            finish(conn, run, "done", max([each.exit_code for each in done], default=0), {"sets": len(done)})
    return run, done


def _verified(run: Run, folder: Path, row: Registered | None, identity: Path | None, tell: Tell) -> Verified:
    voucher: Voucher = "nobody"
    kind, made_at, opened = (row.kind, clock.stamp(row.made_at), False) if row else ("", "", False)
    try:
        found = manifest.read(folder)
        kind, made_at = found.manifest.kind, found.manifest.made_at
        wrong = checking.problems(found, tell) + foreign(run, found, row)
        with engine.read(run.engine) as conn:
            settings = checkpoints.settings_of(run.policies)
            voucher = evidence.vouched(conn, run.workspace, settings, found, row.run_id if row else None).by
        if voucher == evidence.NOBODY:
            message = _("no signer that counts here signed it, and no entry of the log names it")
            wrong.append(Problem("NOT_SIGNED", manifest.FILE, message))
        if identity is not None and not wrong:
            opened = True
            wrong += _inside(run, found, opening.identities_for(found, identity), tell)
    except IntegrityFailed as error:
        wrong = [Problem(error.code, manifest.FILE, error.message)]
    except CrmctlError as error:
        if row is None or error.code != "BACKUP_UNKNOWN":
            raise
        wrong = [Problem("SET_MISSING", str(folder), _("it is not there: mount its medium, or it was removed"))]
    done = Verified(folder, row.backup_id if row else None, kind, made_at, voucher, opened, tuple(wrong))
    _record(run, done, row)
    return done


def foreign(run: Run, found: BackupSet, row: Registered | None) -> list[Problem]:
    """Return what says that a set is not this workspace's, or not the one that was registered."""
    wrong = []
    if found.manifest.instance != str(run.workspace.get("instance")):
        wrong.append(Problem("INSTANCE_WRONG", manifest.FILE, _("it belongs to another workspace")))
    if row is not None and row.digest != found.digest:
        message = _("it is not the set that was made then: its manifest has another hash")
        wrong.append(Problem("MANIFEST_REPLACED", manifest.FILE, message))
    return wrong


def _inside(run: Run, found: BackupSet, identities: list[Any], tell: Tell) -> list[Problem]:
    """Open a set into a private folder that is gone afterwards; a dump of a server only as far as it opens."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="verify-", dir=run.workspace.spool)))
        target = folder / "opened.db"
        if found.manifest.kind == manifest.KEYS:
            opening.to_file(found, "keys", identities, target)
            copied = SqliteKeys(target)
            stack.callback(copied.close)
            return [Problem("DATABASE_DAMAGED", "keys", line) for line in copied.damage()]
        opening.configuration_of(found, identities)
        opening.to_file(found, "database", identities, target)
        if found.manifest.database != "sqlite":
            return []
        wrong = inside.file_problems(target)
        if wrong:
            return wrong
        base = engine.open_engine(f"sqlite:///{target}")
        stack.callback(base.dispose)
        trust = checkpoints.trust_of(run.workspace, checkpoints.settings_of(run.policies))
        return inside.database_problems(base, found.manifest) + inside.log_problems(base, trust, tell, rows=False)[1]


def _record(run: Run, done: Verified, row: Registered | None) -> None:
    at = clock.now()
    with engine.write(run.engine) as conn:
        if row is not None:
            register.note(conn, row.backup_id, register.FAILED if done.problems else register.VERIFIED, at)
        entries.append(
            conn,
            run.entry(
                "failed" if done.problems else "done",
                at=at,
                obj=f"backup:{row.backup_id}" if row else None,
                source=row.digest.hex() if row else None,
                codes=sorted({problem.code for problem in done.problems}),
            ),
        )
