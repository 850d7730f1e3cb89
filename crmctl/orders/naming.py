"""A cell about the customer → what the customer is looked up by: idents of the blind index, or the customer number."""

from __future__ import annotations

from collections.abc import Callable

from crmctl.customers.identities import identity_values
from crmctl.customers.packing import Ident
from crmctl.customers.showing import parse_number
from crmctl.errors import InvalidInput
from crmctl.orders.model import Name
from crmctl.orders.policy import OrderField
from crmctl.security.identity import IDENTITY_KINDS
from crmctl.sheets.formats.emails import read_emails
from crmctl.sheets.formats.phones import read_mobiles
from crmctl.sheets.formats.texts import PARTING, Fault, plain, unquoted
from crmctl.sheets.readers import Context, field_reader

Names = Callable[[str], tuple[Name, ...]]
_MEMORY = 20_000  # cells: a customer's orders name it again and again


def names_reader(field: OrderField, context: Context, ident: Ident) -> Names:
    """Return the function from a cell to what it names; nothing for a cell that says nothing. It raises Fault."""
    read = _reader(field, context)
    kind = field.identity or ""
    known: dict[str, tuple[Name, ...]] = {}

    def names(cell: str) -> tuple[Name, ...]:
        found = known.get(cell)
        if found is None:
            stored = read(cell)
            found = () if stored is None else _names(kind, stored, ident)
            if len(known) < _MEMORY:
                known[cell] = found
        return found

    return names


def _names(kind: str, stored: str, ident: Ident) -> tuple[Name, ...]:
    if kind == "number":
        try:
            return (parse_number(stored),)
        except InvalidInput:
            raise Fault("CUSTOMER_NUMBER_INVALID") from None
    return tuple(ident(IDENTITY_KINDS[kind], value) for value in identity_values(kind, stored))


def _reader(field: OrderField, context: Context) -> Callable[[str], str | None]:
    """Return the function from a cell to the value as a customer's record would hold it."""
    if field.format not in ("mobile", "email"):
        return field_reader(field, context)
    silent = context.placeholders(field)
    region = context.settings.phone_region

    def read(cell: str) -> str | None:
        cell = unquoted(cell)
        if plain(cell).casefold() in silent:
            return None
        if field.format == "email":
            return PARTING.join(read_emails(cell))
        return PARTING.join(phone.number for phone in read_mobiles(cell, region) if phone.valid) or None

    return read
