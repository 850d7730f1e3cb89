"""The decider of `policy test`: which rule of an owners policy is for a case's facts, and what it asks of staff."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, cast

from crmctl.owners.decide import NO_RULE
from crmctl.owners.terms import requirements, settings_of, unset
from crmctl.policy.deciding import DECIMALS, Decision, filled
from crmctl.policy.evaluate import holds
from crmctl.policy.metrics import Left, Value
from crmctl.policy.policyset import Policy, PolicySet


def decide_case(policies: PolicySet, policy: Policy, facts: Mapping[Left, Value], day: date) -> Decision:
    """Return the first rule that holds for the facts of a case, with the codes of what staff must be.

    The codes of a conflict of interest that holds are `CONFLICT`. Raises ValueUndecided for a value that neither
    company.yaml nor the case decides.
    """
    del day  # facts are given; which policy is in force on it was settled before
    settings = settings_of(policy)
    names = unset(policies, policy)
    if names:
        raise policies.waiting(names)
    ranks = dict(cast("Any", policies.settings("staff")).rank)
    conflicts = [each.when for each in settings.conflicts if each.when is not None]
    conditions = [*(rule.when for rule in settings.rules if rule.when is not None), *conflicts]
    bounds = policies.bound(conditions, DECIMALS)
    known = filled(facts, [left for each in bounds for left in each.lefts()])
    ready = dict(zip(map(id, conditions), bounds, strict=True))
    barred = ("CONFLICT",) if any(holds(ready[id(each)], known) for each in conflicts) else ()
    for place, rule in enumerate(settings.rules):
        if rule.when is None or holds(ready[id(rule.when)], known):
            codes = [each.code for each in requirements(rule.staff, ranks)]
            return Decision(rule.code, (*dict.fromkeys(codes), *barred), (f"rules[{place}]",))
    return Decision(NO_RULE.lower(), barred)
