"""Where values of a row go, and which identities they make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from crmctl.customers.identities import identity_values
from crmctl.customers.model import LOOK_UP, Key
from crmctl.customers.policy import CLEAR_COLUMNS, CustomerField, CustomersSettings, Party
from crmctl.security.identity import IDENTITY_KINDS
from crmctl.sheets.formats.texts import PARTING, organisation_key, person_key
from crmctl.sheets.readers import Read

# Four dicts make a row: clear columns, attributes, sealed fields of the customer, sealed fields of the person.
CLEAR, ATTRIBUTES, OWN, PERSON = range(4)
# index of the cell, field, reader, place
Step = tuple[int, str, Read, int]

_new = tuple.__new__


def place_of(field: CustomerField, party: Party) -> int:
    """Return where a field is kept. What a person's row says about an organisation (the employer) is sealed."""
    if field.of == "person":
        return PERSON
    if field.sealed or (field.of == "organisation" and party == "person"):
        return OWN
    return CLEAR if field.code in CLEAR_COLUMNS else ATTRIBUTES


@dataclass(frozen=True)
class KeyPlan:
    """The identities that rows of one type carry: the party's own name first."""

    plan: tuple[tuple[int, str, int, str, bool, Callable[[str], str | tuple[str, ...]]], ...]

    def keys(self, places: tuple[dict[str, Any], ...]) -> tuple[Key, ...]:
        """Return the keys of a row's values."""
        found = []
        for place, code, kind, strength, of_contact, comparable in self.plan:
            stored = places[place].get(code)
            if stored is not None:
                value = comparable(stored)
                if value.__class__ is str:
                    found.append(_new(Key, (kind, value, strength, of_contact)))  # Key(…) takes twice as long
                else:
                    found.extend(_new(Key, (kind, one, strength, of_contact)) for one in value)
        return tuple(found) if len(found) < 5 else tuple(dict.fromkeys(found))


def key_plan(settings: CustomersSettings, type_code: str, written: set[str]) -> KeyPlan:
    """Return which of the `written` fields identify customers of a type, and how."""
    party = settings.type_by_code[type_code].party
    first = "company_name" if party == "organisation" else "name"
    plan = []
    for field in sorted(settings.fields, key=lambda item: item.code != first):
        if field.identity is None or field.code not in written:
            continue
        strength = field.identity.types.get(type_code) or getattr(field.identity, party)
        if strength is None:
            continue
        kind = field.identity.kind
        of_contact = party == "organisation" and field.of == "person"
        plan.append(
            (
                place_of(field, party),
                field.code,
                IDENTITY_KINDS[kind],
                strength or LOOK_UP,
                of_contact,
                _comparable(kind),
            )
        )
    return KeyPlan(tuple(plan))


def _comparable(kind: str) -> Callable[[str], str | tuple[str, ...]]:
    """Return `identity_values` of a kind, the frequent ones without detours."""
    if kind == "org_name":
        return organisation_key
    if kind in ("person_name", "contact_name"):
        return person_key
    values = partial(identity_values, kind)
    if kind == "email":
        return lambda stored: values(stored) if PARTING in stored else stored
    if kind in ("mobile", "landline"):
        return lambda stored: stored if stored[1:].isdecimal() and stored[0] == "+" else values(stored)
    return lambda stored: stored
