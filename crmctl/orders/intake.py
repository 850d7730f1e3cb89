"""`order import`: how a file of orders is read, decided and written; the rest is `sheets.intake` (design §8)."""

from __future__ import annotations

from crmctl import clock
from crmctl.customers.packing import ident_function
from crmctl.orders import facts
from crmctl.orders.ground import Live, Rehearsal
from crmctl.orders.importing import Import, Quarantine
from crmctl.orders.policy import OrdersSettings
from crmctl.orders.rates import rates_of
from crmctl.orders.records import settings_of
from crmctl.orders.rows import Rows
from crmctl.orders.seen import Seen
from crmctl.runs.limits import Limits
from crmctl.runs.run import Run
from crmctl.security.identity import BlindIndex
from crmctl.security.sealing import Sealer
from crmctl.sheets import intake
from crmctl.sheets.intake import Begun, Importer, Tell
from crmctl.sheets.model import Totals
from crmctl.sheets.origin import Request, looked_at
from crmctl.sheets.outcome import Outcome
from crmctl.sheets.readers import Context
from crmctl.sheets.reading import Place, Reading
from crmctl.store import engine


def start(run: Run, request: Request, tell: Tell) -> Outcome:
    """Import a file of orders, or say what importing it would do (`run.dry_run`)."""
    return intake.start(run, importer(), request, tell)


def importer() -> Importer:
    """Return how orders are imported."""
    return Importer(
        kind="order",
        inspect=_inspected,
        notes=lambda _run: {},
        work=_work,
        mend=lambda _run, _batch: None,  # a killed chunk leaves nothing behind
    )


def _inspected(run: Run, request: Request, place: Place) -> Reading:
    settings = settings_of(run)
    place, info = looked_at(request, place, settings)
    return Reading(place, info, request.options, settings, {}, run.zone, run.at)


def _work(run: Run, begun: Begun, tell: Tell) -> Totals:
    request, reading = begun.request, begun.reading
    settings = reading.settings
    assert isinstance(settings, OrdersSettings)
    epoch, index_keys = run.keys.index_keys()
    context = Context(settings, reading.zone, reading.at, reading.outside)
    ident = ident_function(BlindIndex(index_keys[epoch], epoch), request.source)
    rows = Rows(reading.info.mapping, context, ident, rates_of(run.policies, settings))
    seen = Seen()
    ground = Rehearsal if run.dry_run else Live
    work = Import(
        convert=rows.row,
        ground=ground(run, begun.batch_id, request.source, sorted(index_keys), seen),
        quarantine=Quarantine(begun.batch_id, begun.key, Sealer(run.workspace.instance)),
        source=request.source,
        at=clock.stamp(reading.at),
        chunk=begun.chunk,
        after=begun.after,
        allowed=_allowed(run, request.max_changes),
        tell=tell,
        totals=begun.totals,
    )
    try:
        if begun.chunk:
            work.recall(reading.blocks(request.chunk, reading.info.header_number))
        return work.run(reading.blocks(request.chunk, begun.after))
    finally:
        seen.close()


def _allowed(run: Run, override: int | None) -> int | None:
    """Return how many orders this run may change, from the policy's limits and the base (design §4)."""
    stated = run.policies.policy("orders").limits
    percent = None if stated.max_percent is None else float(stated.max_percent)
    limits = Limits(stated.max_changes, percent)
    if override is not None or limits == Limits():
        return override
    with engine.read(run.engine) as conn:
        return limits.allowed(facts.count(conn))
