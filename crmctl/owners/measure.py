"""How much a book weighs in the measure of an owners policy, and how evenly books are spread (OWN-01, OWN-06).

The same figures for `owner assign`, before and after, and for `owner workload`, as things stand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from crmctl.customers.policy import decimals_of
from crmctl.owners.terms import requirements, settings_of
from crmctl.policy.model import ValueRef
from crmctl.policy.policyset import Policy, PolicySet
from crmctl.policy.scopes import Ruling
from crmctl.sheets.formats.money import written
from crmctl.staff import Staff

UNGRADED = "none"
_OF_BOTH = ("SAME_", "SKILL_")  # requirements that depend on the customer, too


@dataclass(frozen=True)
class Measure:
    """What a policy counts as load: `by` as its setting; `weights` by tier; `decimals` of the home currency.

    `undecided` names the weights that the company has not decided: without them there is no load.
    """

    policy: str
    version: int
    by: str
    weights: Mapping[str, Decimal]
    decimals: int
    undecided: tuple[str, ...] = ()

    def load(self, tiers: Mapping[str, int], value: int) -> int | float | None:
        """Return the load of a book of so many customers by tier ("none": ungraded), worth so many minor units."""
        if self.by == "value":
            return max(value, 0)
        if self.by == "count":
            return sum(tiers.values())
        if self.undecided:
            return None
        return float(sum(self.weights.get(tier, Decimal(1)) * number for tier, number in tiers.items()))

    def text(self, load: float | None) -> str:
        """Return a load as people count it: customers, weighted customers, or money."""
        if load is None:
            return ""
        return written(int(load), self.decimals) if self.by == "value" else f"{load:,g}"

    def document(self) -> dict[str, Any]:
        """Return the measure as JSON."""
        return {"policy": self.policy, "version": self.version, "by": self.by, "undecided": list(self.undecided)}


@dataclass(frozen=True)
class Book:
    """What somebody who may own customers has, and for how many there is room."""

    capacity: int
    tiers: Mapping[str, int]
    value: int

    @property
    def customers(self) -> int:
        """How many customers."""
        return sum(self.tiers.values())


def governing(rulings: Sequence[Ruling]) -> Ruling | None:
    """Return whose measure counts where several policies are in force: that for everybody, else the first."""
    found = [ruling for ruling in rulings if not ruling.report] or list(rulings)
    everybody = [ruling for ruling in found if ruling.policy.scope.everybody]
    return next(iter([*everybody, *found]), None)


def measure(policies: PolicySet, policy: Policy) -> Measure:
    """Return the measure of a policy."""
    load = settings_of(policy).load
    weights = {str(each.tier): (each.weight, policies.figure(each.weight)) for each in load.weights}
    unset = [stated.name for stated, figure in weights.values() if isinstance(stated, ValueRef) and figure is None]
    known = {tier: figure for tier, (_stated, figure) in weights.items() if figure is not None}
    return Measure(policy.name, policy.version, load.by, known, decimals_of(policies), tuple(dict.fromkeys(unset)))


def takes_some(policies: PolicySet, policy: Policy, person: Staff) -> bool:
    """Say whether some rule of a policy may give this person customers at all, whatever the customers are."""
    ranks = dict(cast("Any", policies.settings("staff")).rank)
    return any(
        all(each.fits(person, {}) for each in requirements(rule.staff, ranks) if not each.code.startswith(_OF_BOTH))
        for rule in settings_of(policy).rules
    )


def fairness(used: Measure, books: Sequence[Book]) -> dict[str, Any]:
    """Return how evenly customers, load, value and each tier are spread over people: who may own, whom a rule takes.

    `least_percent` and `most_percent` at the top say how full the emptiest and the fullest are; below `customers`,
    `load`, `value` and `tiers` what they have of their even share, which is in proportion to capacity: 100 is even.
    """
    there = [book for book in books if book.capacity > 0]
    full = [100 * book.customers / book.capacity for book in there]
    loads = [used.load(book.tiers, book.value) for book in there]
    tiers = sorted({tier for book in there for tier in book.tiers})
    return {
        **_ends(full),
        "customers": _shares(there, [book.customers for book in there]),
        "load": _shares(there, [load or 0 for load in loads]),
        "value": _shares(there, [book.value for book in there]),
        "tiers": {tier: _shares(there, [book.tiers.get(tier, 0) for book in there]) for tier in tiers},
    }


def _shares(books: Sequence[Book], figures: Sequence[float]) -> dict[str, float | None]:
    """Return what the least and the most are of an even share; null where there is nothing to share."""
    total, room = sum(figures), sum(book.capacity for book in books)
    if total <= 0:
        return _ends([])
    return _ends([100 * figure * room / (total * book.capacity) for figure, book in zip(figures, books, strict=True)])


def _ends(found: Sequence[float]) -> dict[str, float | None]:
    return {
        "least_percent": round(min(found), 2) if found else None,
        "most_percent": round(max(found), 2) if found else None,
    }
