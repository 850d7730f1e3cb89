"""`customer import` and `batch resume`: from a file to committed customers (design §8).

Looking at the file writes nothing. The batch is committed before its first chunk; what interrupts it leaves a batch
that `resume` finishes from its cursor.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from sqlalchemy import select

from crmctl import clock
from crmctl.audit import entries
from crmctl.customers import batches, facts, merge, quarantine, record
from crmctl.customers.build import COUNTS, Recipe
from crmctl.customers.importing import Import, Totals
from crmctl.customers.live import Live
from crmctl.customers.origin import Request, inspected, place_of, request_of, second_spool, unit_text
from crmctl.customers.outcome import Outcome
from crmctl.customers.pipeline import InProcess, Line, SecondProcess, Task
from crmctl.customers.reading import Reading
from crmctl.customers.rehearsal import Rehearsal
from crmctl.errors import LimitExceeded, Refused
from crmctl.i18n import _
from crmctl.runs import run as runs
from crmctl.runs.limits import Limits
from crmctl.runs.run import Run
from crmctl.security.identity import BlindIndex
from crmctl.security.sealing import DataKey, Sealer
from crmctl.store import counters, engine

WORTH_A_PROCESS = 3_000  # rows: starting a second process costs about half a second
_SURELY_WORTH_IT = 1_000_000  # bytes of a file that need not be looked at to know

Tell = Callable[[int], None]


@dataclass(frozen=True)
class _Begun:
    """A batch about to be read: where from, under which key, from where on."""

    batch_id: int
    key: DataKey
    reading: Reading
    request: Request
    after: int
    chunk: int
    newcomers: int
    totals: Totals
    early: SecondProcess | None
    read_before: int = 0


def start(run: Run, request: Request, tell: Tell) -> Outcome:
    """Import a file, or say what importing it would do (`run.dry_run`)."""
    began = time.monotonic()
    if run.dry_run:
        return _rehearse(run, request, tell, began)
    batches.forget_leftovers(run)
    with _early(request) as early, contextlib.ExitStack() as stack:
        batch_id = counters.take(run.engine, "batch", 1)
        key = run.keys.wrapper.new_keys("batch", [batch_id])[0]
        run.keys.add(run.keys.wrapper.wrap([key]))
        stack.callback(_forget_batch, run, batch_id)  # until the batch itself is committed
        spool = batches.spool_file(run, batch_id)
        place = place_of(request.file, key, Sealer(run.workspace.instance), spool)
        reading = inspected(run, request, place)
        _refuse_unfinished(run, reading.info.sha256)
        run = runs.begin(run)
        stack.pop_all()
        newcomers = _open_batch(run, request, reading, batch_id, key)
        begun = _Begun(batch_id, key, reading, request, reading.info.header_number, 0, newcomers, Totals(), early)
        return _finish(run, begun, tell, began)


def resume(
    run: Run, batch_id: int, file: str, max_changes: int | None, tell: Tell, rejects: Path | None = None
) -> Outcome:
    """Finish an interrupted batch from its cursor. Raises Refused when it is finished or the bytes differ."""
    began = time.monotonic()
    batches.forget_leftovers(run)
    with engine.read(run.engine) as conn:
        batch = batches.find(conn, batch_id)
    if batch.state not in batches.UNFINISHED:
        raise Refused(
            _("batch {batch}: is finished").format(batch=batch_id),
            hint=_("see: crmctl batch show {batch}").format(batch=batch_id),
            code="BATCH_FINISHED",
        )
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
    reading = replace(inspected(run, request, place), at=batch.started_at)
    if reading.info.sha256 != batch.source_sha256:
        second_spool(run, batch_id).unlink(missing_ok=True)
        raise Refused(
            _("batch {batch}: these are other bytes than it began with").format(batch=batch_id),
            hint=_("give the same file, or import this one as a batch of its own"),
            code="BATCH_OTHER_FILE",
        )
    run = runs.begin(run)
    batches.remove_orphan_keys(run, batch_id)
    with engine.write(run.engine) as conn:
        batches.set_state(conn, batch_id, "running")
        entries.append(conn, run.entry("begun", batch=batch_id, source=reading.info.sha256))
    totals = Totals(dict(batch.counts), quarantine.reason_counts(run, batch_id))
    newcomers = int(batch.options["newcomers"])
    read = batch.counts["read"]
    begun = _Begun(batch_id, key, reading, request, batch.cursor, batch.chunks, newcomers, totals, None, read)
    return _finish(run, begun, tell, began)


def _rehearse(run: Run, request: Request, tell: Tell, began: float) -> Outcome:
    key = run.keys.wrapper.new_keys("batch", [1 << 40])[0]
    with _early(request) as early, contextlib.ExitStack() as stack:
        spool = run.workspace.spool / f"rehearsal-{os.getpid()}.sealed"
        stack.callback(spool.unlink, missing_ok=True)
        place = place_of(request.file, key, Sealer(run.workspace.instance), spool)
        reading = inspected(run, request, place)
        _refuse_unfinished(run, reading.info.sha256)
        newcomers = _next_customer(run)
        begun = _Begun(1 << 40, key, reading, request, reading.info.header_number, 0, newcomers, Totals(), early)
        totals = _import(run, begun, tell)
    return _outcome(run, begun, totals, began, None)


@contextlib.contextmanager
def _early(request: Request) -> Iterator[SecondProcess | None]:
    """Start a second process for a file surely worth it: it loads its modules while the file is looked at."""
    wanted = request.second_process
    if wanted is None:
        with contextlib.suppress(OSError):
            wanted = request.file != "-" and Path(request.file).stat().st_size >= _SURELY_WORTH_IT
    early = SecondProcess() if wanted else None
    try:
        yield early
    finally:
        if early is not None:
            early.close()


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


def _next_customer(run: Run) -> int:
    with engine.read(run.engine) as conn:
        query = select(counters.counter.c.next_value).where(counters.counter.c.name == "customer")
        return int(conn.execute(query).scalar_one_or_none() or 1)


def _open_batch(run: Run, request: Request, reading: Reading, batch_id: int, key: DataKey) -> int:
    """Commit the batch before its first chunk; return the number below which customers are older than it."""
    newcomers = _next_customer(run)
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
        "source": request.source,
        "mode": request.mode,
        "source_sha256": reading.info.sha256,
        "source_bytes": reading.info.size,
        "options": {
            **options,
            "chunk": request.chunk,
            "clear_blanks": request.clear_blanks,
            "header_number": reading.info.header_number,
            "newcomers": newcomers,
        },
    }
    with engine.write(run.engine) as conn:
        info = batches.seal_info(Sealer(run.workspace.instance), key, sealed)
        batches.create(conn, run, batch_id, {**values, "cursor": reading.info.header_number}, info)
        entries.append(conn, run.entry("begun", batch=batch_id, source=reading.info.sha256))
    return newcomers


def _finish(run: Run, begun: _Begun, tell: Tell, began: float) -> Outcome:
    with runs.recorded_failure(run), _interrupted(run, begun.batch_id):
        totals = _import(run, begun, tell)
        check_sums(totals)
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


def _import(run: Run, begun: _Begun, tell: Tell) -> Totals:
    request, reading = begun.request, begun.reading
    epoch, index_keys = run.keys.index_keys()
    sealer = Sealer(run.workspace.instance)
    settings = reading.settings
    terms = merge.Terms(
        settings=settings,
        completeness=record.Completeness(settings),
        sealer=sealer,
        source=request.source,
        at=clock.stamp(reading.at),
        names_types=reading.names_types,
        clear_blanks=request.clear_blanks,
    )
    recipe = Recipe(
        begun.batch_id, run.run_id or 0, begun.key, run.keys.wrapper, epoch, terms, request.mode != "create"
    )
    task = Task(recipe, BlindIndex(index_keys[epoch], epoch), request.source, request.chunk, begun.after, reading)
    epochs = sorted(index_keys)
    ground = Rehearsal(run, begun.batch_id, epochs) if run.dry_run else Live(run, begun.batch_id, epochs)
    line = _line(begun, task)
    try:
        work = Import(
            line=line,
            ground=ground,
            mode=request.mode,
            after=begun.after,
            chunk=begun.chunk,
            allowed=_allowed(run, request.max_changes),
            newcomers=begun.newcomers,
            policy="customers",
            tell=tell,
            totals=begun.totals,
        )
        return work.run()
    finally:
        line.close()
        ground.close()


def _allowed(run: Run, override: int | None) -> int | None:
    """Return how many older customers this run may change, from the policy's limits and the base (design §4)."""
    stated = run.policies.policy("customers").limits
    percent = None if stated.max_percent is None else float(stated.max_percent)
    limits = Limits(stated.max_changes, percent)
    if override is not None or limits == Limits():
        return override
    with engine.read(run.engine) as conn:
        return limits.allowed(facts.count(conn))


def _line(begun: _Begun, task: Task) -> Line:
    wanted = begun.request.second_process
    if begun.early is None and (begun.reading.info.records < WORTH_A_PROCESS if wanted is None else not wanted):
        return InProcess(task)
    return (begun.early or SecondProcess()).begin(task)


def check_sums(totals: Totals) -> None:
    """Assert that every row read had exactly one outcome: a difference is a bug, never a rounding."""
    counts = totals.counts
    parts = sum(counts[name] for name in ("created", "updated", "unchanged", "duplicate", "rejected"))
    if counts["read"] != parts:
        raise AssertionError(f"read {counts['read']} rows but accounted for {parts}")


def _outcome(run: Run, begun: _Begun, totals: Totals, began: float, rejects: str | None) -> Outcome:
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
