"""A tiers policy made ready to grade with: every number decided, where each figure comes from, ranks and points.

`Grading` is pure data. `decide` grades one customer with it and says why, `moves` grades all of them in SQL; that the
two agree is a tested property.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from crmctl.policy.conditions import Bound, Condition, undecided
from crmctl.policy.metrics import BY_NAME, Left
from crmctl.policy.model import ValueRef
from crmctl.policy.policyset import Policy, PolicySet
from crmctl.policy.windows import Window, window
from crmctl.tiers.policy import AnnualAmount, TiersSettings

ANNUAL = Left(BY_NAME["annual_amount"])
CUSTOMER_TYPE = Left(BY_NAME["customer_type"])
LAST_ORDER = Left(BY_NAME["days_since_last_order"])


class Origin(NamedTuple):
    """Where the annual amount of some customers comes from; `orders` is None where it is the declared one."""

    types: frozenset[str]
    orders: Left | None
    else_declared: bool


class Rule(NamedTuple):
    """Who belongs to a tier: a condition, or points from `least` on (in `Grading.unit`); neither: everybody left."""

    tier: str
    rank: int
    position: int  # in the policy's list of tiers
    condition: Bound | None
    least: int | None


class Measure(NamedTuple):
    """One measure of a score: weight as a whole number, and points by band."""

    code: str
    weight: int
    bands: tuple[tuple[Bound | None, int], ...]


@dataclass(frozen=True)
class Grading:
    """A tiers policy ready to grade with. A score of `unit` is one point."""

    policy: Policy
    rules: tuple[Rule, ...]
    measures: tuple[Measure, ...]
    unit: int
    origins: tuple[Origin, ...]
    months: int  # a downgrade waits so long
    decimals: int  # of the home currency
    home: str  # the home currency: a declared amount in another one is unknown

    def ranks(self) -> dict[str, int]:
        """Return the rank of each tier; 1 is the highest."""
        return {rule.tier: rule.rank for rule in self.rules}

    def tier(self, rank: int) -> str:
        """Return the tier of a rank."""
        return next(rule.tier for rule in self.rules if rule.rank == rank)

    def rule_name(self, rank: int) -> str:
        """Return where the rule of a rank is written: `tiers.yaml:14 tiers[0]`."""
        position = next(rule.position for rule in self.rules if rule.rank == rank)
        line = self.policy.marks.at(("settings", "tiers", position)).line
        return f"{self.policy.path}:{line} tiers[{position}]"

    def compared(self) -> tuple[Left, ...]:
        """Return the left sides its conditions compare, each once."""
        bounds = [rule.condition for rule in self.rules]
        bounds += [condition for measure in self.measures for condition, _points in measure.bands]
        return tuple(dict.fromkeys(left for each in bounds if each is not None for left in each.tree.lefts()))

    def asked(self) -> tuple[Left, ...]:
        """Return the left sides to look up: as compared, and what the annual amount is made of."""
        found = dict.fromkeys(self.compared())
        if ANNUAL in found:
            for origin in self.origins:
                if origin.types:
                    found[CUSTOMER_TYPE] = None
                if origin.orders is not None:
                    found[origin.orders] = None
                if origin.else_declared:
                    found[LAST_ORDER] = None
        return tuple(found)


def grading(policies: PolicySet, policy: Policy, decimals: int) -> Grading:
    """Return a tiers policy ready to grade with; `decimals` are those of the home currency.

    Raises ValueUndecided naming every value it needs that is unset, with rules and clauses.
    """
    settings = policy.settings
    assert isinstance(settings, TiersSettings)
    names = unset(policies, settings)
    if names:
        raise policies.waiting(names)
    scored = settings.model == "score"
    conditions = [tier.when for tier in settings.tiers]
    rules = dict(zip([c for c in conditions if c], policies.bound([c for c in conditions if c], decimals), strict=True))
    measures, unit = _measures(policies, settings, decimals) if scored else ((), 1)
    return Grading(
        policy=policy,
        rules=tuple(
            Rule(
                tier.code,
                tier.rank,
                position,
                rules[tier.when] if tier.when is not None and not scored else None,
                _whole(policies.resolve(tier.min_score), unit) if tier.min_score is not None and scored else None,
            )
            for position, tier in enumerate(settings.tiers)
        ),
        measures=measures,
        unit=unit,
        origins=tuple(_origin(origin) for origin in settings.annual_amount),
        months=0 if settings.downgrade_after is None else _whole(policies.resolve(settings.downgrade_after), 1),
        decimals=decimals,
        home=policies.company.currency,
    )


def unset(policies: PolicySet, settings: TiersSettings) -> tuple[str, ...]:
    """Return the names of all values that grading by these settings needs and that are unset, each once."""
    scored = settings.model == "score"
    figures = [settings.downgrade_after]
    conditions: list[Condition | None] = []
    if scored:
        figures += [tier.min_score for tier in settings.tiers] + [measure.weight for measure in settings.score]
        conditions += [band.when for measure in settings.score for band in measure.bands]
    else:
        conditions += [tier.when for tier in settings.tiers]
    names = [name for each in conditions if each is not None for name in undecided(each, policies.figure)]
    names += [each.name for each in figures if isinstance(each, ValueRef) and policies.figure(each) is None]
    return tuple(dict.fromkeys(names))


def _measures(policies: PolicySet, settings: TiersSettings, decimals: int) -> tuple[tuple[Measure, ...], int]:
    """Return the measures with whole weights, and how much one point is in their sum."""
    weights = [Decimal(policies.resolve(measure.weight)) for measure in settings.score]
    least = [Decimal(policies.resolve(tier.min_score)) for tier in settings.tiers if tier.min_score is not None]
    factor = Decimal(10) ** (places(weights) + places(least))
    measures = tuple(
        Measure(
            measure.code,
            int(weight * factor),
            tuple((_bound(policies, band.when, decimals), band.points) for band in measure.bands),
        )
        for measure, weight in zip(settings.score, weights, strict=True)
    )
    return measures, sum(measure.weight for measure in measures)


def _bound(policies: PolicySet, condition: Condition | None, decimals: int) -> Bound | None:
    return None if condition is None else policies.bound([condition], decimals)[0]


def places(numbers: Iterable[Decimal]) -> int:
    """Return how many decimals the finest of some numbers has."""
    return max((max(0, -int(number.as_tuple().exponent)) for number in numbers), default=0)


def _whole(number: object, unit: int) -> int:
    return int(Decimal(str(number)) * unit)


def _origin(origin: AnnualAmount) -> Origin:
    over = window(origin.over) if origin.over else None
    orders = None if origin.from_ == "declared" else _orders_over(over)
    return Origin(frozenset(map(str, origin.types)), orders, origin.from_ == "orders_else_declared")


def _orders_over(over: Window | None) -> Left:
    assert over is not None  # settings ask for it
    return Left(BY_NAME["order_amount"], over)
