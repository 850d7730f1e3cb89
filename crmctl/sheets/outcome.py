"""What an import tells at its end: counts that reconcile, columns as they were understood, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from crmctl.cli.render import Column, Table
from crmctl.errors import DONE, REJECTED_ROWS
from crmctl.i18n import N_, _
from crmctl.sheets.formats.money import written

if TYPE_CHECKING:
    from crmctl.cli.invocation import Invocation

OUTCOMES = {
    "read": N_("Read"),
    "created": N_("Created"),
    "updated": N_("Updated"),
    "unchanged": N_("Unchanged"),
    "duplicate": N_("Duplicate"),
    "rejected": N_("Rejected"),
    "flagged": N_("Flagged"),
}


@dataclass(frozen=True)
class Outcome:
    """How an import ended. In a dry run `run_id` and `batch` are None and nothing was written."""

    run_id: int | None
    batch: int | None
    mode: str
    counts: dict[str, int]
    reasons: dict[str, int]
    seconds: float
    dry_run: bool
    rows_now: int = 0  # rows this run read: fewer than `read` when it resumed a batch
    rejects_file: str | None = None
    file: dict[str, Any] = field(default_factory=dict)
    columns: list[tuple[str, str, str]] = field(default_factory=list)
    money: list[dict[str, Any]] = field(default_factory=list)

    @property
    def status(self) -> int:
        """The exit status: 3 when rows were rejected."""
        return REJECTED_ROWS if self.counts["rejected"] else DONE


def emit_outcome(call: Invocation, outcome: Outcome) -> int:
    """Show how an import ended and return its exit status."""
    document = {
        "run_id": outcome.run_id,
        "batch": outcome.batch,
        "mode": outcome.mode,
        **outcome.counts,
        "reasons": outcome.reasons,
        "seconds": round(outcome.seconds, 3),
        "rejects_file": outcome.rejects_file,
        "dry_run": outcome.dry_run,
        "file": outcome.file,
        "columns": [{"header": header, "field": name, "unit": unit} for header, name, unit in outcome.columns],
        "money": outcome.money,
    }
    call.emit(document, *_for_people(outcome), trouble=outcome.status != DONE)
    return outcome.status


def _for_people(outcome: Outcome) -> list[Table | str]:
    parts: list[Table | str] = []
    if outcome.dry_run:
        parts.append(_("Dry run: nothing was written."))
        mapping = (Column("header", N_("Header")), Column("field", N_("Field")), Column("unit", N_("Unit")))
        parts.append(Table(mapping, outcome.columns))
        if outcome.money:
            parts.append(Table(MONEY_COLUMNS, [_money_row(figures) for figures in outcome.money]))
    parts += outcome.file.get("remarks", [])
    counts = tuple(Column(name, title, right=True) for name, title in OUTCOMES.items())
    parts.append(Table(counts, [tuple(outcome.counts[name] for name in OUTCOMES)]))
    if outcome.reasons:
        reasons = (Column("code", N_("Reason")), Column("rows", N_("Rows"), right=True))
        parts.append(Table(reasons, sorted(outcome.reasons.items(), key=lambda item: (-item[1], item[0]))))
    parts += _next_steps(outcome)
    return parts


MONEY_COLUMNS = (
    Column("header", N_("Money")),
    Column("currency", N_("Currency")),
    Column("filled", N_("Filled"), right=True),
    Column("least", N_("Least"), right=True),
    Column("median", N_("Median"), right=True),
    Column("greatest", N_("Most"), right=True),
)


def _money_row(figures: dict[str, Any]) -> tuple[Any, ...]:
    """Return a column of amounts in whole units: a 万元 taken for yuan shows here."""
    amounts = (figures[name] for name in ("least", "median", "greatest"))
    shown = (None if amount is None else written(amount, figures["decimals"]) for amount in amounts)
    return figures["header"], figures["currency"], figures["filled"], *shown


def _next_steps(outcome: Outcome) -> list[str]:
    if outcome.batch is None:
        return []
    rows, seconds = outcome.rows_now, max(outcome.seconds, 0.001)
    lines = [
        _("Batch {batch}, run {run}: {rows} rows in {seconds} s ({rate} rows/s).").format(
            batch=outcome.batch,
            run=outcome.run_id,
            rows=f"{rows:,}",
            seconds=f"{seconds:.1f}",
            rate=f"{rows / seconds:,.0f}",
        )
    ]
    if outcome.rejects_file:
        lines.append(_("Rejected rows: {path} (in clear, owner-only).").format(path=outcome.rejects_file))
    elif outcome.counts["rejected"]:
        lines.append(_("Rejected rows wait in quarantine: crmctl batch rejects {batch}").format(batch=outcome.batch))
    return lines
