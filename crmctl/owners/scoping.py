"""Whom an owners policy is for, as a condition on table customer: its scope, without its exceptions."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, not_, or_, select, true

from crmctl.customers.tables import customer
from crmctl.policy.conditions import Condition, bound
from crmctl.policy.conditionsql import compiled
from crmctl.policy.exemptions import Exempt
from crmctl.policy.metrics import by_source, source_at
from crmctl.policy.scopes import Ruling, in_force
from crmctl.runs.run import Run, today


def fits(run: Run, ruling: Ruling) -> ColumnElement[bool]:
    """Return the condition that a policy is the one for a customer: no earlier scope fits, and no exception."""
    parts = [_holds(run, ruling.condition)]
    for earlier in in_force(run.policies, ruling.policy.kind, today(run.policies, run.as_of)):
        if earlier.policy is ruling.policy:
            break
        parts.append(not_(_holds(run, earlier.condition)))
    if ruling.exempt:
        parts.append(not_(or_(*(_exempted(run, exempt) for exempt in ruling.exempt))))
    return and_(*parts)


def _exempted(run: Run, exempt: Exempt) -> ColumnElement[bool]:
    numbers = customer.c.customer_id.in_(exempt.numbers) if exempt.numbers else true()
    return and_(numbers, _holds(run, exempt.condition))


def _holds(run: Run, condition: Condition | None) -> ColumnElement[bool]:
    if condition is None:
        return true()
    at = run.as_of.astimezone(ZoneInfo(run.zone))
    settings: Any = run.policies.settings("customers")
    decimals = next((each.decimals for each in settings.currencies if each.code == settings.currency), 2)
    ready = bound(condition, run.policies.figure, decimals)
    columns: dict[Any, ColumnElement[Any]] = {}
    for target, lefts in by_source(ready.tree.lefts()).items():
        answer = source_at(target).columns(lefts, at)
        own = answer.source.c.customer_id == customer.c.customer_id
        for left, column in answer.columns.items():
            apart = answer.source is not customer
            columns[left] = select(column).where(own).correlate(customer).scalar_subquery() if apart else column
    return compiled(ready, columns)
