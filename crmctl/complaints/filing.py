"""What leaves as a file: something kept with a complaint, or its form. Revealed first, then registered, then in place.

A copy that left cannot be destroyed with its customer's key, so each has its line in the register of copies (DES-07).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from crmctl import clock, files
from crmctl.audit import entries, looks
from crmctl.complaints import attaching, showing
from crmctl.complaints.model import Case
from crmctl.complaints.showing import Wish
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.store import engine
from crmctl.use import copies, purposes, sealed


@dataclass(frozen=True)
class Leaving:
    """What leaves: `act` as the register of copies knows it, which fields are in it in clear, where to."""

    act: str
    fields: tuple[str, ...]
    path: Path


@dataclass(frozen=True)
class Left:
    """A file in its place, and its line in the register of copies."""

    run_id: int
    copy_id: int
    sha256: str
    size: int
    due_on: str | None


def write(run: Run, number: str, file_id: int, out: Path, wish: Wish) -> dict[str, Any]:
    """Write a file that is kept with a complaint to `out`, owner-only; return what is to be told of it.

    Raises Refused for a complaint or file there is not and for an `out` there is already, else as
    `showing.revealing` does.
    """
    case = showing.known(run, number)
    with engine.read(run.engine) as conn:
        content = attaching.content_of(run, conn, case, file_id).content
    done = put(run, case, wish, Leaving("complaint.file", ("file",), out), lambda _begun: content)
    return {
        "run_id": done.run_id,
        "number": case.number,
        "file": file_id,
        "bytes": done.size,
        "copy": done.copy_id,
        "sha256": done.sha256,
        "due_on": done.due_on,
    }


def put(run: Run, case: Case, wish: Wish, leaving: Leaving, made: Callable[[Run], bytes]) -> Left:
    """Write what `made` makes once it is in the log that it will be revealed. Nothing leaves unlogged."""
    copy = 0
    try:
        with files.atomic_output(leaving.path) as stream:
            run = showing.revealing(run, case, wish, leaving.fields)
            with runs.recorded_failure(run):
                data = made(run)
                digest = sha256(data).hexdigest()
                stream.write(data)
                copy = _register(run, case, wish, leaving, digest, len(data))
    except BaseException:
        if copy:
            copies.unregister(run, copy)
        raise
    assert run.run_id is not None
    return Left(run.run_id, copy, digest, len(data), copies.due_on(run))


def _register(run: Run, case: Case, wish: Wish, leaving: Leaving, digest: str, size: int) -> int:
    assert run.run_id is not None
    key = sealed.key_of(run, run.run_id)
    purpose = purposes.purpose(run.policies, wish.purpose or showing.PURPOSE).code
    with engine.write(run.engine) as conn:
        copy = copies.register(
            conn,
            run,
            copies.Leaving(
                act=leaving.act,
                sha256=digest,
                size=size,
                rows=1,
                fields=leaving.fields,
                purpose=purpose,
                place=(key, leaving.path),
            ),
        )
        # Whom it is about, so that a purge of them knows of it.
        shown, root = looks.commit(conn, run.run_id, sorted(case.concerned))
        body = run.entry("done", at=clock.now(), obj=f"copy:{copy}", n=1, source=digest, purpose=purpose,
                         looks=shown, looks_root=root.hex())  # fmt: skip
        entries.append(conn, body)
    return copy
