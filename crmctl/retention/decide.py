"""What becomes of one customer on a day, and why (DES-01, DES-07): pure, the same as `selecting` says in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from crmctl.policy.evaluate import holds
from crmctl.policy.metrics import Left, Value
from crmctl.retention import rules
from crmctl.retention.rules import NEVER, Minimum, Ready, Rule

DUE = "due"  # may be destroyed
PUT_AWAY = "put_away"  # is put away already, which is all that the rule wants
NO_RULE = "no_rule"  # no rule of the policy is for this customer
NO_START = "no_start"  # none of the days is known from which the period runs
RUNNING = "running"  # the period is not over
GRACE = "grace"  # it is over, the grace window is not
MINIMUM = "minimum"  # a period of the law is not over
STATES = (DUE, GRACE, MINIMUM, RUNNING, NO_START, PUT_AWAY, NO_RULE)
# Why somebody, or something, of a plan is spared when it is carried out, besides holds.
GONE = "gone"  # is there no more
EDITED = "edited"  # a person or an import wrote something since the plan was made
NOT_DUE = "not_due"  # the period, or one of the law, is not over any more
LATE = "late"  # the plan had expired, or the policies were others, before a killed run came to it


class Decided(NamedTuple):
    """What becomes of a customer: `state`, the rule that says so, the days since its period began.

    `minimum` is the period of the law that keeps it.
    """

    state: str
    rule: Rule | None
    days: int | None
    minimum: Minimum | None = None


def decide(ready: Ready, facts: Mapping[Left, Value]) -> Decided:
    """Return what becomes of a customer with these facts; they name every left side that `ready.asked()` does."""
    rule = next((each for each in ready.rules if each.condition is None or holds(each.condition, facts)), None)
    if rule is None:
        return Decided(NO_RULE, None, None)
    days = latest(rule.since, facts)
    if rule.archives and facts[rules.PUT_AWAY] is not None:
        return Decided(PUT_AWAY, rule, None if days == NEVER else days)
    if days == NEVER:
        return Decided(NO_START, rule, None)
    if days < rule.due_days:
        return Decided(RUNNING, rule, days)
    for minimum in () if rule.archives else rule.minimums:
        # Of a day that never was there is nothing that the law wants kept.
        if latest(minimum.since, facts) < minimum.days:
            return Decided(MINIMUM, rule, days, minimum)
    return Decided(GRACE if days < rule.days else DUE, rule, days)


def latest(since: Sequence[Left], facts: Mapping[Left, Value]) -> int:
    """Return the days since the last of some days; NEVER where none is known."""
    return min((int(value) for left in since if (value := facts[left]) is not None), default=NEVER)
