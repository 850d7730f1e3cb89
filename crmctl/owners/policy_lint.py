"""What contradicts itself in an owners policy, once it is well-formed."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from crmctl.i18n import _
from crmctl.owners.policy import OwnersSettings
from crmctl.policy.coverage import analyse, numbered
from crmctl.policy.model import Finding, Lookup, lint_codes
from crmctl.policy.nodes import Path
from crmctl.policy.windows import LONGEST_MONTHS

MOST_WEIGHT = 1000


def findings(settings: OwnersSettings, look: Lookup) -> Iterator[Finding]:
    """Yield what contradicts itself."""
    yield from lint_codes(settings.rules, ("rules",))
    yield from lint_codes(settings.pools, ("pools",))
    yield from _reached(settings, look)
    yield from _weights(settings, look)
    if settings.former_owner is not None:
        months = look.figure(settings.former_owner.within)
        yield from _whole(months, LONGEST_MONTHS, ("former_owner", "within"))
    if settings.locked_out is not None:
        yield from _whole(look.figure(settings.locked_out.within), 36_600, ("locked_out", "within"))
    last = len(settings.rules) - 1
    if settings.rules[last].else_next:
        message = _("{code} is the last rule: there is no next one").format(code=settings.rules[last].code)
        yield Finding(("rules", last, "else_next"), message, _("leave it out"), "P403")


def _whole(number: Decimal | None, most: int, at: Path) -> Iterator[Finding]:
    if number is not None and (number != number.to_integral_value() or not 0 < number <= most):
        yield Finding(at, _("a whole number from 1 to {most} is wanted").format(most=most))


def _weights(settings: OwnersSettings, look: Lookup) -> Iterator[Finding]:
    seen: set[str] = set()
    for position, each in enumerate(settings.load.weights):
        at: Path = ("load", "weights", position)
        if str(each.tier) in seen:
            yield Finding((*at, "tier"), _("{code} is weighed twice").format(code=each.tier), code="P306")
        seen.add(str(each.tier))
        weight = look.figure(each.weight)
        if weight is not None and (not 0 <= weight <= MOST_WEIGHT or weight * 1000 % 1):
            message = _("a weight is from 0 to {most}, with three decimals at most").format(most=MOST_WEIGHT)
            yield Finding((*at, "weight"), message)


def _reached(settings: OwnersSettings, look: Lookup) -> Iterator[Finding]:
    rules = numbered([rule.when for rule in settings.rules], look.figure)
    if rules is None:
        return
    passing = [rule.else_next for rule in settings.rules]
    for lost in analyse(rules, look.known).unreachable:
        code = settings.rules[lost.rule].code
        if lost.behind and any(passing[earlier] for earlier in lost.behind):
            continue
        before = ", ".join(settings.rules[earlier].code for earlier in lost.behind)
        message = (
            _("{code} is never reached: {before} takes all its customers").format(code=code, before=before)
            if before
            else _("{code} is never reached: its condition cannot hold").format(code=code)
        )
        yield Finding(("rules", lost.rule), message, _("narrower rules stand first, or say else_next"))
