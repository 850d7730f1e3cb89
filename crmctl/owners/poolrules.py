"""The pools of the owners policies in force, with their figures: which pool a customer without owner lies in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement

from crmctl.customers.tables import customer
from crmctl.owners.pools import Pool, Window
from crmctl.policy.model import Figure
from crmctl.policy.policyset import Policy, PolicySet
from crmctl.policy.scopes import Ruling, area, in_force, units_below

KIND = "owners"


@dataclass(frozen=True)
class Placed:
    """A pool with where it stands: its policy, its place in it, the codes it takes in (units with those below them)."""

    ruling: Ruling
    place: int
    pool: Pool
    codes: Mapping[str, frozenset[str]]

    @property
    def policy(self) -> Policy:
        """The policy it is a pool of."""
        return self.ruling.policy

    @property
    def rule(self) -> str:
        """Where it stands in its policy."""
        return f"pools[{self.place}]"

    def holds(self, clear: Mapping[str, Any]) -> bool:
        """Say whether a customer with these clear columns lies here once nobody owns it."""
        return all(clear.get(name) in codes for name, codes in self.codes.items())

    def where(self) -> list[ColumnElement[bool]]:
        """Return the same as conditions on table customer."""
        return [customer.c[name].in_(sorted(codes)) for name, codes in self.codes.items()]


def pools(policies: PolicySet, day: date) -> tuple[Placed, ...]:
    """Return the pools of all owners policies in force on a day, the first to ask first."""
    units = units_below(policies.company)
    return tuple(
        Placed(ruling, place, pool, _codes(pool, units))
        for ruling in in_force(policies, KIND, day)
        for place, pool in enumerate(_pools(ruling))
    )


def _pools(ruling: Ruling) -> Sequence[Pool]:
    settings: Any = ruling.policy.settings
    found: Sequence[Pool] = settings.pools
    return found


def _codes(pool: Pool, units: Mapping[str, Sequence[str]]) -> dict[str, frozenset[str]]:
    named = {
        "type": frozenset(map(str, pool.types)),
        "org_unit": frozenset(below for unit in pool.org_units for below in units.get(unit, (str(unit),))),
        "tier": frozenset(map(str, pool.tiers)),
    }
    return {name: codes for name, codes in named.items() if codes}


def pool_of(policies: PolicySet, day: date, clear: Mapping[str, Any]) -> Placed | None:
    """Return the pool in which a customer with these clear columns lies; None when no pool takes it.

    The policy is the first whose scope fits the customer: a pool of another is not for it.
    """
    units = units_below(policies.company)
    for ruling in in_force(policies, KIND, day):
        sides = {"customer_type": clear.get("type"), "org_unit": clear.get("org_unit")}
        if all(sides.get(name) in codes for name, codes in area(ruling.policy, units).items()):
            for place, pool in enumerate(_pools(ruling)):
                placed = Placed(ruling, place, pool, _codes(pool, units))
                if placed.holds(clear):
                    return placed
            return None
    return None


def days(policies: PolicySet, figure: Figure | None, rule: str) -> int | None:
    """Return a figure as a whole number, None where there is none. Raises ValueUndecided while its value is unset."""
    return None if figure is None else int(policies.resolve(figure, rule))


def undecided(policies: PolicySet, window: Window) -> list[str]:
    """Return the names of the values a window waits for."""
    figures = (window.no_contact_for, window.contract_ended_for)
    return [str(figure)[1:] for figure in figures if figure is not None and policies.figure(figure) is None]
