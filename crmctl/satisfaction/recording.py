"""A customer's answer as the row it becomes: where each score comes from is kept with it (SAT-02, SAT-03)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from crmctl import clock
from crmctl.audit.objects import ProtectedTable
from crmctl.runs.run import Run
from crmctl.satisfaction.protected import SATISFACTION


@dataclass(frozen=True)
class Answer:
    """What was answered: `source` revisit, survey or rating; about what; `score` of `scale`, None where none was given.

    `settled` is whether the customer calls it properly settled, None where that was not asked.
    """

    source: str
    related: str | None
    related_id: int | None
    scale: int
    score: int | None
    settled: bool | None


def row_of(run: Run, customer_id: int, number: int, answer: Answer, at: str) -> tuple[dict[str, Any], ProtectedTable]:
    """Return the row of an answer given `at` (a stamp), in canonical primitives, and the table it belongs to."""
    staff_ids = run.standing.staff_ids if run.standing else ()
    row: dict[str, Any] = {
        "customer_id": customer_id,
        "satisfaction_id": number,
        "source": answer.source,
        "related": answer.related,
        "related_id": answer.related_id,
        "scale": answer.scale,
        "score": answer.score,
        "settled": None if answer.settled is None else int(answer.settled),
        "asked_by": staff_ids[0] if staff_ids else None,
        "answered_at": at,
        "person": run.actor.person,
        "run_id": run.run_id,
        "created_at": clock.stamp(clock.now()),
    }
    return row, SATISFACTION
