"""Verify the log from its bytes, the change log against it, and every protected row against the change log.

Levels build on each other: a change log that was not verified is no yardstick for rows. Everything is read in one
consistent picture, streamed, in flat memory; what cannot be accounted for is a problem (security.md 1.5).

A log whose newest entries no trusted checkpoint covers is valid but unsigned: whoever can write the database could have
rewritten them all. Which checkpoints are trusted is said by whoever asks (`checkpoints.trust_of`), never by the
database; those kept outside it (`checkpoints.pins`) also show when the whole of it was put back.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine

from crmctl.audit.objects import ProtectedTable, protected_tables
from crmctl.audit.problems import Problem, Problems
from crmctl.audit.verify_entries import Pin, Trust, check_entries
from crmctl.audit.verify_kept import Leaves
from crmctl.audit.verify_rows import check_rows
from crmctl.errors import DONE, UNSIGNED_TAIL, IntegrityFailed
from crmctl.store.engine import read


@dataclass(frozen=True)
class Verification:
    """What was verified: numbers of entries, of changes and rows (None: not asked), and what is wrong.

    `problems` holds the first hundred of `problem_count`; `signed` entries are covered by a trusted checkpoint, and the
    first `pruned` have no text any more, as the entry `pruned_by` says.
    """

    entries: int
    signed: int
    changes: int | None
    rows: int | None
    problems: tuple[Problem, ...]
    problem_count: int
    root: bytes
    pruned: int = 0
    pruned_by: int | None = None

    @property
    def unsigned(self) -> int:
        """How many of the newest entries no trusted checkpoint covers."""
        return self.entries - self.signed

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong; the newest entries may be unsigned."""
        return self.problem_count == 0

    @property
    def exit_code(self) -> int:
        """13 when something is wrong, 14 when the newest entries are unsigned, else 0."""
        if not self.ok:
            return IntegrityFailed.exit_code
        return UNSIGNED_TAIL if self.unsigned else DONE

    def document(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "ok": self.ok,
            "entries": self.entries,
            "signed": self.signed,
            "unsigned": self.unsigned,
            "pruned": self.pruned,
            "pruned_by": self.pruned_by,
            "changes": self.changes,
            "rows": self.rows,
            "root": self.root.hex(),
            "problem_count": self.problem_count,
            "problems": [problem._asdict() for problem in self.problems],
        }


def trust_nothing(_note: str, _size: int, _root: bytes) -> bool:
    """Believe no signature."""
    return False


def verify(
    engine: Engine,
    *,
    changes: bool = False,
    rows: bool = False,
    progress: Callable[[int], None] | None = None,
    trust: Trust = trust_nothing,
    pins: Sequence[Pin] = (),
    tables: Sequence[ProtectedTable] | None = None,
) -> Verification:
    """Verify the log; with `changes` also the leaves of its chunks and looks, with `rows` also every row of `tables`.

    `progress` is told how many things were read. `trust(note, size, root)` says whether a checkpoint's signature can be
    believed; `pins` are checkpoints kept outside the database. Problems are returned, not raised; raises what
    `store.engine.read` does.
    """
    with read(engine) as conn:
        return verify_in(conn, changes=changes, rows=rows, progress=progress, trust=trust, pins=pins, tables=tables)


def verify_in(
    conn: Connection,
    *,
    changes: bool = False,
    rows: bool = False,
    progress: Callable[[int], None] | None = None,
    trust: Trust = trust_nothing,
    pins: Sequence[Pin] = (),
    tables: Sequence[ProtectedTable] | None = None,
) -> Verification:
    """Verify what a transaction sees; see `verify`."""
    tell = progress or (lambda _number: None)
    problems = Problems()
    change_count = row_count = None
    with contextlib.closing(Leaves()) as leaves:
        log = check_entries(conn, problems, leaves.said, tell, trust, pins)
        if changes or rows:
            change_count = leaves.check(conn, log, problems, tell)
        if rows:
            row_count = check_rows(conn, problems, protected_tables() if tables is None else tables, tell)
    return Verification(
        entries=log.tree.size,
        signed=log.signed,
        changes=change_count,
        rows=row_count,
        problems=tuple(problems.first),
        problem_count=problems.total,
        root=log.tree.root(),
        pruned=log.pruned,
        pruned_by=log.marks[0].seq if log.pruned and log.marks else None,
    )
