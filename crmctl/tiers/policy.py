"""Policy kind `tiers`: the tiers (客户等级), who belongs to each, what each is owed (TIER-01, -02, -05, -06)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from crmctl.i18n import N_, _
from crmctl.policy.conditions import Condition
from crmctl.policy.model import (
    CODE_PATTERN,
    Code,
    CodeItem,
    Figure,
    Finding,
    Labels,
    Lookup,
    Many,
    Reference,
    ScopeName,
    Settings,
    Sources,
    Wrong,
)
from crmctl.policy.nodes import Path
from crmctl.policy.windows import window

Way = Literal["face_to_face", "phone", "online", "mail", "sms", "wecom", "any"]
Model = Literal["threshold", "score"]
Origin = Literal["orders", "declared", "orders_else_declared"]
MOST_POINTS = 100


class CustomerTypeRef(Reference):
    """The code of a customer type in customers.yaml."""

    what = "customer_type"
    pattern = CODE_PATTERN
    __slots__ = ()


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
    when: Condition | None = Field(
        None, description=N_("who belongs to it: the highest tier whose condition holds; exactly one tier has none")
    )
    min_score: Figure | None = Field(None, description=N_("points from which a customer belongs to it (model score)"))
    standard: Standard = Field(description=N_("its maintenance standard"))
    source: Sources = Field(description=N_("clauses it comes from"))


class AnnualAmount(Settings):
    """Where the annual cooperation amount of customers comes from."""

    types: Many[CustomerTypeRef] = Field((), description=N_("customers of these types; all others unless given"))
    from_: Origin = Field(
        alias="from",
        description=N_("orders; declared: the record's own; orders_else_declared: declared where there are no orders"),
    )
    over: str | None = Field(None, description=N_("the time whose orders count, as in 12 months"))

    @model_validator(mode="after")
    def _window_of_orders(self) -> Self:
        if self.from_ == "declared" and self.over is not None:
            raise Wrong(_("over belongs to orders"), at=("over",))
        if self.from_ != "declared" and (self.over is None or window(self.over) is None):
            raise Wrong(_("say over which time orders count"), _("for example over: 12 months"))
        return self


class Band(Settings):
    """Points for customers that a condition holds for."""

    when: Condition | None = Field(None, description=N_("whom it is for; everybody left unless given"))
    points: Annotated[int, Field(ge=0, le=MOST_POINTS)] = Field(description=N_("0 to 100"))


class Measure(Settings):
    """One measure of a score: the first band that holds gives its points."""

    code: Code = Field(description=N_("its name in files and JSON"))
    labels: Labels = Field(description=N_("what people see, in Chinese (zh) and English (en)"))
    weight: Figure = Field(description=N_("how much it counts beside the others"))
    bands: Annotated[Many[Band], Field(min_length=1)] = Field(description=N_("points, the first that holds"))
    source: Sources = Field((), description=N_("clauses it comes from"))


class TiersSettings(Settings):
    """The tiers, highest first, and how customers are graded."""

    scopes: ClassVar[tuple[ScopeName, ...]] = ("customer_type", "org_unit")  # what is a fact of customers

    model: Model = Field(
        "threshold", description=N_("threshold: a condition for each tier; score: weighted points (TIER-02)")
    )
    annual_amount: Many[AnnualAmount] = Field(
        (), description=N_("where the annual amount comes from, the first that fits; declared unless given")
    )
    score: Many[Measure] = Field((), description=N_("the measures of the score (model score)"))
    downgrade_after: Figure | None = Field(
        None, description=N_("months a customer's figures must be below before it loses its tier; at once unless given")
    )
    tiers: Annotated[Many[Tier], Field(min_length=1)] = Field(description=N_("the tiers, highest first"))
    plan_valid_hours: Annotated[int, Field(ge=1, le=720)] | None = Field(
        None, description=N_("hours that a saved plan may be applied")
    )
    regrade_every: Figure | None = Field(None, description=N_("months after which grades are looked at again"))
    source: Sources = Field((), description=N_("clauses the grading comes from"))

    def provides(self) -> Mapping[str, Collection[str]]:
        """Return the codes of the tiers."""
        return {"tier": [tier.code for tier in self.tiers]}

    def tested_rules(self) -> list[Path]:
        """Return what cases must reach: every tier, and every band of a score."""
        bands: list[Path] = [
            ("score", place, "bands", position)
            for place, measure in enumerate(self.score)
            for position, _band in enumerate(measure.bands)
        ]
        return [*(("tiers", position) for position, _tier in enumerate(self.tiers)), *bands]

    def lint(self, look: Lookup) -> Iterator[Finding]:
        """Yield names used twice, ranks out of order, tiers nobody can reach, customers no tier takes."""
        from crmctl.tiers.policy_lint import findings

        yield from findings(self, look)
