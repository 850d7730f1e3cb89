"""`crmctl batch …`: list, show, rejects, resume."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crmctl.cli.importing import IMPORT_EXITS
from crmctl.cli.options import Invocation, command
from crmctl.cli.render import Column, Table
from crmctl.i18n import N_, _

if TYPE_CHECKING:
    from crmctl.sheets.batches import Batch

EXITS = (0, 1, 2, 4, 6, 10, 11, 12, 74)
STATES = {
    "running": N_("running"),
    "interrupted": N_("interrupted"),
    "done": N_("done"),
}
ROW_STATES = {"open": N_("to be corrected"), "fixed": N_("corrected"), "dismissed": N_("dismissed")}
COUNT_COLUMNS = (
    Column("read", N_("Read"), right=True),
    Column("created", N_("Created"), right=True),
    Column("updated", N_("Updated"), right=True),
    Column("unchanged", N_("Unchanged"), right=True),
    Column("duplicate", N_("Duplicate"), right=True),
    Column("rejected", N_("Rejected"), right=True),
    Column("flagged", N_("Flagged"), right=True),
)


@command(example="crmctl batch list", exits=EXITS)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, help=N_("How many to show."))
@click.option("--before", type=int, help=N_("Only batches older than this number."))
def list_command(call: Invocation, limit: int, before: int | None) -> int | None:
    """List imports, newest first, with their counts."""
    from crmctl import clock
    from crmctl.runs import run as runs
    from crmctl.sheets import batches, kinds
    from crmctl.store import engine

    with runs.open_run(call, "batch list", "batch.list") as run:
        with engine.read(run.engine) as conn:
            found = batches.newest(conn, limit, before)
        run = runs.record_reading(run, n=len(found))
        columns = (
            Column("batch", N_("Batch")),
            Column("kind", N_("Of what"), show=kinds.label_of),
            Column("state", N_("State"), show=lambda value: _(STATES.get(value, value))),
            Column("mode", N_("Mode")),
            Column("source", N_("Source"), detail=True),
            Column("started_at", N_("Started")),
            Column("ended_at", N_("Ended"), detail=True),
            *COUNT_COLUMNS,
            Column("sha256", N_("SHA-256"), detail=True),
        )

        def times(batch: Batch) -> tuple[Any, Any]:
            ended = clock.local(batch.ended_at, run.zone) if batch.ended_at else None
            return clock.local(batch.started_at, run.zone), ended

        rows = []
        for batch in found:
            started, ended = times(batch)
            counts = (batch.counts[column.code] for column in COUNT_COLUMNS)
            rows.append(
                (
                    batch.batch_id,
                    batch.kind,
                    batch.state,
                    batch.mode,
                    batch.source,
                    started,
                    ended,
                    *counts,
                    batch.source_sha256,
                )  # fmt: skip
            )
        call.emit({"run_id": run.run_id}, Table(columns, rows, "batches"))
    return None


@command(example="crmctl batch show 3", exits=EXITS, formats=("table", "json"))
@click.argument("batch", type=int)
def show_command(call: Invocation, batch: int) -> int | None:
    """Show one import: its file, options, counts and reasons of rejection."""
    from crmctl import clock
    from crmctl.runs import run as runs
    from crmctl.sheets import batches, quarantine

    with runs.open_run(call, "batch show", "batch.show") as run:
        shown = quarantine.summary(run, batch)
        run = runs.record_reading(run, batch=batch, n=1)
        found: batches.Batch = shown.batch
        document = {
            "run_id": run.run_id,
            "batch": found.batch_id,
            "kind": found.kind,
            "state": found.state,
            "mode": found.mode,
            "source": found.source,
            "file": shown.file,
            "sha256": found.source_sha256,
            "bytes": found.source_bytes,
            "started_at": clock.local(found.started_at, run.zone),
            "ended_at": clock.local(found.ended_at, run.zone) if found.ended_at else None,
            "destroyed_at": clock.local(found.destroyed_at, run.zone) if found.destroyed_at else None,
            "cursor": found.cursor,
            "chunks": found.chunks,
            **found.counts,
            "options": dict(found.options),
            "reasons": shown.reasons,
        }
        about = Table((Column("what", N_("Batch")), Column("value", N_("Value"))), list(_lines(document)))
        reasons = Table((Column("code", N_("Reason")), Column("rows", N_("Rows"), right=True)), shown.reasons.items())
        call.emit(document, about, *([reasons] if shown.reasons else []))
    return None


SHOWN = {
    "batch": N_("No."),
    "kind": N_("Of what"),
    "state": N_("State"),
    "mode": N_("Mode"),
    "source": N_("Source"),
    "file": N_("File"),
    "sha256": N_("SHA-256"),
    "bytes": N_("Bytes"),
    "started_at": N_("Started"),
    "ended_at": N_("Ended"),
    "destroyed_at": N_("Rejected rows destroyed"),
    "cursor": N_("Last row"),
    "chunks": N_("Chunks"),
    "options": N_("Options"),
    **{column.code: str(column.label) for column in COUNT_COLUMNS},
}


# Of a batch like most others, and of one that was destroyed, there is nothing to say.
UNSAID = (("destroyed_at", None), ("file", None))


def _lines(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in document.items():
        if key in SHOWN and (key, value) not in UNSAID:
            yield _(SHOWN[key]), _shown(key, value)


def _shown(key: str, value: Any) -> str:  # noqa: ANN401 - any JSON value
    if key == "kind":
        from crmctl.sheets.kinds import label_of

        return label_of(value)
    if key == "state":
        return _(STATES.get(value, value))
    if key == "options":
        return ", ".join(f"{name}={item}" for name, item in value.items() if item not in (None, False, ""))
    return "" if value is None else str(value)


@command(example="crmctl batch rejects 3 --export rejects.csv", exits=EXITS)
@click.argument("batch", type=int)
@click.option("--export", type=click.Path(path_type=Path), help=N_("Write the rows with their original cells."))
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, help=N_("How many to show."))
def rejects_command(call: Invocation, batch: int, export: Path | None, limit: int) -> int | None:
    """Show why rows were rejected; with --export, write them to a file for correction.

    The file holds the source's own columns in clear, then row, code, reason and suggestion. It is owner-only, logged
    and listed in the register of copies; import it again when corrected.
    """
    from crmctl.runs import run as runs
    from crmctl.sheets import quarantine

    with runs.open_run(call, "batch rejects", "batch.rejects") as run:
        if export is not None:
            written = quarantine.export(run, batch, export)
            call.emit(
                {"run_id": written.run_id, "batch": batch, "rows": written.rows, "file": str(export)},
                _("{path}: {rows} rejected rows, in clear and owner-only").format(path=export, rows=written.rows),
            )
            return None
        rows = quarantine.reasons(run, batch, limit)
        run = runs.record_reading(run, batch=batch, n=len(rows))
        columns = (
            Column("row", N_("Row"), right=True),
            Column("code", N_("Code")),
            Column("field", N_("Field"), show=quarantine.field_label(run, batch)),
            Column("reason", N_("Reason")),
            Column("suggestion", N_("What to do")),
            Column("state", N_("State"), show=lambda value: _(ROW_STATES.get(value, value))),
            Column("candidates", N_("Candidates")),
        )
        call.emit({"run_id": run.run_id, "batch": batch}, Table(columns, rows, "rejects"))
    return None


@command(example="crmctl batch resume 3", exits=IMPORT_EXITS, formats=("table", "json"))
@click.argument("batch", type=int)
@click.argument("file", default="")
@click.option("--rejects", type=click.Path(path_type=Path), help=N_("Write the rejected rows to this file."))
@click.option("--max-changes", type=int, help=N_("Allow this many changes of existing records (logged)."))
def resume_command(
    call: Invocation, batch: int, file: str, rejects: Path | None, max_changes: int | None
) -> int | None:
    """Finish an import that was interrupted: no row is lost, none is taken twice.

    FILE must hold the same bytes; without it the file of the first time is read again, - is standard input.
    """
    from crmctl.runs import run as runs
    from crmctl.sheets import intake
    from crmctl.sheets.outcome import emit_outcome

    with (
        runs.open_run(call, "batch resume", "batch.resume", lock="import") as run,
        call.progress(_("importing")) as progress,
    ):
        outcome = intake.resume(run, batch, file, max_changes, progress.advance, rejects)
    return emit_outcome(call, outcome)
