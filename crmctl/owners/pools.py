"""Pools (公海) in policy kind `owners`: whose customers without owner may be taken, and what goes back to one."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from crmctl.i18n import N_, _
from crmctl.policy.model import CODE_PATTERN, CodeItem, Figure, Many, Reference, Settings, Sources, Wrong


class PoolTier(Reference):
    """The code of a tier in tiers.yaml."""

    what = "tier"
    pattern = CODE_PATTERN
    __slots__ = ()


class PoolType(Reference):
    """The code of a customer type in customers.yaml."""

    what = "customer_type"
    pattern = CODE_PATTERN
    __slots__ = ()


class PoolUnit(Reference):
    """The code of an organisation unit in company.yaml."""

    what = "org_unit"
    pattern = CODE_PATTERN
    __slots__ = ()


class Window(Settings):
    """Customers that go back to the pool: of these tiers, once both of the figures given have run out."""

    tiers: Many[PoolTier] = Field((), description=N_("customers of these tiers; every tier unless given"))
    no_contact_for: Figure | None = Field(
        None, description=N_("days since the last contact, counted anew from when the owner began")
    )
    contract_ended_for: Figure | None = Field(None, description=N_("days since the contract ended"))
    source: Sources = Field((), description=N_("clauses it comes from"))

    @model_validator(mode="after")
    def _a_figure(self) -> Self:
        if self.no_contact_for is None and self.contract_ended_for is None:
            raise Wrong(_("say after how many days: no_contact_for, contract_ended_for, or both"))
        return self


class Pool(CodeItem):
    """One pool: the customers without owner that it holds, who may take them and how often."""

    types: Many[PoolType] = Field((), description=N_("customers of these types; all unless given"))
    org_units: Many[PoolUnit] = Field((), description=N_("customers of these organisation units; all unless given"))
    tiers: Many[PoolTier] = Field((), description=N_("customers of these tiers; all unless given"))
    own_unit_only: bool = Field(False, description=N_("only staff of the customer's own organisation unit may take"))
    take_per_day: Figure | None = Field(
        None, description=N_("how many one person may take in a day; no limit unless given")
    )
    locked_out_for: Figure | None = Field(
        None, description=N_("days in which a former owner may not take the customer again; none unless given")
    )
    reclaim: Many[Window] = Field((), description=N_("customers that go back to this pool"))
    source: Sources = Field((), description=N_("clauses it comes from"))
