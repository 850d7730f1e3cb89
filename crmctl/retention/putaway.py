"""Whether a condition can hold of somebody who is put away, as far as the policy alone says it: for its lint."""

from __future__ import annotations

from crmctl.customers.model import PUT_AWAY
from crmctl.policy.conditions import All, Any_, Compare, Condition, Not

_EITHER = frozenset({True, False})


def can_hold(condition: Condition | None) -> bool:
    """Say whether a condition may hold of a customer of status put_away; of other facts nothing is known."""
    return condition is None or True in _outcomes(condition)


def _outcomes(condition: Condition) -> frozenset[bool]:
    if isinstance(condition, Not):
        return frozenset(not each for each in _outcomes(condition.part))
    if isinstance(condition, Compare):
        return _compared(condition)
    if isinstance(condition, All | Any_):
        parts, most = [_outcomes(part) for part in condition.parts], isinstance(condition, All)
        found = {most} if all(most in part for part in parts) else set()
        return frozenset(found | ({not most} if any((not most) in part for part in parts) else set()))
    return _EITHER


def _compared(compare: Compare) -> frozenset[bool]:
    if compare.left.metric.name == "days_since_put_away" and compare.operator == "exists":
        return frozenset({bool(compare.operands[0])})
    if compare.left.metric.name != "status":
        return _EITHER
    named = PUT_AWAY in map(str, compare.operands)
    known = {"eq": named, "in": named, "ne": not named, "not_in": not named}
    return frozenset({known[compare.operator]}) if compare.operator in known else _EITHER
