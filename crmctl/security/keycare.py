"""`crmctl keys copy`: a copy of the key store for safe keeping, on the record before and after."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from crmctl import clock
from crmctl.audit import entries
from crmctl.errors import Refused
from crmctl.i18n import _
from crmctl.runs.run import begin, finish, recorded_failure
from crmctl.security.keyfiles import DATABASE, refuse_existing
from crmctl.store import engine
from crmctl.use import copies, sealed

if TYPE_CHECKING:
    from crmctl.runs.run import Run


@dataclass(frozen=True)
class Copied:
    """What `copy` made, or in a dry run would make: where, how many keys by kind of owner, SHA-256 of its keys.db, and
    its number in the register of copies."""

    run_id: int | None
    folder: Path
    keys: dict[str, int]
    sha256: str | None
    copy: int | None


def copy(run: Run, dest: Path) -> Copied:
    """Copy the key store and its master keys into the new folder `dest`, and enter it in the register of copies.

    Raises Refused when `dest` exists, lies in the workspace or in the key store, or its parent does not exist;
    IntegrityFailed when the copy does not verify. After a failure no copy is left.
    """
    folder = dest.absolute()
    _refuse_place(run, folder)
    if run.dry_run:
        return Copied(None, folder, run.keys.status()["keys"], None, None)
    run = begin(run)
    with recorded_failure(run):
        with engine.write(run.engine) as conn:
            entries.append(conn, run.entry("begun"))
        counts: dict[str, int] = run.keys.copy_to(folder)["keys"]
        try:
            with (folder / DATABASE).open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            number = _record(run, folder / DATABASE, digest, counts, clock.now())
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)  # a copy nobody knows of would outlive every erasure
            raise
    return Copied(run.run_id, folder, counts, digest, number)


def _record(run: Run, file: Path, digest: str, counts: dict[str, int], at: datetime) -> int:
    assert run.run_id is not None
    number = sum(counts.values())
    place = (sealed.key_of(run, run.run_id), file)
    leaving = copies.Leaving("keys.copy", digest, file.stat().st_size, number, place=place)
    with engine.write(run.engine) as conn:
        copy = copies.register(conn, run, leaving)
        finish(conn, run, "done", 0, counts)
        entries.append(conn, run.entry("done", at=at, obj=f"copy:{copy}", n=number, source=digest))
    return copy


def _refuse_place(run: Run, folder: Path) -> None:
    refuse_existing(folder)
    parent = folder.parent.resolve()
    if not parent.is_dir():
        raise Refused(
            _("{path}: is no folder").format(path=folder.parent), hint=_("make it first"), code="FOLDER_MISSING"
        )
    apart = [run.workspace.root.resolve()]
    if "://" not in run.workspace.keys:
        apart.append(Path(run.workspace.keys).resolve())
    for place in apart:
        if parent.is_relative_to(place):
            raise Refused(
                _("{path}: lies in {place}, whose loss would take the copy along").format(path=folder, place=place),
                hint=_("name a folder on another disk, apart from the workspace and its key store"),
                code="COPY_NOT_APART",
            )
