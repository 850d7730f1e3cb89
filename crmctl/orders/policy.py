"""Settings of policy kind `orders`: what is recorded of an order, and how a file of orders is read (ORD-02, ORD-03).

Units, currencies, placeholders and limits of files are those of the customers policy unless given here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field, StringConstraints

from crmctl.customers.meant import FORMATS, Identity
from crmctl.i18n import N_, _
from crmctl.orders.reasons import REASONS
from crmctl.policy.model import Figure, Finding, Lookup, Many, Sources
from crmctl.sheets.policy import FieldPolicy, Format, PlainField, PlainSettings

if TYPE_CHECKING:
    from crmctl.sheets.headers import ColumnMapping

# Fields with a column of their own in table `purchase_order`, and what they must look like.
COLUMNS: Mapping[str, tuple[Format, ...]] = {
    "number": ("code",),
    "amount": ("money",),
    "currency": ("choice",),
    "ordered_on": ("date",),
    "delivered_on": ("date",),
    "paid_on": ("date",),
    "product_line": ("choice", "text", "code"),
}
# Without these an order cannot come to be; a row about a known order may leave them out.
NEEDED = ("amount", "ordered_on")


class OrderField(PlainField):
    """One field of an order: a column of its own, or what says whose order it is."""

    identity: Identity | None = Field(None, description=N_("what of the customer it is; number is the customer number"))


class OrdersSettings(PlainSettings):
    """What is recorded of orders, and at which rates amounts become the company's currency."""

    kind: ClassVar[str] = "orders"
    reasons: ClassVar[Mapping[str, tuple[str, str]]] = REASONS

    fields: Many[OrderField] = Field(min_length=1, description=N_("what is recorded of an order"))
    exchange: dict[Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")], Figure] = Field(
        {}, description=N_("what one unit of another currency is worth in the company's; an undecided rate is unknown")
    )
    source: Sources = Field((), description=N_("clauses it comes from"))

    @cached_property
    def by_code(self) -> Mapping[str, OrderField]:
        """Fields by code, in the policy's order."""
        return {field.code: field for field in self.fields}

    def lacking(self, mapping: ColumnMapping, type_code: str | None) -> list[FieldPolicy]:
        """Return the required fields that have no column; a file about known orders needs no more than their number."""
        return [field for field in super().lacking(mapping, type_code) if field.code not in NEEDED]

    def provides(self) -> Mapping[str, Collection[str]]:
        """Return the product lines, where the policy lists any."""
        return {"product_line": [item.code for item in self.lists.get("product_lines", ())]}

    def lint(self, look: Lookup) -> Iterator[Finding]:
        """Yield names used twice, fields that orders do not keep, rates that are none."""
        yield from super().lint(look)
        if "number" not in self.by_code:
            yield Finding(("fields",), _("field {code} is missing").format(code="number"), code="P105")
        for position, field in enumerate(self.fields):
            formats = FORMATS[field.identity] if field.identity else COLUMNS.get(field.code)
            at = ("fields", position)
            if formats is None:
                message = _("orders keep no field {code}").format(code=field.code)
                yield Finding((*at, "code"), message, _("one of: {codes}").format(codes=", ".join(COLUMNS)), "P307")
            elif field.format not in formats:
                message = _("{code} has the format {format}").format(code=field.code, format=_(" or ").join(formats))
                yield Finding((*at, "format"), message)
        for currency, rate in self.exchange.items():
            figure = look.figure(rate)
            if figure is not None and figure <= 0:
                yield Finding(("exchange", currency), _("a rate is above 0"))
