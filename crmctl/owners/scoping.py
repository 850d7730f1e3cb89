"""Whom an owners policy is for, as a condition on table customer: its scope, without its exceptions."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, false

from crmctl.customers.ruled import Ground, scope_conditions
from crmctl.policy.scopes import Ruling, in_force
from crmctl.runs.run import Run, today


def fits(run: Run, ruling: Ruling) -> ColumnElement[bool]:
    """Return the condition that a policy is the one for a customer: no earlier scope fits, and no exception."""
    settings: Any = run.policies.settings("customers")
    decimals = {each.code: each.decimals for each in settings.currencies}
    ground = Ground(
        run.policies, decimals.get(run.policies.company.currency, 2), run.as_of.astimezone(ZoneInfo(run.zone))
    )
    rulings = in_force(run.policies, ruling.policy.kind, today(run.policies, run.as_of))
    for other, (whose, _out) in zip(rulings, scope_conditions(ground, rulings), strict=True):
        if other.policy is ruling.policy:
            return whose
    return false()
