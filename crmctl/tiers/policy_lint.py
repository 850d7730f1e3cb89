"""What contradicts itself in a tiers policy: gaps, tiers nobody reaches, ranks, what the model needs or ignores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from crmctl.i18n import _
from crmctl.policy.conditions import MOST, Condition
from crmctl.policy.conditionwords import Words
from crmctl.policy.coverage import analyse, numbered
from crmctl.policy.metrics import MOST_PLACES
from crmctl.policy.model import Finding, Lookup, lint_codes
from crmctl.policy.nodes import Path
from crmctl.policy.windows import LONGEST_MONTHS
from crmctl.tiers.grading import places
from crmctl.tiers.policy import MOST_POINTS, Band, Measure, Tier, TiersSettings


def findings(settings: TiersSettings, look: Lookup) -> Iterator[Finding]:
    """Yield every contradiction of a tiers policy."""
    yield from lint_codes(settings.tiers, ("tiers",))
    yield from _ranks(settings.tiers)
    yield from _origins(settings)
    yield from _months(settings, look)
    yield from _circles(settings)
    if settings.model == "score":
        yield from _scores(settings, look)
    else:
        yield from _thresholds(settings, look)


def _ranks(tiers: Sequence[Tier]) -> Iterator[Finding]:
    for position, tier in enumerate(tiers):
        if position and tier.rank <= tiers[position - 1].rank:
            message = _("rank {rank} does not follow {before}").format(rank=tier.rank, before=tiers[position - 1].rank)
            yield Finding(("tiers", position, "rank"), message, _("list the highest tier first, each rank once"))


def _origins(settings: TiersSettings) -> Iterator[Finding]:
    seen: set[str] = set()
    everybody = False
    for position, origin in enumerate(settings.annual_amount):
        if everybody or (origin.types and seen.issuperset(origin.types)):
            message = _("it is never reached: earlier lines take all its customers")
            yield Finding(("annual_amount", position), message, _("remove it, or put it first"))
        seen.update(origin.types)
        everybody = everybody or not origin.types


def _months(settings: TiersSettings, look: Lookup) -> Iterator[Finding]:
    """Yield a grace that no calendar can count."""
    months = None if settings.downgrade_after is None else look.figure(settings.downgrade_after)
    if months is not None and (months != int(months) or not 0 <= months <= LONGEST_MONTHS):
        message = _("{months} is no number of months").format(months=f"{months:f}")
        hint = _("a whole number from 0 to {most}").format(most=LONGEST_MONTHS)
        yield Finding(("downgrade_after",), message, hint)


def _circles(settings: TiersSettings) -> Iterator[Finding]:
    """Yield conditions that ask for the tier: what they decide is what they rest on, and a second run may differ."""
    places: list[tuple[Path, Condition | None]] = [
        *((("tiers", position, "when"), tier.when) for position, tier in enumerate(settings.tiers)),
        *(
            (("score", place, "bands", position, "when"), band.when)
            for place, measure in enumerate(settings.score)
            for position, band in enumerate(measure.bands)
        ),
    ]
    for at, condition in places:
        if condition is not None and any(left.metric.name == "tier" for left in condition.lefts()):
            message = _("a tier that depends on the tier: a second run may grade otherwise than the first")
            yield Finding(at, message, _("compare figures; for one customer there is: crmctl tier override"), "P403")


def _thresholds(settings: TiersSettings, look: Lookup) -> Iterator[Finding]:
    if settings.score:
        yield Finding(("score",), _("the threshold model has no score"), _("say model: score, or remove it"))
    for position, tier in enumerate(settings.tiers):
        if tier.min_score is not None:
            at: Path = ("tiers", position, "min_score")
            yield Finding(at, _("the threshold model has no score"), _("say model: score, or give a condition"))
    last = len(settings.tiers) - 1
    for position, tier in enumerate(settings.tiers):
        if tier.when is None and position != last:
            message = _("{code} takes everybody, so that no later tier is reached").format(code=tier.code)
            yield Finding(("tiers", position), message, _("only the last tier may lack 'when'"))
            return
    yield from _covered([tier.when for tier in settings.tiers], settings, look)


def _covered(conditions: Sequence[Condition | None], settings: TiersSettings, look: Lookup) -> Iterator[Finding]:
    rules = numbered(conditions, look.figure)
    if rules is None:
        return
    found = analyse(rules, look.known)
    if not found.complete:
        message = _("the conditions are too many to check for gaps: {points} cases").format(points=found.points)
        yield Finding(("tiers",), message, _("use fewer metrics in one policy"), "P403")
    for lost in found.unreachable:
        code = settings.tiers[lost.rule].code
        before = ", ".join(settings.tiers[earlier].code for earlier in lost.behind)
        message = (
            _("{code} is never reached: {before} takes all its customers").format(code=code, before=before)
            if before
            else _("{code} is never reached: its condition cannot hold").format(code=code)
        )
        yield Finding(("tiers", lost.rule, "when"), message, _("thresholds descend from tier to tier"))
    if found.gap is not None:
        example = Words(MOST_PLACES, "").facts(found.gap) if found.gap else _("everybody")
        message = _("no tier takes some customers, for instance: {example}").format(example=example)
        yield Finding(("tiers",), message, _("leave out 'when' in the last tier"))


def _scores(settings: TiersSettings, look: Lookup) -> Iterator[Finding]:
    if not settings.score:
        yield Finding(("model",), _("a score without measures"), _("list them under score"))
    for position, tier in enumerate(settings.tiers):
        last = position == len(settings.tiers) - 1
        if tier.when is not None:
            message = _("the score model grades by points, not by a condition")
            yield Finding(("tiers", position, "when"), message, _("give min_score, or say model: threshold"))
        if (tier.min_score is None) != last:
            message = (
                _("no tier takes the customers with fewer points") if last else _("{code} lacks min_score")
            ).format(code=tier.code)
            yield Finding(("tiers", position), message, _("every tier but the last has min_score"))
    yield from _descending(settings.tiers, look)
    for place, measure in enumerate(settings.score):
        yield from _measure(place, measure, look)
    weights = [look.figure(measure.weight) for measure in settings.score]
    if weights and None not in weights and sum(weight or 0 for weight in weights) <= 0:
        yield Finding(("score",), _("the weights add up to nothing"), _("give at least one measure a weight"))
    yield from _too_fine(settings, look)


def _too_fine(settings: TiersSettings, look: Lookup) -> Iterator[Finding]:
    """Yield numbers of so many digits that a score would not fit a database's integer."""
    weights = [look.figure(measure.weight) or Decimal(0) for measure in settings.score]
    least = [look.figure(tier.min_score) or Decimal(0) for tier in settings.tiers if tier.min_score is not None]
    factor = Decimal(10) ** (places(weights) + places(least))
    highest = max([Decimal(MOST_POINTS), *map(abs, least)])
    if factor * highest * sum(map(abs, weights), Decimal(0)) > MOST:
        message = _("the weights and points have too many digits")
        yield Finding(("score",), message, _("round them: 0.35, 60"))


def _descending(tiers: Sequence[Tier], look: Lookup) -> Iterator[Finding]:
    before = None
    for position, tier in enumerate(tiers):
        least = None if tier.min_score is None else look.figure(tier.min_score)
        if least is None:
            continue
        if not 0 < least <= MOST_POINTS:
            message = _("{figure} points are no bound: every score is from 0 to {most}").format(
                figure=f"{least:f}", most=MOST_POINTS
            )
            yield Finding(("tiers", position, "min_score"), message)
        if before is not None and least >= before[0]:
            message = _("{code} begins at {figure}, not below {above} at {limit}").format(
                code=tier.code, figure=least, above=before[1], limit=before[0]
            )
            yield Finding(("tiers", position, "min_score"), message, _("thresholds descend from tier to tier"))
        before = least, tier.code


def _measure(place: int, measure: Measure, look: Lookup) -> Iterator[Finding]:
    weight = look.figure(measure.weight)
    if weight is not None and weight < 0:
        yield Finding(("score", place, "weight"), _("a weight is not negative"))
    rules = numbered([band.when for band in measure.bands], look.figure)
    for lost in analyse(rules, look.known).unreachable if rules else ():
        at: Path = ("score", place, "bands", lost.rule)
        band: Band = measure.bands[lost.rule]
        yield Finding(at, _("{points} points are never given: earlier bands take all").format(points=band.points))
