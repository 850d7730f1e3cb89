"""The decider of `policy test`: what becomes of a case's customer under a retention policy."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from crmctl.policy.deciding import DECIMALS, Decision, filled
from crmctl.policy.metrics import Left, Value
from crmctl.policy.policyset import Policy, PolicySet
from crmctl.retention.decide import decide
from crmctl.retention.rules import ready


def decide_case(policies: PolicySet, policy: Policy, facts: Mapping[Left, Value], day: date) -> Decision:
    """Return the state of a customer with the facts of a case on `day`, the rule's code, and the rule that says so.

    Raises ValueUndecided for a value that neither company.yaml nor the case decides.
    """
    base = ready(policies, policy, day, DECIMALS)
    found = decide(base, filled(facts, base.asked()))
    if found.rule is None:
        return Decision(found.state)
    return Decision(found.state, (found.rule.code,), (f"customers[{found.rule.position}]",))
