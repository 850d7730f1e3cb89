"""Policy kind `tiers`: the tiers (客户等级), who belongs to each, what each is owed (TIER-01, TIER-05, TIER-06)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from crmctl.i18n import N_, _
from crmctl.policy.model import (
    CodeItem,
    Figure,
    Finding,
    Labels,
    Lookup,
    Many,
    Settings,
    Sources,
    Wrong,
    lint_codes,
)
from crmctl.policy.nodes import Path

Way = Literal["face_to_face", "phone", "online", "mail", "sms", "wecom", "any"]


class Bounds(Settings):
    """Where a figure must lie."""

    gte: Figure | None = Field(None, description=N_("at least"))
    gt: Figure | None = Field(None, description=N_("more than"))
    lte: Figure | None = Field(None, description=N_("at most"))
    lt: Figure | None = Field(None, description=N_("less than"))

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.gte is self.gt is self.lte is self.lt is None:
            raise Wrong(_("name a bound: gte, gt, lte or lt"))
        return self


class When(Settings):
    """The condition of a tier; amounts in yuan."""

    annual_amount: Bounds = Field(description=N_("annual cooperation amount (年度合作额)"))


class Contact(Settings):
    """How often a customer is contacted: so many times a period, or as needed."""

    times: Annotated[int, Field(ge=1, le=100)] | None = Field(None, description=N_("at least so many times"))
    every: Literal["week", "month", "quarter", "year"] | None = Field(None, description=N_("in each calendar period"))
    ways: Many[Way] = Field((), description=N_("contacts that count; any unless given"))
    as_needed: Literal[True] | None = Field(None, description=N_("no fixed number"))

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        counted = self.times is not None and self.every is not None
        if counted == bool(self.as_needed) or (self.times is None) != (self.every is None):
            raise Wrong(_("give times and every, or as_needed: true"))
        return self


class Standard(Settings):
    """What customers of a tier are owed (TIER-05)."""

    contact: Contact = Field(description=N_("how often they are contacted"))
    services: Many[Labels] = Field((), description=N_("what they are served with"))
    care: Labels | None = Field(None, description=N_("how they are cared for"))
    source: Sources = Field(description=N_("clauses it comes from"))


class Tier(CodeItem):
    """One tier."""

    rank: Annotated[int, Field(ge=1)] = Field(description=N_("1 is the highest"))
    when: When | None = Field(
        None, description=N_("who belongs to it: the highest tier whose condition holds; exactly one tier has none")
    )
    standard: Standard = Field(description=N_("its maintenance standard"))
    source: Sources = Field(description=N_("clauses it comes from"))


class TiersSettings(Settings):
    """The tiers, highest first."""

    tiers: Annotated[Many[Tier], Field(min_length=1)] = Field(description=N_("the tiers, highest first"))
    regrade_every: Figure | None = Field(None, description=N_("months after which grades are looked at again"))
    source: Sources = Field((), description=N_("clauses the grading comes from"))

    def provides(self) -> Mapping[str, Collection[str]]:
        """Return the codes of the tiers."""
        return {"tier": [tier.code for tier in self.tiers]}

    def lint(self, look: Lookup) -> Iterator[Finding]:
        """Yield names used twice, ranks out of order, tiers nobody can reach, thresholds that do not descend."""
        yield from lint_codes(self.tiers, ("tiers",))
        for position, tier in enumerate(self.tiers):
            if position and tier.rank <= self.tiers[position - 1].rank:
                message = _("rank {rank} does not follow {before}").format(
                    rank=tier.rank, before=self.tiers[position - 1].rank
                )
                yield Finding(("tiers", position, "rank"), message, _("list the highest tier first, each rank once"))
        yield from self._remainder()
        yield from self._thresholds(look)

    def _remainder(self) -> Iterator[Finding]:
        without = [position for position, tier in enumerate(self.tiers) if tier.when is None]
        if not without:
            message = _("no tier takes the customers who fit none")
            yield Finding(("tiers",), message, _("leave out 'when' in the last tier"))
        for position in without:
            if position != len(self.tiers) - 1:
                message = _("{code} takes everybody, so that no later tier is reached").format(
                    code=self.tiers[position].code
                )
                yield Finding(("tiers", position), message, _("only the last tier may lack 'when'"))

    def _thresholds(self, look: Lookup) -> Iterator[Finding]:
        before = None
        for position, tier in enumerate(self.tiers):
            bounds = tier.when.annual_amount if tier.when else None
            lower = bounds.gte if bounds and bounds.gte is not None else bounds.gt if bounds else None
            if bounds is None or lower is None:
                continue
            figure = look.figure(lower)
            if figure is not None and before is not None and figure >= before[0]:
                at: Path = ("tiers", position, "when", "annual_amount")
                message = _("{code} begins at {figure}, not below {above} at {limit}").format(
                    code=tier.code, figure=figure, above=before[1], limit=before[0]
                )
                yield Finding(at, message, _("thresholds descend from tier to tier"))
            if figure is not None:
                before = (figure, tier.code)
