"""Which policy of a kind applies to whom on a day: scopes in their order, effective dates, mode, exceptions.

Several policies of a kind may be in force at once. They stand in one order, most specific first, and a customer belongs
to the first whose scope fits. Of two scopes, the strongest dimension (`precedence` in company.yaml) that only one of
them names decides, so that a scope which names more beside the same is ahead; where both name the same dimensions,
the one that lies within the other is ahead. Two that cannot be put in order though both could fit are refused when the
files are loaded. An org unit takes in the units below it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import prod

from crmctl.policy.company import CompanySettings
from crmctl.policy.conditions import All, Compare, Condition, code_of
from crmctl.policy.exemptions import Exempt, exempt
from crmctl.policy.metrics import BY_NAME, Left
from crmctl.policy.model import SCOPES, ScopeName
from crmctl.policy.policyset import Policy, PolicySet

OF_CUSTOMERS: tuple[ScopeName, ...] = ("customer_type", "org_unit")

Units = Mapping[str, tuple[str, ...]]
Area = Mapping[ScopeName, frozenset[str]]  # the dimensions a scope names, each with the codes it takes in


@dataclass(frozen=True, slots=True)
class Ruling:
    """A policy in force, for the customers its condition holds for; None: for everybody who is left."""

    policy: Policy
    condition: Condition | None
    exempt: tuple[Exempt, ...]

    @property
    def report(self) -> bool:
        """Whether findings are only written down and nothing is changed."""
        return self.policy.mode == "report"


def in_force(policies: PolicySet, kind: str, day: date) -> tuple[Ruling, ...]:
    """Return the policies of a kind that decides about customers which are in force on `day`, most specific first.

    A customer belongs to the first whose condition holds. Policies switched off are left out, and so are exceptions
    whose last day has passed. Raises ValueError for a scope that names what is no fact of customers.
    """
    units = units_below(policies.company)
    return tuple(
        Ruling(policy, _condition(policy, units), _exempt(policy, day))
        for policy in _ordered(policies, kind, day, units)
    )


def ruling_for(
    policies: PolicySet,
    kind: str,
    day: date,
    *,
    customer_type: str | None = None,
    org_unit: str | None = None,
    channel: str | None = None,
    post: str | None = None,
) -> Policy | None:
    """Return the most specific policy of a kind in force on `day` that fits these facts; None when none does.

    A scope that names a dimension of which nothing is known does not fit.
    """
    facts = {"customer_type": customer_type, "org_unit": org_unit, "channel": channel, "post": post}
    units = units_below(policies.company)
    for policy in _ordered(policies, kind, day, units):
        if all(facts[name] in codes for name, codes in area(policy, units).items()):
            return policy
    return None


def units_below(company: CompanySettings) -> Units:
    """Return each org unit's code with those of itself and of every unit below it, in the order of the file."""
    parents = {unit.code: str(unit.parent) if unit.parent else None for unit in company.org_units}
    below: dict[str, list[str]] = {code: [] for code in parents}
    for code in parents:
        above: str | None = code
        seen: set[str] = set()
        while above in below and above not in seen:  # a unit above itself is another problem's
            seen.add(above)
            below[above].append(code)
            above = parents[above]
    return {code: tuple(codes) for code, codes in below.items()}


def area(policy: Policy, units: Units) -> Area:
    """Return what a policy's scope takes in; a dimension it does not name is left out."""
    named: dict[ScopeName, tuple[str, ...]] = {name: getattr(policy.scope, name) for name in SCOPES}
    return {name: frozenset(_codes(name, codes, units)) for name, codes in named.items() if codes}


def undecidable(one: Policy, other: Policy, units: Units) -> bool:
    """Say whether two policies of a kind could fit one case on one day with nothing to choose between them."""
    here, there = area(one, units), area(other, units)
    if here.keys() != there.keys() or not one.effective.overlaps(other.effective):
        return False
    if not all(here[name] & there[name] for name in here):
        return False
    return _within(here, there) == _within(there, here)


def _within(inner: Area, outer: Area) -> bool:
    return all(inner[name] <= outer[name] for name in outer)


def _ordered(policies: PolicySet, kind: str, day: date, units: Units) -> Sequence[Policy]:
    precedence = policies.company.precedence

    def order(policy: Policy) -> tuple[list[bool], int, str]:
        codes = area(policy, units)  # an area within another takes in fewer
        return [name not in codes for name in precedence], prod(map(len, codes.values())), policy.path

    found = [policy for policy in policies.of_kind(kind) if policy.mode != "off" and policy.effective.holds(day)]
    return sorted(found, key=order)


def _condition(policy: Policy, units: Units) -> Condition | None:
    parts = []
    for name in SCOPES:
        codes = _codes(name, getattr(policy.scope, name), units)
        if codes and name not in OF_CUSTOMERS:
            raise ValueError(f"{policy.path}: {name} is no fact of customers")
        if codes:
            metric = BY_NAME[name]
            parts.append(Compare(Left(metric), "in", tuple(code_of(metric.what)(code) for code in codes)))
    return All(tuple(parts)) if len(parts) > 1 else parts[0] if parts else None


def _codes(name: ScopeName, named: Sequence[str], units: Units) -> tuple[str, ...]:
    """Return the codes a scope takes in by naming these, each once."""
    if name != "org_unit":
        return tuple(dict.fromkeys(named))
    return tuple(dict.fromkeys(code for unit in named for code in units.get(unit, (unit,))))


def _exempt(policy: Policy, day: date) -> tuple[Exempt, ...]:
    return tuple(exempt(exemption) for exemption in policy.exceptions if exemption.expires >= day)
