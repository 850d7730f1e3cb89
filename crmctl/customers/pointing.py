"""A cell about the customer → what the customer is looked up by: idents of the blind index, or the customer number.

A customer's name is looked up twice, as an organisation's and as an individual's: a sheet seldom says which.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from crmctl.customers.identities import identity_value, identity_values
from crmctl.customers.meant import Called, Identity, Name
from crmctl.customers.packing import Ident
from crmctl.customers.showing import parse_number
from crmctl.errors import InvalidInput
from crmctl.security.identity import IDENTITY_KINDS
from crmctl.sheets.formats.emails import read_emails
from crmctl.sheets.formats.phones import read_mobiles
from crmctl.sheets.formats.texts import PARTING, Fault, plain, unquoted
from crmctl.sheets.policy import FieldPolicy
from crmctl.sheets.readers import Context, field_reader

Names = Callable[[str], tuple[Name, ...]]
Calls = Callable[[str], tuple[Called, ...]]
NAME = "org_name"  # the identity of a column that holds the customer's name
T = TypeVar("T")
_MEMORY = 20_000  # cells: rows name the same customer again and again


def names_reader(field: FieldPolicy, kind: Identity, context: Context, ident: Ident) -> Names:
    """Return the function from a cell to what it names; nothing for a cell that says nothing. It raises Fault."""
    return _remembering(_reader(field, context), lambda stored: _names(kind, stored, ident))


def calls_reader(field: FieldPolicy, context: Context, ident: Ident) -> Calls:
    """Return the same for a cell that holds the customer's name."""
    return _remembering(_reader(field, context), lambda stored: (_called(stored, ident),))


def _remembering(
    read: Callable[[str], str | None], look: Callable[[str], tuple[T, ...]]
) -> Callable[[str], tuple[T, ...]]:
    known: dict[str, tuple[T, ...]] = {}

    def names(cell: str) -> tuple[T, ...]:
        found = known.get(cell)
        if found is None:
            stored = read(cell)
            found = () if stored is None else look(stored)
            if len(known) < _MEMORY:
                known[cell] = found
        return found

    return names


def _called(stored: str, ident: Ident) -> Called:
    organisation, person = (ident(IDENTITY_KINDS[kind], identity_value(kind, stored)) for kind in (NAME, "person_name"))
    return Called(organisation, person)


def _names(kind: str, stored: str, ident: Ident) -> tuple[Name, ...]:
    if kind == "number":
        try:
            return (parse_number(stored),)
        except InvalidInput:
            raise Fault("CUSTOMER_NUMBER_INVALID") from None
    return tuple(ident(IDENTITY_KINDS[kind], value) for value in identity_values(kind, stored))


def _reader(field: FieldPolicy, context: Context) -> Callable[[str], str | None]:
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
