"""A file about a handover leaves the database: logged first, then hashed and registered, then put in its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Connection

from crmctl import clock, files
from crmctl.audit import entries, looks
from crmctl.runs import allowance
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.store import engine
from crmctl.use import copies, sealed
from crmctl.use import records as uses


@dataclass(frozen=True)
class Leaving:
    """What leaves: about which handover, whose customers, which fields are in it in full and for what, where to."""

    handover_id: int
    numbers: Sequence[int]
    path: Path
    fields: tuple[str, ...] = ()
    purpose: str | None = None


@dataclass(frozen=True)
class Left:
    """A file in its place and its line in the register of copies."""

    run_id: int
    copy_id: int
    customers: int
    sha256: str
    size: int
    due_on: str | None


def put(run: Run, leaving: Leaving, made: Callable[[Run], bytes], also: Callable[[Connection], None]) -> Left:
    """Write what `made` makes; `also` is done in the transaction that registers it. Nothing leaves unlogged.

    Raises Refused for a file there is already, PermissionMissing beyond the person's daily limit.
    """
    copy = 0
    try:
        with files.atomic_output(leaving.path) as stream:
            run = runs.begin(run)
            with runs.recorded_failure(run):
                _announce(run, leaving)
                data = made(run)
                digest = sha256(data).hexdigest()
                stream.write(data)
                copy = _settle(run, leaving, digest, len(data), also)
    except BaseException:
        if copy:
            copies.unregister(run, copy)
        raise
    assert run.run_id is not None
    return Left(run.run_id, copy, len(leaving.numbers), digest, len(data), copies.due_on(run))


def _announce(run: Run, leaving: Leaving) -> None:
    assert run.run_id is not None
    with engine.write(run.engine) as conn:
        shown, root = looks.commit(conn, run.run_id, leaving.numbers)
        told = {"looks": shown, "looks_root": root.hex()} if shown else {}
        if leaving.purpose is not None:
            uses.record(conn, run, act=run.act, purpose=leaving.purpose, rows=len(leaving.numbers))
        allowance.within(conn, run, run.act)
        body = run.entry(
            "begun",
            at=clock.now(),
            obj=f"handover:{leaving.handover_id}",
            n=len(leaving.numbers),
            fields=leaving.fields,
            purpose=leaving.purpose,
            codes=["PERSONAL_IN_FULL" if leaving.fields else "MASKED"],
            **told,
        )
        entries.append(conn, body)


def _settle(run: Run, leaving: Leaving, digest: str, size: int, also: Callable[[Connection], None]) -> int:
    assert run.run_id is not None
    key = sealed.key_of(run, run.run_id)
    rows = len(leaving.numbers)
    with engine.write(run.engine) as conn:
        also(conn)
        copy = copies.register(
            conn,
            run,
            copies.Leaving(
                act=run.act,
                sha256=digest,
                size=size,
                rows=rows,
                fields=leaving.fields,
                purpose=leaving.purpose,
                place=(key, leaving.path),
            ),
        )
        runs.finish(conn, run, "done", 0, {"customers": rows})
        body = run.entry("done", at=clock.now(), obj=f"copy:{copy}", n=rows, source=digest, purpose=leaving.purpose)
        entries.append(conn, body)
    return copy
