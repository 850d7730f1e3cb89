"""What decides by a kind of policy, one case at a time and without a database: for `policy test`.

A kind's `decider` in the table of kinds names a function; rooms write theirs in `decide.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from importlib import import_module
from typing import TypeAlias

from crmctl.errors import InvalidInput
from crmctl.i18n import _
from crmctl.policy.kinds import BY_NAME
from crmctl.policy.metrics import MOST_PLACES, Left, Value
from crmctl.policy.policyset import Policy, PolicySet

DECIMALS = MOST_PLACES  # of money in cases, whatever the currency: a decider binds its conditions with as many


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided: its code, codes of the reasons, and the rules used, named as `Settings.tested_rules` does."""

    decision: str
    codes: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()


Decider: TypeAlias = Callable[[PolicySet, Policy, Mapping[Left, Value], date], Decision]


def decider_of(kind: str) -> Decider | None:
    """Return what decides by policies of a kind; None for a kind that has no cases. The room is imported now."""
    module, _colon, name = BY_NAME[kind].decider.partition(":")
    if not module:
        return None
    found: Decider = getattr(import_module(module), name)
    return found


def filled(facts: Mapping[Left, Value], lefts: Collection[Left]) -> dict[Left, Value]:
    """Return a value for each left side: what the case says, else that nothing happened or nothing is known.

    Raises InvalidInput for a code that every customer has and the case does not name.
    """
    found: dict[Left, Value] = {}
    for left in lefts:
        metric = left.metric
        if left in facts:
            found[left] = facts[left]
        elif metric.always and not metric.numeric and metric.type != "flag":
            raise InvalidInput(
                _("the case says nothing of {metric}").format(metric=metric.name),
                hint=_("every customer has one; name it under facts"),
                code="CASE_INCOMPLETE",
            )
        elif metric.always:
            found[left] = False if metric.type == "flag" else 0
        else:
            found[left] = None
    return found
