"""`crmctl backup create`: a set of the data or of the keys, read back before it counts, then old ones go."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from crmctl import clock
from crmctl.audit import entries
from crmctl.backups import agefile, checking, keeping, manifest, places, register
from crmctl.backups.manifest import DATA, KEYS, BackupSet, Kind
from crmctl.backups.policy import settings_of
from crmctl.runs.run import begin, finish, recorded_failure
from crmctl.store import counters, engine

if TYPE_CHECKING:
    from crmctl.backups.keeping import Removed
    from crmctl.backups.manifest import Manifest
    from crmctl.runs.run import Run

Tell = Callable[[int], None]


@dataclass(frozen=True)
class Created:
    """The set that was made, or would be: number, folder, manifest (None in a dry run), what became of old ones.

    `signed` says whether a note lies beside it; `same_disk`, that it is on the disk of the data or of the other kind.
    """

    run_id: int | None
    number: int | None
    kind: Kind
    folder: Path
    made: Manifest | None
    digest: str
    signed: bool
    sealed: bool
    same_disk: bool
    removed: tuple[Removed, ...]


class _Ground(NamedTuple):
    """What is settled before anything is written."""

    kind: Kind
    folder: Path
    recipients: tuple[str, ...]
    same_disk: bool


def create(run: Run, kind: Kind, to: Path | None, tell: Tell) -> Created:
    """Make a set of `kind` in the folder `to`, or where crmctl.yaml says; needs the lock `backup`.

    Raises Refused for a place that is not apart, InvalidInput without recipients, StorageFailed when a disk is full:
    then nothing is left.
    """
    ground = _ground(run, kind, to)
    keep = settings_of(run.policies).keep(kind)
    if run.dry_run:
        old = [keeping.Removed(row.backup_id, row.folder, True) for row in keeping.beyond(run, keep, kind, 1)]
        folder = ground.folder / _name(run, kind)
        sealed = bool(ground.recipients)
        return Created(None, None, kind, folder, None, "", False, sealed, ground.same_disk, tuple(old))
    run = begin(run)
    with recorded_failure(run):
        made = _made(run, ground, tell)
        try:
            number = _recorded(run, made)
        except BaseException:
            shutil.rmtree(made.folder, ignore_errors=True)  # a set that the log does not know of
            raise
        removed = keeping.remove(run, keeping.beyond(run, keep, kind))
    said = made.manifest
    return Created(
        run.run_id, number, kind, made.folder, said, made.digest.hex(), bool(made.note), bool(said.recipients),
        ground.same_disk, tuple(removed),
    )  # fmt: skip


def _ground(run: Run, kind: Kind, to: Path | None) -> _Ground:
    place = run.workspace
    other: Kind = KEYS if kind == DATA else DATA
    with engine.read(run.engine) as conn:
        known = {row.folder.parent for row in register.rows(conn, kind=other)}
    folder = places.destination(place, kind, to, sorted(known))
    ours = [place.root, *known, *([] if "://" in place.keys else [Path(place.keys)])]
    return _Ground(kind, folder, agefile.recipients_of(place), places.same_disk(folder, ours))


def _name(run: Run, kind: Kind) -> str:
    return f"crmctl-{kind}-{run.at:%Y%m%dT%H%M%SZ}" + (f"-{run.run_id}" if run.run_id is not None else "")


def _made(run: Run, ground: _Ground, tell: Tell) -> BackupSet:
    """Write the set, let it appear under its name, and read it back."""
    from crmctl.backups import datapart, keyspart

    name = _name(run, ground.kind)
    write = datapart.write if ground.kind == DATA else keyspart.write
    with places.building(ground.folder, name, str(run.workspace.get("instance"))) as folder:
        write(run, folder, name)
    made = manifest.read(ground.folder / name)
    wrong = checking.problems(made, tell)
    if wrong:
        shutil.rmtree(made.folder, ignore_errors=True)
        raise manifest.broken(wrong[0].subject, wrong[0].message)
    return made


def _recorded(run: Run, made: BackupSet) -> int:
    """Enter the set in register and log, in one transaction; it was read back already. Return its number."""
    assert run.run_id is not None
    at = clock.now()
    number_of = {"bytes": made.manifest.size, "log": made.manifest.log.size}
    with engine.write(run.engine) as conn:
        number = counters.take(conn, "backup", 1)
        register.enter(conn, number, run.run_id, made, run.at)
        register.note(conn, number, register.VERIFIED, at)
        finish(conn, run, "done", 0, number_of)
        entries.append(
            conn,
            run.entry(
                "done",
                at=at,
                obj=f"backup:{number}",
                n=sum(made.manifest.counts.values()),
                source=made.digest.hex(),
                fields=[made.manifest.kind],
                counts=number_of,
            ),
        )
    return number
