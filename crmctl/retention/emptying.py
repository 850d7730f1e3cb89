"""The rejected rows of a plan's imports destroyed: their keys, then every row, then what is sealed of each import.

It is done again without harm, killed anywhere. Imports wait while a purge runs.
"""

from __future__ import annotations

import contextlib

from sqlalchemy import Connection, delete, func, select, update

from crmctl import clock
from crmctl.audit import entries
from crmctl.retention import records, rejected, unowned
from crmctl.retention.judging import SPARED
from crmctl.retention.records import PROBE_BYTES
from crmctl.retention.rejected import IMPORTS, Import
from crmctl.retention.unowned import Require
from crmctl.runs.run import Run
from crmctl.runs.tables import plan_item
from crmctl.security.sealing import TAG_BYTES
from crmctl.sheets import batches
from crmctl.sheets.tables import batch, rejected_row
from crmctl.store import engine

AT_ONCE = 20_000  # rows in one transaction
_PROBED = 2  # rows of an import


def empty(run: Run, number: int, require: Require) -> None:
    """Destroy keys, rejected rows and sealed texts of the imports that a plan has settled to go.

    `require` says whether an item is what was fixed; what it was asked about is what is destroyed.
    """
    with engine.read(run.engine) as conn:
        item = unowned.of(conn, number, IMPORTS)
        if item is None:
            return
        require(conn, number, (item,))
    gone, spared = unowned.going(item, rejected.read(item))
    run.keys.remove("batch", [each.batch_id for each in gone], reference=records.reference(number))
    for each in gone:
        _empty(run, number, each)
    with engine.write(run.engine) as conn:
        counts = records.begun(conn, number).counts
        told = {
            "destroyed": [[each.batch_id, each.rows] for each in gone],
            SPARED: {str(batch_id): why for batch_id, why in spared.items()},
        }
        records.set_values(conn, number, counts=records.dumps({**counts, "imports": told}))
        conn.execute(delete(plan_item).where(*unowned.where(number, IMPORTS)))


def _empty(run: Run, number: int, each: Import) -> None:
    columns = rejected_row.c
    theirs = columns.batch_id == each.batch_id
    with engine.read(run.engine) as conn:
        probes = _probes(conn, each.batch_id)
    last: int | None = 0
    while last is not None:
        if run.held is not None:
            run.held.check()
        with engine.write(run.engine) as conn:
            numbers = select(columns.row_number).where(theirs).order_by(columns.row_number)
            last = conn.execute(numbers.offset(AT_ONCE - 1).limit(1)).scalar_one_or_none()
            part = theirs if last is None else theirs & (columns.row_number <= last)
            removed = conn.execute(delete(rejected_row).where(part)).rowcount
            records.add(conn, run, number, {"rejected_row": removed} if removed else {}, probes, of="imports")
            if last is None:
                _close(conn, run, number, each)
        probes = []
    with contextlib.suppress(FileNotFoundError):  # of one that was never finished; its key is gone
        batches.spool_file(run, each.batch_id).unlink()


def _close(conn: Connection, run: Run, number: int, each: Import) -> None:
    """Empty what is sealed of an import, once, with its entry."""
    columns = batch.c
    open_ = (columns.batch_id == each.batch_id, columns.destroyed_at.is_(None))
    if conn.execute(update(batch).where(*open_).values(sealed=b"", destroyed_at=run.at)).rowcount:
        body = run.entry("done", at=clock.now(), obj=records.reference(number), batch=each.batch_id, n=each.rows)
        entries.append(conn, body)


def _probes(conn: Connection, number: int) -> list[bytes]:
    """Return pieces of what is sealed of an import and of some of its rows, to be searched for in the files."""
    columns = rejected_row.c
    query = select(columns.sealed).where(columns.batch_id == number).order_by(columns.row_number).limit(_PROBED)
    own = select(batch.c.sealed).where(batch.c.batch_id == number, func.length(batch.c.sealed) > 0)
    sealed = [*conn.execute(query).scalars(), *conn.execute(own).scalars()]
    return [bytes(each[-PROBE_BYTES - TAG_BYTES : -TAG_BYTES]) for each in sealed]
