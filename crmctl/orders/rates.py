"""Amounts in the company's currency: exact decimals, rounded half to even once, at the end."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import TYPE_CHECKING

from crmctl.orders.policy import OrdersSettings

if TYPE_CHECKING:
    from crmctl.policy import PolicySet

_EXACT = Context(prec=80)  # no product of an amount and a rate has as many digits
_WHOLE = Decimal(1)
LARGEST = 10**17  # minor units, as `sheets.formats.money` has it


class Rates:
    """What amounts in each currency are worth at home. Rates that the company has not decided are unknown."""

    def __init__(self, home: str, decimals: Mapping[str, int], rates: Mapping[str, Decimal]) -> None:
        self.home = home
        places = decimals.get(home, 2)
        self.factors = {code: rate.scaleb(places - decimals.get(code, 2)) for code, rate in rates.items()}

    def at_home(self, minor: int, currency: str) -> int | None:
        """Return an amount of minor units in minor units of the company's currency; None where no rate is known."""
        if currency == self.home:
            return minor
        factor = self.factors.get(currency)
        if factor is None:
            return None
        exact = _EXACT.multiply(Decimal(minor), factor)
        return int(exact.quantize(_WHOLE, ROUND_HALF_EVEN, _EXACT))


def rates_of(policies: PolicySet, settings: OrdersSettings) -> Rates:
    """Return the rates that a policy set decides."""
    decided = {currency: policies.figure(rate) for currency, rate in settings.exchange.items()}
    decimals = {item.code: item.decimals for item in settings.currencies}
    known = {currency: rate for currency, rate in decided.items() if rate is not None}
    return Rates(policies.company.currency, decimals, known)
