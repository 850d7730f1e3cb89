"""What a valid row of an order file becomes, and an order as it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from crmctl.customers.meant import Called as Called
from crmctl.customers.meant import Name as Name

Value = str | int | None

# What a row may say of an order; the rest of its columns are the program's.
VALUES = ("amount", "currency", "home_amount", "ordered_on", "delivered_on", "paid_on", "product_line")
ORDER = (
    "customer_id", "order_id", "number", "source", *VALUES, "batch_id", "created_at", "updated_at", "version",
)  # fmt: skip


class OrderRow(NamedTuple):
    """A valid row, normalised.

    `row` is the record's number as a spreadsheet shows it, `number` the order's. `names` holds for each filled cell
    about the customer what it may be found by; `called` does so for cells that name it, as an organisation and as a
    person. `values` has the filled fields only; `home_amount` beside an amount is
    None where no rate is known. `cells` are the original ones, for quarantine.
    """

    row: int
    number: str
    names: tuple[tuple[Name, ...], ...]
    values: dict[str, Value]
    flags: tuple[str, ...]
    cells: list[str]
    called: tuple[Called, ...] = ()


class Stored(NamedTuple):
    """An order as it is: whose, its number within the database, and all its columns."""

    customer_id: int
    order_id: int
    values: Mapping[str, Value]
