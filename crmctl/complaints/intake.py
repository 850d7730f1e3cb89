"""`complaint import`: how a sheet of complaints is read, decided, written; the rest is `sheets.intake` (design §8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

from crmctl import staff
from crmctl.complaints import drafting, provisional
from crmctl.complaints.ground import Live, Rehearsal
from crmctl.complaints.importing import Import, Rules
from crmctl.complaints.ruling import Rulings
from crmctl.complaints.sheetpolicy import ComplaintSheetSettings
from crmctl.complaints.sheetrows import SheetRows
from crmctl.customers.orphans import remove_orphan_keys
from crmctl.customers.packing import ident_function
from crmctl.policy.policyset import PolicySet
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.security.identity import BlindIndex
from crmctl.sheets import intake
from crmctl.sheets.intake import Begun, Importer, Tell
from crmctl.sheets.model import Totals
from crmctl.sheets.origin import Request, looked_at
from crmctl.sheets.outcome import Outcome
from crmctl.sheets.policy import SheetSettings
from crmctl.sheets.readers import Context
from crmctl.sheets.reading import Place, Reading
from crmctl.store import engine


@dataclass(frozen=True)
class Wish:
    """How rows are taken: from long ago as well, of people nobody knows as well; words for those that lack them."""

    migrated: bool = False
    unidentified: bool = False
    channel: str = ""
    category: str = ""


def start(run: Run, request: Request, wish: Wish, tell: Tell) -> Outcome:
    """Import a sheet of complaints, or say what importing it would do (`run.dry_run`).

    Raises InvalidInput, before anything is written, where complainants could not be told a time limit.
    """
    drafting.require_limit(run, provisional.nobody(run))
    return intake.start(run, importer(wish), request, tell)


def importer(wish: Wish | None = None) -> Importer:
    """Return how complaints are imported; a batch that is resumed remembers its wish."""
    asked = wish or Wish()
    return Importer(
        kind="complaint",
        inspect=_inspected,
        notes=lambda _run: asdict(asked),
        work=_work,
        mend=remove_orphan_keys,
        told=("MIGRATED",) if asked.migrated else (),
    )


def settings_of(run: Run) -> ComplaintSheetSettings:
    """Return the policy of sheets of complaints, with what it shares with the customers policy."""
    return shared(run.policies)


def shared(policies: PolicySet) -> ComplaintSheetSettings:
    """Return the same, of any set of policies."""
    found = cast("ComplaintSheetSettings", policies.settings("complaint_sheet"))
    return found.sharing(cast("SheetSettings", policies.settings("customers")))


def _inspected(run: Run, request: Request, place: Place) -> Reading:
    settings = settings_of(run)
    place, info = looked_at(request, place, settings)
    return Reading(place, info, request.options, settings, {}, run.zone, run.at)


def _work(run: Run, begun: Begun, tell: Tell) -> Totals:
    request, reading, wish = begun.request, begun.reading, _wish(begun.notes)
    epoch, index_keys = run.keys.index_keys()
    day = runs.today(run.policies, run.at)
    with engine.read(run.engine) as conn:
        everybody = staff.directory(conn)
    rows = SheetRows(
        reading.info.mapping,
        Context(reading.settings, reading.zone, reading.at, reading.outside),
        ident_function(BlindIndex(index_keys[epoch], epoch), request.source),
        everybody,
        {"channel": wish.channel, "category": wish.category},
    )
    ground = Rehearsal if run.dry_run else Live
    work = Import(
        run=run,
        convert=rows.row,
        ground=ground(run, begun, sorted(index_keys)),
        rules=Rules(
            request.source, wish.migrated, wish.unidentified, f"batch {begun.batch_id}", day
        ),
        staff=everybody,
        nobody=provisional.nobody(run),
        rulings=Rulings(run.policies, day),
        tell=tell,
        totals=begun.totals,
        chunk=begun.chunk,
        after=begun.after,
    )  # fmt: skip
    return work.work(reading.blocks(request.chunk, begun.after))


def _wish(notes: Mapping[str, Any]) -> Wish:
    return Wish(**{name: notes[name] for name in Wish.__dataclass_fields__})
