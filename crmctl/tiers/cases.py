"""The decider of `policy test`: which tier a case's facts give under a tiers policy."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from crmctl.policy.deciding import DECIMALS, Decision, filled
from crmctl.policy.evaluate import holds
from crmctl.policy.metrics import Left, Value
from crmctl.policy.policyset import Policy, PolicySet
from crmctl.tiers.decide import Graded, graded
from crmctl.tiers.grading import ANNUAL, CUSTOMER_TYPE, Grading, grading

UNDECIDED = "undecided"


def decide_case(policies: PolicySet, policy: Policy, facts: Mapping[Left, Value], day: date) -> Decision:
    """Return the tier of the facts of a case, and the rules that gave it: the tier's, and of a score each band used.

    A case that names `annual_amount` means that figure, wherever the policy takes it from. Raises ValueUndecided for a
    value that neither company.yaml nor the case decides.
    """
    del day  # facts are given; which policy is in force on it was settled before
    ready = grading(policies, policy, DECIMALS)
    asked = [left for left in ready.asked() if left != CUSTOMER_TYPE or left in facts]
    known = filled(facts, asked)
    known.setdefault(CUSTOMER_TYPE, None)
    if ANNUAL in facts:
        for origin in ready.origins:
            if origin.orders is not None and origin.orders not in facts:
                known[origin.orders] = facts[ANNUAL]
    found = graded(ready, known)
    rules = tuple(_bands(ready, found))
    if found.rule is None:
        return Decision(UNDECIDED, rules=rules)
    return Decision(found.rule.tier, rules=(f"tiers[{found.rule.position}]", *rules))


def _bands(ready: Grading, found: Graded) -> list[str]:
    """Return the bands of a score that gave points."""
    used = []
    for place, measure in enumerate(ready.measures):
        for position, (when, _points) in enumerate(measure.bands):
            if when is None or holds(when, found.facts):
                used.append(f"score[{place}].bands[{position}]")
                break
    return used
