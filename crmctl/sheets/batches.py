"""Batches: one import each, with its counts, its cursor and its quarantine (design §5, §8)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, RowMapping, Select, insert, select, update

from crmctl import clock
from crmctl.audit import entries
from crmctl.audit.changes import Summary
from crmctl.errors import Refused
from crmctl.i18n import _
from crmctl.runs.run import Run
from crmctl.security.sealing import DataKey, Place, Sealer, pad
from crmctl.sheets import tables
from crmctl.sheets.model import COUNTS, REJECTED_SEALED
from crmctl.store import engine

BATCH_SEALED = Place("batch", "sealed")
CUSTOMER = "customer"  # the kind of batches from before there were others
UNFINISHED = ("running", "interrupted")


@dataclass(frozen=True)
class Batch:
    """One import as it stands: of a kind (`kinds.KINDS`), with the options it began with, and counts by outcome."""

    batch_id: int
    kind: str
    state: str
    source: str
    mode: str
    source_sha256: str
    source_bytes: int
    options: Mapping[str, Any]
    started_at: datetime
    ended_at: datetime | None
    cursor: int
    chunks: int
    counts: Mapping[str, int]
    sealed: bytes
    destroyed_at: datetime | None = None


@dataclass(frozen=True)
class RejectedRow:
    """A row in quarantine: its number in the source, why, and its original cells."""

    number: int
    reasons: list[dict[str, Any]]
    state: str
    cells: list[str]


class Part(NamedTuple):
    """A chunk as the log tells of it: which rows of the source, what became of them, why any were rejected."""

    ordinal: int
    first_row: int
    last_row: int
    counts: Mapping[str, int]
    reasons: Collection[str]


def create(conn: Connection, run: Run, batch_id: int, values: Mapping[str, Any], sealed: bytes) -> None:
    """Insert a batch in state running; `values` are kind, source, mode, options, source_sha256
    and source_bytes."""
    conn.execute(
        insert(tables.batch).values(
            batch_id=batch_id,
            run_id=run.run_id,
            state="running",
            started_at=run.at,
            chunks=0,
            **dict.fromkeys(COUNTS, 0),
            **{"cursor": 1, **values, "options": dumps(values["options"])},
            sealed=sealed,
        )
    )


def set_state(conn: Connection, batch_id: int, state: str, at: datetime | None = None) -> None:
    """Set the state of a batch, and when it ended."""
    conn.execute(update(tables.batch).where(tables.batch.c.batch_id == batch_id).values(state=state, ended_at=at))


def progress(conn: Connection, batch_id: int, last_row: int, counts: Mapping[str, int]) -> None:
    """Note in a chunk's transaction how far a batch has come: the last source row, and what became of its rows."""
    columns = tables.batch.c
    add = {name: columns[name] + counts[name] for name in COUNTS}
    values = {"cursor": last_row, "chunks": columns.chunks + 1, **add}
    conn.execute(update(tables.batch).where(columns.batch_id == batch_id).values(**values))


def log(conn: Connection, run: Run, batch_id: int, part: Part, changes: Summary) -> None:
    """Append the audit entry of a chunk, which commits to its changes: last in its transaction (design §5)."""
    body = run.entry(
        "done",
        at=clock.now(),
        batch=batch_id,
        chunk=part.ordinal,
        rows=[part.first_row, part.last_row],
        counts=part.counts,
        codes=sorted(part.reasons),
        changes=changes.changes,
        changes_root=changes.root if changes.changes else None,
    )
    entries.append(conn, body)


def find(conn: Connection, batch_id: int) -> Batch:
    """Return a batch. Raises Refused when there is none of that number."""
    row = conn.execute(_all().where(tables.batch.c.batch_id == batch_id)).mappings().first()
    if row is None:
        raise Refused(
            _("there is no batch {batch}").format(batch=batch_id),
            hint=_("see: crmctl batch list"),
            code="BATCH_UNKNOWN",
        )
    return _batch(row)


def unfinished(conn: Connection, sha256: str) -> Batch | None:
    """Return the batch of the same bytes that was begun and not finished."""
    columns = tables.batch.c
    query = _all().where(columns.source_sha256 == sha256, columns.state.in_(UNFINISHED), columns.destroyed_at.is_(None))
    row = conn.execute(query.order_by(columns.batch_id.desc())).mappings().first()
    return None if row is None else _batch(row)


def require_there(batch: Batch) -> None:
    """Raise Refused for a batch whose key was destroyed, with its rejected rows."""
    if batch.destroyed_at is not None:
        raise Refused(
            _("batch {batch}: its rejected rows, and what was sealed of it, were destroyed").format(
                batch=batch.batch_id
            ),
            hint=_("counts and hash of its file are there still: crmctl batch show {batch}").format(
                batch=batch.batch_id
            ),
            code="BATCH_DESTROYED",
        )


def newest(conn: Connection, limit: int, before: int | None = None) -> list[Batch]:
    """Return batches, newest first; `before` pages on."""
    query = _all().order_by(tables.batch.c.batch_id.desc()).limit(limit)
    if before is not None:
        query = query.where(tables.batch.c.batch_id < before)
    return [_batch(row) for row in conn.execute(query).mappings()]


def _all() -> Select[Any]:
    return select(tables.batch)


def _batch(row: RowMapping) -> Batch:
    kept = {name: row[name] for name in Batch.__dataclass_fields__ if name in row}
    kept["kind"] = kept["kind"] or CUSTOMER
    return Batch(**{**kept, "options": orjson.loads(row["options"]), "counts": {name: row[name] for name in COUNTS}})


def seal_info(sealer: Sealer, key: DataKey, info: Mapping[str, Any]) -> bytes:
    """Return the sealed part of a batch: file name and header may name people."""
    return sealer.seal(key, BATCH_SEALED, pad(orjson.dumps(info)))


def open_info(sealer: Sealer, key: DataKey, sealed: bytes) -> dict[str, Any]:
    """Return the sealed part of a batch: `name`, `path`, `header`."""
    info: dict[str, Any] = orjson.loads(sealer.open(key, BATCH_SEALED, sealed))
    return info


def rejected_rows(conn: Connection, batch_id: int, sealer: Sealer, key: DataKey) -> Iterator[RejectedRow]:
    """Yield a batch's quarantine in source order, in flat memory."""
    columns = tables.rejected_row.c
    after = 0
    while True:
        query = select(tables.rejected_row).where(columns.batch_id == batch_id, columns.row_number > after)
        rows = conn.execute(query.order_by(columns.row_number).limit(1000)).mappings().all()
        for row in rows:
            cells = orjson.loads(sealer.open(key, REJECTED_SEALED, row["sealed"], row["row_number"]))
            yield RejectedRow(row["row_number"], orjson.loads(row["reasons"]), row["state"], cells)
        if len(rows) < 1000:
            return
        after = rows[-1]["row_number"]


def spool_file(run: Run, batch_id: int) -> Path:
    """Return where the sealed standard input of a batch lies until the batch ends."""
    return run.workspace.spool / f"batch-{batch_id}.sealed"


def forget_leftovers(run: Run) -> None:
    """Remove keys and spools of batches that never came to be or are finished: a killed import may leave them.

    The caller holds the import's lock, so nothing of it is in use.
    """
    with engine.write(run.engine) as conn:
        entries.settle(conn)
    with engine.read(run.engine) as conn:
        columns = tables.batch.c
        rows = conn.execute(select(columns.batch_id, columns.state, columns.destroyed_at)).all()
    known = {number for number, _state, _destroyed in rows}
    unfinished = {number for number, state, destroyed in rows if state in UNFINISHED and destroyed is None}
    run.keys.remove("batch", [number for number in run.keys.owner_ids("batch") if number not in known])
    for path in run.workspace.spool.iterdir():
        match = _SPOOL.match(path.name)
        if match and (path.name.startswith(".") or int(match.group(1)) not in unfinished):
            path.unlink(missing_ok=True)


_SPOOL = re.compile(r"\.?batch-([0-9]+)\.")


def dumps(value: object) -> str:
    """Return canonical JSON text for a `JsonText` column."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
