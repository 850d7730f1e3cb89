"""`customer import`: how a file of customers is read, decided and written; the rest is `sheets.intake` (design §8)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from sqlalchemy import select

from crmctl import clock
from crmctl.customers import barred, facts, merge, named_owners, orphans, record
from crmctl.customers.build import Recipe
from crmctl.customers.importing import Import
from crmctl.customers.live import Live
from crmctl.customers.pipeline import InProcess, Line, SecondProcess, Task
from crmctl.customers.reading import CustomerReading, outside_lists
from crmctl.customers.records import settings_of
from crmctl.customers.rehearsal import Rehearsal
from crmctl.runs.limits import Limits
from crmctl.runs.run import Run
from crmctl.security.identity import BlindIndex
from crmctl.security.sealing import Sealer
from crmctl.sheets import batches, intake
from crmctl.sheets.intake import Begun, Importer, Tell
from crmctl.sheets.model import Totals
from crmctl.sheets.origin import Request, looked_at
from crmctl.sheets.outcome import Outcome
from crmctl.sheets.reading import Place
from crmctl.store import counters, engine

WORTH_A_PROCESS = 3_000  # rows: starting a second process costs about half a second
_SURELY_WORTH_IT = 1_000_000  # bytes of a file that need not be looked at to know


def start(run: Run, request: Request, tell: Tell) -> Outcome:
    """Import a file of customers, or say what importing it would do (`run.dry_run`)."""
    with _early(request) as early:
        return intake.start(run, importer(early), request, tell)


def importer(early: SecondProcess | None = None) -> Importer:
    """Return how customers are imported; `early` is a second process that is starting already."""
    return Importer(
        kind=batches.CUSTOMER,
        inspect=_inspected,
        notes=_notes,
        work=partial(_work, early=early),
        mend=orphans.remove_orphan_keys,
    )


def _inspected(run: Run, request: Request, place: Place) -> CustomerReading:
    settings = settings_of(run)
    place, info = looked_at(request, place, settings)
    roster = None
    if info.mapping.has(named_owners.FIELD):
        with engine.read(run.engine) as conn:
            roster = named_owners.roster(conn, run)
    return CustomerReading(
        place=place,
        info=info,
        options=request.options,
        settings=settings,
        outside=outside_lists(run.policies),
        zone=run.zone,
        at=run.at,
        roster=roster,
    )


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


def _notes(run: Run) -> dict[str, int]:
    """Return the number below which customers are older than the batch."""
    with engine.read(run.engine) as conn:
        query = select(counters.counter.c.next_value).where(counters.counter.c.name == "customer")
        return {"newcomers": int(conn.execute(query).scalar_one_or_none() or 1)}


def _work(run: Run, begun: Begun, tell: Tell, early: SecondProcess | None) -> Totals:
    request, reading = begun.request, begun.reading
    assert isinstance(reading, CustomerReading)
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
    index = BlindIndex(index_keys[epoch], epoch)
    fenced = None if request.recreate else barred.of(run, request.source)
    task = Task(recipe, index, request.source, request.chunk, begun.after, reading, fenced)
    epochs = sorted(index_keys)
    ground = Rehearsal(run, begun.batch_id, epochs) if run.dry_run else Live(run, begun.batch_id, epochs)
    line = _line(begun, task, early)
    try:
        work = Import(
            line=line,
            ground=ground,
            mode=request.mode,
            after=begun.after,
            chunk=begun.chunk,
            allowed=_allowed(run, request.max_changes),
            newcomers=begun.notes["newcomers"],
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


def _line(begun: Begun, task: Task, early: SecondProcess | None) -> Line:
    wanted = begun.request.second_process
    if early is None and (begun.reading.info.records < WORTH_A_PROCESS if wanted is None else not wanted):
        return InProcess(task)
    return (early or SecondProcess()).begin(task)
