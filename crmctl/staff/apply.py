"""The one way staff data changes: rows, their changes and the audit entry in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from crmctl import clock
from crmctl.audit import entries
from crmctl.audit.changes import (
    CHANGE_COLUMNS,
    After,
    Before,
    Changes,
    Summary,
    clear_hash,
    clear_json,
    fields_json,
)
from crmctl.audit.objects import ProtectedTable
from crmctl.audit.tables import change
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.store import bulk, counters, engine

EVERYTHING = fields_json(frozenset())  # a creation is of all fields; they are not repeated on every row
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Write:
    """One row to be written: as it is (None: new) and as it is to be, in canonical primitives; which fields differ."""

    of: ProtectedTable
    before: Row | None
    after: Row
    fields: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Plan:
    """What is to be written, what that makes of its object, and what the audit entry says besides.

    `row` is the object's row as it will be, also where nothing is written.
    """

    writes: tuple[Write, ...]
    outcome: str
    entry: Mapping[str, Any]
    row: Row = field(default_factory=dict)


def stamped(run: Run, before: Row | None, values: Row) -> dict[str, Any]:
    """Return a row with the times and the version it is written with."""
    at = clock.stamp(run.at)
    if before is None:
        return {**values, "created_at": at, "updated_at": at, "version": 1}
    return {**before, **values, "updated_at": at, "version": before["version"] + 1}


def number(run: Run, conn: Connection, counter: str) -> int:
    """Return a new number; 0 in a dry run, which takes none."""
    return 0 if run.dry_run else counters.take(conn, counter, 1)


def carry_out(run: Run, decide: Callable[[Connection], Plan]) -> tuple[Run, Plan]:
    """Decide and write in one transaction, which others who change staff wait for; return the numbered run and plan.

    What `decide` raises is recorded as how the run ended, and nothing is written. A dry run only decides. A run
    without writes is logged as well: somebody asked for it.
    """
    if run.dry_run:
        with engine.read(run.engine) as conn:
            return run, decide(conn)
    run = runs.begin(run)
    with runs.recorded_failure(run), engine.write(run.engine) as conn:
        keep_others_out(conn)
        plan = decide(conn)
        first = counters.take(conn, "change", len(plan.writes)) if plan.writes else 0
        summary = write(conn, run, plan.writes, chunk=0, first_change=first)
        counts = {plan.outcome: 1}
        runs.finish(conn, run, "done", 0, counts)
        body = run.entry("done", at=clock.now(), counts=counts, **logged(summary, 0), **plan.entry)
        entries.append(conn, body)
    return run, plan


def keep_others_out(conn: Connection) -> int:
    """Wait for whoever else changes staff, then keep them waiting until this transaction ends; return the next id."""
    return counters.take(conn, "staff", 0)  # its row is locked from here on; SQLite's writers take turns anyway


def logged(summary: Summary, chunk: int) -> dict[str, Any]:
    """Return what the audit entry of a chunk says of its changes."""
    if not summary.changes:
        return {}
    return {"chunk": chunk, "changes": summary.changes, "changes_root": summary.root}


def write(conn: Connection, run: Run, writes: Sequence[Write], *, chunk: int, first_change: int) -> Summary:
    """Write rows and their changes within the caller's transaction; return what its audit entry must say of them.

    A row may be written several times: each is a change, the last is what the row will be.
    """
    changes = Changes(run.run_id or 0, chunk, first_change)
    for item in writes:
        of = (0, item.of.code, item.after[item.of.id_column])
        after = After(clear_hash(item.after), None)
        if item.before is None:
            changes.create(of, EVERYTHING, after)
        else:
            text = clear_json(item.before)
            before = Before(text.decode(), None, clear_hash(item.before), None)
            changes.update(of, item.after["version"], fields_json(item.fields), before, after)
    for table in {item.of.code: item.of for item in writes}.values():
        _rows(conn, table, [item for item in writes if item.of is table])
    bulk.insert_rows(conn, change, CHANGE_COLUMNS, changes.take())
    return changes.summary()


def _rows(conn: Connection, table: ProtectedTable, writes: Sequence[Write]) -> None:
    key = table.id_column
    ordered = (key, *(name for name in table.clear_columns if name != key))
    created = {item.after[key] for item in writes if item.before is None}
    last = {item.after[key]: tuple(map(item.after.get, ordered)) for item in writes}
    new = [row for number, row in last.items() if number in created]
    changed = [row for number, row in last.items() if number not in created]
    if new:
        bulk.insert_rows(conn, table.table, ordered, new)
    if changed and bulk.update_rows(conn, table.table, ordered[:1], ordered[1:], changed) != len(changed):
        raise AssertionError("a row that was read is not there any more, though the lock was held")
