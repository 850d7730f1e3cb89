"""A retention policy made ready to decide with: every figure decided, every span counted in days back from one day.

`decide` says with it what becomes of one customer, `selecting` of all of them in SQL; that the two agree is tested.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from crmctl.policy.conditions import Bound, undecided
from crmctl.policy.metrics import BY_NAME, Left
from crmctl.policy.model import Figure, ValueRef
from crmctl.policy.policyset import Policy, PolicySet
from crmctl.policy.windows import months_before
from crmctl.retention.policy import (
    CUSTOMERS,
    KINDS,
    METRIC_OF,
    UNOWNED,
    CustomerRule,
    Kind,
    OldValues,
    RejectedRows,
    RetentionSettings,
    Since,
    Span,
)

NEVER = 10**9  # days: longer ago than any day there is
PUT_AWAY = Left(BY_NAME[METRIC_OF["put_away"]])  # days since a customer was put away; of who is not, nothing


class Minimum(NamedTuple):
    """A period of the law: over when the last of `since` is `days` or more ago."""

    since: tuple[Left, ...]
    days: int
    position: int


class Rule(NamedTuple):
    """One rule on one day: due from `due_days` days after the last of `since` on, to be destroyed from `days` on.

    With `archives` put away then, once; periods of the law keep nobody from that, but from being destroyed on request.
    """

    code: str
    position: int
    condition: Bound | None
    since: tuple[Left, ...]
    due_days: int
    days: int
    minimums: tuple[Minimum, ...]
    archives: bool = False


@dataclass(frozen=True)
class Ready:
    """A retention policy ready to decide with on one day; `decimals` are those of the home currency."""

    policy: Policy
    rules: tuple[Rule, ...]
    day: date
    decimals: int

    def asked(self) -> tuple[Left, ...]:
        """Return the left sides to look up, each once."""
        found: dict[Left, None] = {}
        for rule in self.rules:
            if rule.condition is not None:
                found.update(dict.fromkeys(rule.condition.tree.lefts()))
            found.update(dict.fromkeys(rule.since))
            if rule.archives:
                found[PUT_AWAY] = None
            for minimum in rule.minimums:
                found.update(dict.fromkeys(minimum.since))
        return tuple(found)

    def written(self, position: int) -> CustomerRule:
        """Return a rule as the file has it."""
        return settings_of(self.policy).customers[position]

    def rule_name(self, position: int) -> str:
        """Return where a rule is written: `retention.yaml:14 customers[0]`."""
        line = self.policy.marks.at(("settings", "customers", position)).line
        return f"{self.policy.path}:{line} customers[{position}]"


def settings_of(policy: Policy) -> RetentionSettings:
    """Return the settings of a retention policy."""
    assert isinstance(policy.settings, RetentionSettings)
    return policy.settings


def of_kind(settings: RetentionSettings, kind: Kind) -> RejectedRows | OldValues | None:
    """Return what a policy says of a kind of data that goes by import or by run; None where it says nothing."""
    return settings.old_values if kind == "old_values" else settings.rejected_rows


def ready(policies: PolicySet, policy: Policy, day: date, decimals: int) -> Ready:
    """Return a policy ready for the company's `day`.

    Raises ValueUndecided naming every value it needs that is unset, with rules and clauses (DES-01).
    """
    settings = settings_of(policy)
    names = unset(policies, settings, CUSTOMERS)
    if names:
        raise policies.waiting(names)
    conditions = [rule.when for rule in settings.customers if rule.when is not None]
    bounds = iter(policies.bound(conditions, decimals))
    rules = []
    for position, rule in enumerate(settings.customers):
        back = day if rule.grace is None else before(policies, day, rule.grace)
        minimums = tuple(
            Minimum(_lefts(each.since), (day - before(policies, day, each.keep)).days, place)
            for place, each in enumerate(rule.minimums)
        )
        rules.append(
            Rule(
                code=rule.code,
                position=position,
                condition=None if rule.when is None else next(bounds),
                since=_lefts(rule.since),
                due_days=(day - before(policies, day, rule.keep)).days,
                days=(day - before(policies, back, rule.keep)).days,
                minimums=minimums,
                archives=rule.then == "archive",
            )
        )
    return Ready(policy, tuple(rules), day, decimals)


def unset(policies: PolicySet, settings: RetentionSettings, kinds: Collection[Kind] = KINDS) -> tuple[str, ...]:
    """Return the names of all values that these settings need for some kinds of data and that are unset, each once."""
    names: dict[str, None] = {}
    if "customers" in kinds:
        names.update(dict.fromkeys(_of_customers(policies, settings)))
        if settings.do_not_recreate is not None:
            names.update(dict.fromkeys(_waiting(policies, [settings.do_not_recreate.keep.figure])))
    for kind in UNOWNED:
        given = of_kind(settings, kind)
        if kind in kinds and given is not None:
            spans = (given.keep, given.grace)
            names.update(dict.fromkeys(_waiting(policies, [span.figure for span in spans if span is not None])))
    return tuple(names)


def _of_customers(policies: PolicySet, settings: RetentionSettings) -> Iterator[str]:
    for rule in settings.customers:
        spans = [rule.keep, rule.grace, *(minimum.keep for minimum in rule.minimums)]
        yield from _waiting(policies, [span.figure for span in spans if span is not None])
        if rule.when is not None:
            yield from undecided(rule.when, policies.figure)


def _waiting(policies: PolicySet, figures: Iterable[Figure]) -> Iterable[str]:
    return (figure.name for figure in figures if isinstance(figure, ValueRef) and policies.figure(figure) is None)


def _lefts(since: Iterable[Since]) -> tuple[Left, ...]:
    return tuple(Left(BY_NAME[METRIC_OF[each]]) for each in dict.fromkeys(since))


def before(policies: PolicySet, day: date, span: Span) -> date:
    """Return the day a span before `day`; the calendar's first where it would be earlier: then nothing is ever due."""
    number = policies.resolve(span.figure)
    whole = -(-Decimal(number) // 1)  # half a month more is kept a month longer
    try:
        return months_before(day, int(whole)) if span.days is None else day - timedelta(days=int(whole))
    except (OverflowError, ValueError):
        return date.min


def after(policies: PolicySet, day: date, span: Span) -> date:
    """Return the day a span after `day`; the calendar's last where it would be later."""
    whole = int(-(-Decimal(policies.resolve(span.figure)) // 1))
    try:
        return months_before(day, -whole) if span.days is None else day + timedelta(days=whole)
    except (OverflowError, ValueError):
        return date.max
