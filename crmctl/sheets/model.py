"""What the rows of any table become: rejected ones with their reasons, and counts that reconcile (design §8).

Apart from the tables, so that a worker process need not load SQLAlchemy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from crmctl.security.sealing import Place

COUNTS = ("read", "created", "updated", "unchanged", "duplicate", "rejected", "flagged")
REJECTED = ("batch_id", "row_number", "reasons", "state", "sealed")  # columns of a bulk row of `rejected_row`
REJECTED_SEALED = Place("rejected_row", "sealed")


class Reason(NamedTuple):
    """Why a row is rejected: a stable code and the field it is about ("" = the row). Never a value."""

    code: str
    field: str


class Rejected(NamedTuple):
    """A row kept out: all its reasons, and its original cells for quarantine."""

    number: int
    reasons: tuple[Reason, ...]
    cells: list[str]


@dataclass
class Totals:
    """Counts of everything written so far, by outcome and by reason of rejection."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    reasons: dict[str, int] = field(default_factory=dict)

    def add(self, counts: Mapping[str, int], reasons: Mapping[str, int]) -> None:
        """Add a chunk."""
        for name, number in counts.items():
            self.counts[name] += number
        for code, number in reasons.items():
            self.reasons[code] = self.reasons.get(code, 0) + number

    def check(self) -> None:
        """Assert that every row read had exactly one outcome: a difference is a bug, never a rounding."""
        parts = sum(self.counts[name] for name in ("created", "updated", "unchanged", "duplicate", "rejected"))
        if self.counts["read"] != parts:
            raise AssertionError(f"read {self.counts['read']} rows but accounted for {parts}")
