"""The quarantine of a batch: why rows were kept out, and a file of them for correction (design §8)."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

import orjson
from sqlalchemy import Connection, select

from crmctl import clock, files
from crmctl.audit import entries
from crmctl.errors import Refused
from crmctl.i18n import _, lang
from crmctl.runs import plans, staying
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.security.sealing import DataKey, Sealer
from crmctl.sheets import batches, kinds, tables
from crmctl.sheets.formats.texts import inert
from crmctl.sheets.policy import SheetSettings
from crmctl.sheets.reasons import reason_text, suggestion_text
from crmctl.store import engine
from crmctl.use import copies


@dataclass(frozen=True)
class Summary:
    """One batch with what is sealed about it, and how many rows each reason rejected; no file of one destroyed."""

    batch: batches.Batch
    file: str | None
    header: list[str]
    reasons: dict[str, int]
    key: DataKey | None


@dataclass(frozen=True)
class Written:
    """A file of rejected rows: the run that wrote it and how many rows it holds."""

    run_id: int | None
    rows: int


def summary(run: Run, batch_id: int) -> Summary:
    """Return a batch and its reasons of rejection. Raises Refused when there is none of that number."""
    with engine.read(run.engine) as conn:
        batch = batches.find(conn, batch_id)
    if batch.destroyed_at is not None:
        return Summary(batch, None, [], {}, None)
    key = run.keys.key("batch", batch_id)
    info = batches.open_info(Sealer(run.workspace.instance), key, batch.sealed)
    counts = reason_counts(run, batch_id)
    ordered = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
    name = _("standard input") if info["name"] == "-" else info["name"]
    return Summary(batch, name, info["header"], ordered, key)


def reason_counts(run: Run, batch_id: int) -> dict[str, int]:
    """Return how many rows of a batch each reason rejected."""
    counts: dict[str, int] = {}
    for _number, found, _state in _reasons(run, batch_id):
        for code in {reason["code"] for reason in found}:
            counts[code] = counts.get(code, 0) + 1
    return counts


def _reasons(run: Run, batch_id: int) -> Iterator[tuple[int, list[dict[str, Any]], str]]:
    columns = tables.rejected_row.c
    after = 0
    while True:
        query = (
            select(columns.row_number, columns.reasons, columns.state)
            .where(columns.batch_id == batch_id, columns.row_number > after)
            .order_by(columns.row_number)
            .limit(5000)
        )
        with engine.read(run.engine) as conn:
            rows = conn.execute(query).all()
        for number, reasons, state in rows:
            yield number, orjson.loads(reasons), state
        if len(rows) < 5000:
            return
        after = rows[-1][0]


def reasons(run: Run, batch_id: int, limit: int) -> list[tuple[Any, ...]]:
    """Return (row, code, field, reason, suggestion, state, candidates) of the first rejected rows."""
    with engine.read(run.engine) as conn:
        batch = batches.find(conn, batch_id)
    batches.require_there(batch)
    found: list[tuple[Any, ...]] = []
    settings = kinds.settings_of(run, batch.kind)
    for number, listed, state in _reasons(run, batch_id):
        for reason in listed:
            text, advice = reason_text(reason, settings), suggestion_text(reason["code"], settings)
            found.append((number, reason["code"], reason["field"], text, advice, state, reason.get("candidates", [])))
        if len(found) >= limit:
            break
    return found[:limit]


def field_label(run: Run, batch_id: int) -> Callable[[str], str]:
    """Return the function from the code of a field of a batch to what people call it."""
    with engine.read(run.engine) as conn:
        fields = kinds.settings_of(run, batches.find(conn, batch_id).kind).by_code
    return lambda code: fields[code].label(lang()) if code in fields else code


def export(run: Run, batch_id: int, path: Path) -> Written:
    """Write a batch's rejected rows to an owner-only file and note it in the register of copies.

    The entry is committed before the first cell is written, and the file appears only when it is whole.
    """
    about = summary(run, batch_id)
    batches.require_there(about.batch)
    assert about.key is not None
    sealer = Sealer(run.workspace.instance)
    total = about.batch.counts["rejected"]
    run = runs.record_reading(run, batch=batch_id, n=total, codes=["REJECTS_EXPORTED"])
    with files.atomic_output(path) as stream:
        with engine.read(run.engine) as conn:
            rows = batches.rejected_rows(conn, batch_id, sealer, about.key)
            digest, count = write_rows(stream, about.header, rows, kinds.settings_of(run, about.batch.kind))
        _register(run, batch_id, digest, count, path, about.key, stream.tell())
    return Written(run.run_id, count)


def write_rows(
    stream: BinaryIO, header: Sequence[str], rows: Iterator[batches.RejectedRow], settings: SheetSettings
) -> tuple[str, int]:
    """Write rejected rows as CSV with BOM: source columns, then row, code, reason, suggestion. Return hash, count."""
    extra = ("row", "code", "reason", "suggestion")
    digest, count = sha256(), 0

    def put(cells: Sequence[str], start: str = "") -> None:
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="\r\n").writerow([inert(cell) for cell in cells])
        data = (start + buffer.getvalue()).encode("utf-8")
        digest.update(data)
        stream.write(data)

    put([*header, *(f"crmctl_{name}" for name in extra)], "\ufeff")
    for row in rows:
        codes = "; ".join(dict.fromkeys(reason["code"] for reason in row.reasons))
        texts = "; ".join(reason_text(reason, settings) for reason in row.reasons)
        advice = "; ".join(dict.fromkeys(suggestion_text(reason["code"], settings) for reason in row.reasons))
        put([*_fitted(row.cells, len(header)), str(row.number), codes, texts, advice])
        count += 1
    return digest.hexdigest(), count


def _fitted(cells: list[str], width: int) -> list[str]:
    """Return exactly `width` cells: a torn row's surplus stays visible in the last one."""
    if len(cells) <= width:
        return [*cells, *[""] * (width - len(cells))]
    return [*cells[: width - 1], ",".join(cells[width - 1 :])]


def _register(run: Run, batch_id: int, digest: str, rows: int, path: Path, key: DataKey, size: int) -> None:
    with engine.write(run.engine) as conn:
        _require_kept(conn, batch_id)  # else the file never appears
        leaving = copies.Leaving("batch.rejects", digest, size, rows, batch_id=batch_id, place=(key, path))
        copies.register(conn, run, leaving)
        body = run.entry("done", act="copy.register", at=clock.now(), batch=batch_id, n=rows, source=digest)
        entries.append(conn, body)


def _require_kept(conn: Connection, batch_id: int) -> None:
    """Raise Refused where a purge destroyed the batch meanwhile, or is at work: it would not know of the file."""
    staying.keep_destruction_out(conn)
    batches.require_there(batches.find(conn, batch_id))
    purge = plans.unfinished(conn, plans.PURGE)
    if purge is not None:
        raise Refused(
            _("the purge of plan {plan} is not finished; it may destroy what would be written").format(plan=purge),
            hint=_("wait until it is done, or finish it: crmctl purge run {plan}").format(plan=purge),
            code="PURGE_UNFINISHED",
        )
