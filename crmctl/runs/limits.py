"""Safety limits: a guard against accidents, not against beginnings (design §4).

A policy says `limits: {max_changes, max_percent}`. Records never decided before do not count, and `max_percent`
does not apply to a base under 200 records. `--max-changes N` (logged) goes beyond.
"""

from __future__ import annotations

from dataclasses import dataclass

from crmctl.errors import LimitExceeded
from crmctl.i18n import _

SMALLEST_BASE = 200


@dataclass(frozen=True)
class Limits:
    """How many existing records one run may change: an absolute number, and per cent of the base; None is no limit."""

    max_changes: int | None = None
    max_percent: float | None = None

    def allowed(self, base: int, override: int | None = None) -> int | None:
        """Return how many of `base` existing records may change, None when nothing limits it."""
        if override is not None:
            return override
        bounds = [] if self.max_changes is None else [self.max_changes]
        if self.max_percent is not None and base >= SMALLEST_BASE:
            bounds.append(int(base * self.max_percent / 100))
        return min(bounds, default=None)


def check(changed: int, allowed: int | None, policy: str) -> None:
    """Raise LimitExceeded when `changed` existing records are more than `allowed`."""
    if allowed is not None and changed > allowed:
        raise LimitExceeded(
            _("policy {policy}: at least {changed} existing records would change, the limit is {allowed}").format(
                policy=policy, changed=changed, allowed=allowed
            ),
            hint=_("if that is meant, repeat with --max-changes {changed} (it is logged)").format(changed=changed),
        )
