"""Columns by which a customer is reached: several values in a cell, mobiles among landlines, countries of rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crmctl.customers.placing import place_of
from crmctl.customers.policy import CustomerField, CustomersSettings, Party
from crmctl.sheets.formats.emails import quick_email, read_emails
from crmctl.sheets.formats.phones import Phone, quick_mobile, read_mobiles, read_phones
from crmctl.sheets.formats.texts import PARTING, Fault, plain, unquoted
from crmctl.sheets.readers import Context, Later, Read

PHONE_NOT_VALIDATED = "PHONE_NOT_VALIDATED"
FORMATS = ("mobile", "phone", "email")  # mobiles before landlines, which may hold mobiles
Places = tuple[dict[str, Any], ...]


def _emails(cell: str, _region: str) -> list[Phone]:
    return [Phone(address, False, True) for address in read_emails(cell)]


def _nothing_quick(_cell: str) -> str | None:
    return None


_READ: dict[str, tuple[Callable[[str], str | None], Callable[[str, str], list[Phone]]]] = {
    "mobile": (quick_mobile, read_mobiles),
    "phone": (_nothing_quick, read_phones),
    "email": (quick_email, _emails),
}


class ReachColumn:
    """One column of numbers or addresses and the fields its values go to."""

    def __init__(self, index: int, field: CustomerField, settings: CustomersSettings, context: Context) -> None:
        self.index = index
        self.code = field.code
        self.field = field
        self.settings = settings
        self.home = settings.phone_region
        self.quick, self.read = _READ[field.format]
        self.silent = context.placeholders(field)
        self.dud = frozenset(
            found for text in self.silent for quick in (quick_mobile, quick_email) if (found := quick(text))
        )
        self.mobile_to = settings.by_code.get(field.mobile_to or "")

    def quick_reader(self) -> Read:
        """Return a reader of usual spellings, for rows that name no country; it raises Later for all others."""
        quick, dud = self.quick, self.dud

        def read(cell: str) -> str | None:
            if not cell:
                return None
            value = quick(cell)
            if value is None or value in dud:
                raise Later
            return value

        return read

    def take(
        self, cell: str, region: str | None, places: Places, organisation: bool, flags: list[str], blank: list[str]
    ) -> None:
        """Put the values of a cell where they belong; `region` is the row's country. Raises Fault."""
        found = self._found(unquoted(cell), region or self.home)
        if not found:
            blank.append(self.code)
            return
        if not all(one.valid for one in found):
            flags.append(PHONE_NOT_VALIDATED)
        self._put(found, places, organisation)

    def _found(self, cell: str, region: str) -> list[Phone]:
        text = plain(cell).casefold()
        if text in self.silent:
            return []
        found = [one for one in self.read(cell, region) if one.number not in self.dud]
        if any(len(one.number) > self.field.max_length for one in found):
            raise Fault("TOO_LONG")
        return found

    def _put(self, found: list[Phone], places: Places, organisation: bool) -> None:
        party: Party = "organisation" if organisation else "person"
        here = [one.number for one in found]
        if self.mobile_to is not None:
            person = places[place_of(self.mobile_to, party)]
            if not organisation or "name" in person:
                mobiles = [one.number for one in found if one.mobile]
                here = [one.number for one in found if not one.mobile]
                self._place(mobiles, self.mobile_to, places, party)
        self._place(here, self.field, places, party)

    def _place(self, values: list[str], field: CustomerField, places: Places, party: Party) -> None:
        """Write the first value to `field`, further ones to its overflow field or, without one, behind the first."""
        target = places[place_of(field, party)]
        held = target[field.code].split(PARTING) if field.code in target else []
        values = [value for value in dict.fromkeys(values) if value not in held]
        more = self.settings.by_code.get(field.overflow or "")
        if more is None:
            if values:
                target[field.code] = PARTING.join((*held, *values))
            return
        if not held and values:
            target[field.code], *values = values
        if values:
            self._place(values, more, places, party)
