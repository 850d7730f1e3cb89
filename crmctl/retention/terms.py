"""The periods of what goes by import or by run, on one day: over for what began before, to be destroyed for before.

The last day of a period counts whole, by the company's calendar.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any, NamedTuple

from crmctl.policy.policyset import Policy, PolicySet
from crmctl.retention.decide import DUE, GRACE, RUNNING
from crmctl.retention.policy import Kind, Span
from crmctl.retention.rules import before, of_kind, settings_of


class Terms(NamedTuple):
    """A policy's periods on one day: over for what began before `over`, to be destroyed for before `destroyed`."""

    over: datetime
    destroyed: datetime

    def state(self, began: datetime) -> str:
        """Return what becomes of something whose period began then."""
        return RUNNING if began >= self.over else GRACE if began >= self.destroyed else DUE


def terms_of(policies: PolicySet, policy: Policy, kind: Kind, at: datetime) -> Terms:
    """Return the periods of a policy that has a kind, for a moment in the company's zone."""
    settings = of_kind(settings_of(policy), kind)
    assert settings is not None
    back = at.date() if settings.grace is None else before(policies, at.date(), settings.grace)

    def bound(day: Any, span: Span) -> datetime:  # noqa: ANN401 - a day
        last = before(policies, day, span)
        return datetime.combine(last + timedelta(days=1), time.min, at.tzinfo)

    return Terms(bound(at.date(), settings.keep), bound(back, settings.keep))
