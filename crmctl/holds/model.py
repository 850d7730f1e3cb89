"""A hold as it is read, what kinds there are, and how the reasons that keep a customer are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from crmctl.i18n import N_, _

KINDS = ("conflict", "incident", "audit", "appeal", "legal")  # of what people set; in the order of every list
LABELS: Mapping[str, str] = {
    "conflict": N_("conflict"),
    "incident": N_("incident"),
    "audit": N_("audit"),
    "appeal": N_("appeal"),
    "legal": N_("legal proceedings"),
    "complaint": N_("open complaint"),
}


@dataclass(frozen=True)
class Hold:
    """A hold as it stands; `lifted_at` None: it is in force."""

    hold_id: int
    kind: str
    everybody: int
    set_by: str
    set_at: datetime
    review_on: str | None
    lifted_by: str | None
    lifted_at: datetime | None
    run_id: int
    sealed: bytes


def label(code: str) -> str:
    """Return what people call a reason that keeps a customer."""
    return _(LABELS[code])
