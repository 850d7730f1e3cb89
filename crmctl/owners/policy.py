"""Policy kind `owners`: who looks after which customers (专属跟进人): eligibility, load, stickiness, pools (OWN-01)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from crmctl.i18n import N_, _
from crmctl.owners.pools import Pool
from crmctl.policy.conditions import Condition
from crmctl.policy.model import (
    CODE_PATTERN,
    CodeItem,
    Figure,
    Finding,
    Lookup,
    Many,
    Reference,
    ScopeName,
    Settings,
    Sources,
    Text,
    Wrong,
)
from crmctl.policy.nodes import Path
from crmctl.policy.windows import window

Period = Literal["month", "quarter"]
Measure = Literal["count", "tier", "value"]
CustomerFact = Literal["customer_type", "tier", "org_unit", "region", "industry", "source", "stage"]


class TierRef(Reference):
    """The code of a tier in tiers.yaml."""

    what = "tier"
    pattern = CODE_PATTERN
    __slots__ = ()


class PostRef(Reference):
    """The code of a post in company.yaml."""

    what = "post"
    pattern = CODE_PATTERN
    __slots__ = ()


class UnitRef(Reference):
    """The code of an organisation unit in company.yaml."""

    what = "org_unit"
    pattern = CODE_PATTERN
    __slots__ = ()


class LevelRef(Reference):
    """The code of a level in staff.yaml."""

    what = "level"
    pattern = CODE_PATTERN
    __slots__ = ()


class LanguageRef(Reference):
    """The code of a language in staff.yaml."""

    what = "language"
    pattern = CODE_PATTERN
    __slots__ = ()


class StaffFieldRef(Reference):
    """The code of a field in staff.yaml."""

    what = "staff_field"
    pattern = CODE_PATTERN
    __slots__ = ()


class Skill(Settings):
    """A fact of the customer that must be among what a field of the staff register says."""

    customer: CustomerFact = Field(description=N_("the fact of the customer"))
    staff: StaffFieldRef = Field(description=N_("the field of the staff register; it may hold several"))


class Eligible(Settings):
    """What staff must be to get the customers of a rule: all of it; OWN-05 always applies besides."""

    posts: Many[PostRef] = Field((), description=N_("on one of these posts"))
    levels: Many[LevelRef] = Field((), description=N_("of one of these levels"))
    level_from: LevelRef | None = Field(None, description=N_("of this level or a higher one"))
    languages: Many[LanguageRef] = Field((), description=N_("who speak all of these"))
    org_units: Many[UnitRef] = Field((), description=N_("of one of these organisation units"))
    regions: Many[Text] = Field((), description=N_("responsible for one of these regions"))
    departments: Many[Text] = Field((), description=N_("of one of these departments"))
    same: Many[Literal["org_unit", "region"]] = Field((), description=N_("of the same as the customer"))
    skills: Many[Skill] = Field((), description=N_("whose field holds the customer's fact"))


class Rule(CodeItem):
    """Which staff may look after which customers."""

    when: Condition | None = Field(None, description=N_("customers it is for; everybody left unless given"))
    staff: Eligible = Field(Eligible(), description=N_("who is eligible; everybody who may own unless given"))
    else_next: bool = Field(
        False, description=N_("where nobody of them can take a customer, the next rule that holds decides")
    )
    source: Sources = Field((), description=N_("clauses it comes from"))


class Weight(Settings):
    """How much a customer of a tier counts."""

    tier: TierRef = Field(description=N_("the tier"))
    weight: Figure = Field(description=N_("how many customers one of it counts for; 1 unless given"))


class Load(Settings):
    """What is spread evenly, in proportion to each person's capacity."""

    by: Measure = Field(
        "count", description=N_("count: customers; tier: customers by weight; value: their annual amount")
    )
    weights: Many[Weight] = Field((), description=N_("weights of tiers (by tier)"))
    over: Text | None = Field(
        None, description=N_("value: the orders of this time, as in 12 months; what records declare unless given")
    )
    source: Sources = Field((), description=N_("clauses it comes from"))

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if self.weights and self.by != "tier":
            raise Wrong(_("weights belong to by: tier"), at=("weights",))
        if self.over is not None and (self.by != "value" or window(self.over) is None):
            raise Wrong(_("over belongs to by: value, and is a time"), _("for example over: 12 months"), at=("over",))
        return self


class Former(Settings):
    """A customer without owner goes back to its former owner."""

    within: Figure = Field(description=N_("months since the former owner stopped"))
    source: Sources = Field((), description=N_("clauses it comes from"))


class LockedOut(Settings):
    """A former owner does not get the customer back."""

    after: Annotated[Many[Literal["reclaim", "return", "handover", "manual"]], Field(min_length=1)] = Field(
        ("reclaim",), description=N_("how the former owner stopped")
    )
    within: Figure = Field(description=N_("days since then"))
    source: Sources = Field((), description=N_("clauses it comes from"))


class Conflict(Settings):
    """Staff who must not look after some customers."""

    staff: Annotated[Many[Text], Field(min_length=1)] = Field(description=N_("staff numbers"))
    customers: Many[Annotated[str, Field(pattern=r"^C-[0-9]+$")]] = Field(
        (), description=N_("customers, as in C-000123; whoever the condition holds for unless given")
    )
    when: Condition | None = Field(None, description=N_("customers by a condition"))
    reason: Text = Field(description=N_("why, for the record; no personal details"))

    @model_validator(mode="after")
    def _some(self) -> Self:
        if bool(self.customers) == (self.when is not None):
            raise Wrong(_("give customers or when"))
        return self


class OwnersSettings(Settings):
    """Who looks after which customers."""

    scopes: ClassVar[tuple[ScopeName, ...]] = ("customer_type", "org_unit")  # what is a fact of customers

    period: Period = Field(
        "month", description=N_("in each such period customers stand in another order, and so do people of equal load")
    )
    rules: Annotated[Many[Rule], Field(min_length=1)] = Field(description=N_("the first that holds decides"))
    load: Load = Field(Load(), description=N_("what is spread evenly"))
    spread_tiers: bool = Field(False, description=N_("the customers of each tier are spread evenly first"))
    former_owner: Former | None = Field(None, description=N_("who had a customer before gets it back (stickiness)"))
    locked_out: LockedOut | None = Field(None, description=N_("who lost a customer does not get it back"))
    conflicts: Many[Conflict] = Field((), description=N_("conflicts of interest"))
    rebalance: bool = Field(
        False, description=N_("customers of owners who may not have them, or have too many, are given to others too")
    )
    pools: Many[Pool] = Field((), description=N_("pools (公海) that customers without owner are taken from"))
    plan_valid_hours: Annotated[int, Field(ge=1, le=720)] | None = Field(
        None, description=N_("hours that a saved plan may be applied")
    )
    source: Sources = Field((), description=N_("clauses the assignment comes from"))

    def tested_rules(self) -> list[Path]:
        """Return what cases must reach: every rule."""
        return [("rules", position) for position, _rule in enumerate(self.rules)]

    def lint(self, look: Lookup) -> Iterator[Finding]:
        """Yield names used twice, rules nobody reaches, figures that cannot be."""
        from crmctl.owners.policy_lint import findings

        yield from findings(self, look)
