"""How orders look to people: customer numbers, amounts in whole units, the columns of a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crmctl.cli.render import Column
from crmctl.customers.showing import number_text
from crmctl.i18n import N_
from crmctl.orders.policy import OrdersSettings
from crmctl.sheets.formats.money import written

COLUMNS = (
    Column("number", N_("Order no.")),
    Column("customer", N_("Customer"), show=number_text),
    Column("ordered_on", N_("Ordered")),
    Column("amount_text", N_("Amount"), right=True),
    Column("currency", N_("Currency")),
    Column("home_text", N_("In the company's currency"), right=True),
    Column("delivered_on", N_("Delivered")),
    Column("paid_on", N_("Paid")),
    Column("product_line", N_("Product line")),
    Column("source", N_("Source"), detail=True),
    Column("batch", N_("Batch"), detail=True),
    Column("amount", N_("Amount"), detail=True),
    Column("home_amount", N_("In the company's currency"), detail=True),
    Column("order", N_("Order"), detail=True),
    Column("version", N_("Version"), detail=True),
)


def list_rows(orders: Sequence[Mapping[str, Any]], settings: OrdersSettings, home: str) -> list[tuple[Any, ...]]:
    """Return the lines of a list. Programs get amounts in minor units besides."""
    decimals = {item.code: item.decimals for item in settings.currencies}

    def text(minor: int | None, currency: str) -> str | None:
        return None if minor is None else written(minor, decimals.get(currency, 2))

    return [
        (
            order["number"], order["customer_id"], order["ordered_on"], text(order["amount"], order["currency"]),
            order["currency"], text(order["home_amount"], home), order["delivered_on"], order["paid_on"],
            order["product_line"], order["source"], order["batch_id"], order["amount"], order["home_amount"],
            order["order_id"], order["version"],
        )
        for order in orders
    ]  # fmt: skip
