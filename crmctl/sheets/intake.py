"""From a file to a finished batch, whatever it brings: looking, beginning, resuming, ending (design §8).

Looking at the file writes nothing. The batch is committed before its first chunk; what interrupts it leaves a batch
that `resume` finishes from its cursor. What is special to customers, orders … is an `Importer`.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from crmctl import clock
from crmctl.audit import entries
from crmctl.errors import LimitExceeded, Refused
from crmctl.i18n import _
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.security.sealing import DataKey, Sealer
from crmctl.sheets import batches, keysteps, kinds, quarantine
from crmctl.sheets.model import COUNTS, Totals
from crmctl.sheets.origin import Request, place_of, request_of, second_spool, unit_text
from crmctl.sheets.outcome import Outcome
from crmctl.sheets.reading import Place, Reading
from crmctl.store import counters, engine

Tell = Callable[[int], None]
REHEARSED = 1 << 40  # the batch number of a dry run: one that is never given


@dataclass(frozen=True)
class Begun:
    """A batch about to be read: where from, under which key, from where on; `notes` are the importer's own."""

    batch_id: int
    key: DataKey
    reading: Reading
    request: Request
    after: int
    chunk: int
    notes: Mapping[str, Any]
    totals: Totals
    read_before: int = 0


@dataclass(frozen=True)
class Importer:
    """How files of one kind are imported.

    `inspect` looks at a file once; `notes` is what a batch must remember from before its first chunk; `work` reads,
    decides and writes all chunks, or rehearses them in a dry run; `mend` tidies up after a killed run.
    """

    kind: str
    inspect: Callable[[Run, Request, Place], Reading]
    notes: Callable[[Run], Mapping[str, Any]]
    work: Callable[[Run, Begun, Tell], Totals]
    mend: Callable[[Run, int], object]
    told: tuple[str, ...] = ()  # codes that the entry of the beginning has besides


def start(run: Run, importer: Importer, request: Request, tell: Tell) -> Outcome:
    """Import a file, or say what importing it would do (`run.dry_run`)."""
    began = time.monotonic()
    keysteps.require(run)
    if run.dry_run:
        return _rehearse(run, importer, request, tell, began)
    batches.forget_leftovers(run)
    with contextlib.ExitStack() as stack:
        batch_id = counters.take(run.engine, "batch", 1)
        key = run.keys.wrapper.new_keys("batch", [batch_id])[0]
        run.keys.add(run.keys.wrapper.wrap([key]))
        stack.callback(_forget_batch, run, batch_id)  # until the batch itself is committed
        spool = batches.spool_file(run, batch_id)
        place = place_of(request.file, key, Sealer(run.workspace.instance), spool)
        reading = importer.inspect(run, request, place)
        _refuse_unfinished(run, reading.info.sha256)
        run = runs.begin(run)
        stack.pop_all()
        begun = _begun(run, importer, batch_id, key, reading, request)
        _open_batch(run, importer, begun)
        return _finish(run, importer, begun, tell, began)


def resume(
    run: Run, batch_id: int, file: str, max_changes: int | None, tell: Tell, rejects: Path | None = None
) -> Outcome:
    """Finish an interrupted batch from its cursor. Raises Refused when it is finished or the bytes differ."""
    began = time.monotonic()
    keysteps.require(run)
    batches.forget_leftovers(run)
    with engine.read(run.engine) as conn:
        batch = batches.find(conn, batch_id)
    if batch.state not in batches.UNFINISHED:
        raise Refused(
            _("batch {batch}: is finished").format(batch=batch_id),
            hint=_("see: crmctl batch show {batch}").format(batch=batch_id),
            code="BATCH_FINISHED",
        )
    batches.require_there(batch)
    importer = kinds.importer_of(batch.kind)
    key = run.keys.key("batch", batch_id)
    sealer = Sealer(run.workspace.instance)
    info = batches.open_info(sealer, key, batch.sealed)
    request = request_of(batch, info, file, max_changes, rejects)
    spooled = not file and bool(info["spooled"])
    place = place_of(
        request.file,
        key,
        sealer,
        second_spool(run, batch_id) if not spooled else batches.spool_file(run, batch_id),
        spooled=spooled,
    )
    reading = replace(importer.inspect(run, request, place), at=batch.started_at)
    if reading.info.sha256 != batch.source_sha256:
        second_spool(run, batch_id).unlink(missing_ok=True)
        raise Refused(
            _("batch {batch}: these are other bytes than it began with").format(batch=batch_id),
            hint=_("give the same file, or import this one as a batch of its own"),
            code="BATCH_OTHER_FILE",
        )
    run = runs.begin(run)
    importer.mend(run, batch_id)
    with engine.write(run.engine) as conn:
        batches.set_state(conn, batch_id, "running")
        entries.append(conn, run.entry("begun", batch=batch_id, source=reading.info.sha256))
    totals = Totals(dict(batch.counts), quarantine.reason_counts(run, batch_id))
    begun = Begun(
        batch_id, key, reading, request, batch.cursor, batch.chunks, batch.options, totals, batch.counts["read"]
    )
    return _finish(run, importer, begun, tell, began)


def _rehearse(run: Run, importer: Importer, request: Request, tell: Tell, began: float) -> Outcome:
    key = run.keys.wrapper.new_keys("batch", [REHEARSED])[0]
    with contextlib.ExitStack() as stack:
        spool = run.workspace.spool / f"rehearsal-{os.getpid()}.sealed"
        stack.callback(spool.unlink, missing_ok=True)
        place = place_of(request.file, key, Sealer(run.workspace.instance), spool)
        reading = importer.inspect(run, request, place)
        _refuse_unfinished(run, reading.info.sha256)
        begun = _begun(run, importer, REHEARSED, key, reading, request)
        totals = importer.work(run, begun, tell)
    return _outcome(run, begun, totals, began, None)


def _begun(run: Run, importer: Importer, batch_id: int, key: DataKey, reading: Reading, request: Request) -> Begun:
    header = reading.info.header_number
    return Begun(batch_id, key, reading, request, header, 0, importer.notes(run), Totals())


def _refuse_unfinished(run: Run, sha256: str) -> None:
    with engine.read(run.engine) as conn:
        batch = batches.unfinished(conn, sha256)
    if batch is not None:
        raise Refused(
            _("batch {batch}: these bytes are being imported and not finished").format(batch=batch.batch_id),
            hint=_("continue with: crmctl batch resume {batch}").format(batch=batch.batch_id),
            code="BATCH_UNFINISHED",
            details={"batch": batch.batch_id},
        )


def _open_batch(run: Run, importer: Importer, begun: Begun) -> None:
    """Commit the batch before its first chunk."""
    request, reading = begun.request, begun.reading
    spooled = reading.place.spool_key is not None
    sealed = {
        "name": "-" if spooled else reading.info.name,
        "path": "" if spooled else str(reading.place.path),
        "header": list(reading.info.header),
        "mapping": dict(request.options.mapping),
        "spooled": spooled,
    }
    options = asdict(request.options)
    del options["mapping"]
    values = {
        "kind": importer.kind,
        "source": request.source,
        "mode": request.mode,
        "source_sha256": reading.info.sha256,
        "source_bytes": reading.info.size,
        "options": {
            **options,
            "chunk": request.chunk,
            "clear_blanks": request.clear_blanks,
            **({"recreate": True} if request.recreate else {}),
            "header_number": reading.info.header_number,
            **begun.notes,
        },
    }
    with engine.write(run.engine) as conn:
        info = batches.seal_info(Sealer(run.workspace.instance), begun.key, sealed)
        batches.create(conn, run, begun.batch_id, {**values, "cursor": reading.info.header_number}, info)
        body = run.entry(
            "begun",
            batch=begun.batch_id,
            source=reading.info.sha256,
            codes=[*importer.told, *(["RECREATE"] if request.recreate else [])],
        )
        entries.append(conn, body)


def _finish(run: Run, importer: Importer, begun: Begun, tell: Tell, began: float) -> Outcome:
    with runs.recorded_failure(run), _interrupted(run, begun.batch_id):
        totals = importer.work(run, begun, tell)
        totals.check()
        with engine.write(run.engine) as conn:
            batches.set_state(conn, begun.batch_id, "done", clock.now())
            status = 3 if totals.counts["rejected"] else 0
            runs.finish(conn, run, "done", status, totals.counts)
            body = run.entry("done", at=clock.now(), batch=begun.batch_id, counts=totals.counts)
            entries.append(conn, body)
    for spool in (batches.spool_file(run, begun.batch_id), second_spool(run, begun.batch_id)):
        spool.unlink(missing_ok=True)
    rejects = None
    if begun.request.rejects is not None and totals.counts["rejected"]:
        quarantine.export(run, begun.batch_id, begun.request.rejects)
        rejects = str(begun.request.rejects)
    return _outcome(run, begun, totals, began, rejects)


@contextlib.contextmanager
def _interrupted(run: Run, batch_id: int) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        with contextlib.suppress(Exception), engine.write(run.engine) as conn:
            batches.set_state(conn, batch_id, "interrupted")
        if isinstance(error, LimitExceeded):
            error.hint = _("if that is meant: crmctl batch resume {batch} --max-changes N (it is logged)").format(
                batch=batch_id
            )
        raise


def _forget_batch(run: Run, batch_id: int) -> None:
    """Remove the key and the spool of a batch that never came to be."""
    run.keys.remove("batch", [batch_id])
    batches.spool_file(run, batch_id).unlink(missing_ok=True)


def _outcome(run: Run, begun: Begun, totals: Totals, began: float, rejects: str | None) -> Outcome:
    info = begun.reading.info
    columns = [(column.header, column.field or column.why, unit_text(column.unit)) for column in info.mapping.columns]
    return Outcome(
        run_id=run.run_id,
        batch=None if run.dry_run else begun.batch_id,
        mode=begun.request.mode,
        counts={name: totals.counts[name] for name in COUNTS},
        reasons=dict(sorted(totals.reasons.items())),
        seconds=time.monotonic() - began,
        dry_run=run.dry_run,
        rows_now=totals.counts["read"] - begun.read_before,
        rejects_file=rejects,
        file={"kind": info.kind, "rows": info.records, "blank": info.blank, "remarks": info.remarks()},
        columns=columns,
        money=[asdict(figures) for figures in info.figures],
    )
