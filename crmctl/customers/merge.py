"""A row merged into the customer it matched: later filled cells win, blank cells keep, nothing changed is unchanged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

from crmctl.customers import named_owners, record
from crmctl.customers.columns import CONTACT_CLEAR, CUSTOMER_CLEAR, clear_of, customer_row
from crmctl.customers.model import UNIQUE, Key, Row
from crmctl.customers.policy import CLEAR_COLUMNS, CustomersSettings
from crmctl.security.identity import IDENTITY_KINDS
from crmctl.security.sealing import DataKey, Place, Sealer, pad
from crmctl.sheets.formats.texts import person_key

CUSTOMER_SEALED = Place("customer", "sealed")
CONTACT_SEALED = Place("contact", "sealed")
CODE_KIND = IDENTITY_KINDS["external_code"]
TYPE_CONFLICT = "TYPE_CONFLICT"
_BOOKKEEPING = ("version", "derived_version", "updated_at", "completeness")


class Edited(NamedTuple):
    """A stored object before and after: its clear columns, its envelopes, its whole row, the fields that changed."""

    object_id: int
    fields: list[str]
    before: dict[str, Any]
    after: dict[str, Any]
    sealed_before: bytes
    sealed_after: bytes
    row: tuple[Any, ...]
    version: int


class Merged(NamedTuple):
    """What a row makes of its customer; `conflict` is a reason code that rejects it instead."""

    customer: Edited | None = None
    contact: Edited | None = None
    new_contact: bool = False
    keys_added: frozenset[Key] = frozenset()
    keys_dropped: frozenset[Key] = frozenset()
    conflict: str = ""

    @property
    def changed(self) -> bool:
        """Whether anything is different afterwards."""
        return self.customer is not None or self.contact is not None or self.new_contact


@dataclass(frozen=True)
class Terms:
    """How to merge: the field policy, whether the file names types, what blank cells do, whose codes, and when."""

    settings: CustomersSettings
    completeness: record.Completeness
    sealer: Sealer
    source: str
    at: str
    names_types: bool
    clear_blanks: bool


@dataclass
class _Before:
    key: DataKey
    clear: dict[str, Any]
    attributes: dict[str, Any]
    personal: dict[str, Any]
    contacts: dict[int, dict[str, Any]]


def merge(row: Row, key: DataKey, stored: tuple[Any, ...], contacts: Sequence[tuple[Any, ...]], terms: Terms) -> Merged:
    """Return what `row` changes in the stored customer and its contacts."""
    before = _open(key, stored, contacts, terms.sealer)
    types = terms.settings.type_by_code
    if (types[before.clear["type"]].party == "organisation") != row.organisation:
        return Merged(conflict=TYPE_CONFLICT)
    clear, attributes, personal = _after(row, before, terms)
    contact_id, contact = _contact_after(row, before, terms)
    if clear == before.clear and personal == before.personal and before.contacts.get(contact_id, {}) == contact:
        return Merged()
    after_contacts = dict(before.contacts)
    if row.contact is not None:
        after_contacts[contact_id] = contact
    clear["completeness"] = terms.completeness.of(clear, attributes, personal, *after_contacts.values())
    customer = _edit_customer(stored, before, clear, personal, terms)
    new_contact = row.contact is not None and contact_id not in before.contacts
    edited = None
    if row.contact is not None and not new_contact:
        held = next(item for item in contacts if item[1] == contact_id)
        edited = _edit_contact(held, before.contacts[contact_id], contact, key, terms)
    if customer is None and edited is None and not new_contact:
        return Merged()
    old = _keys(terms, before.clear, before.personal, before.contacts)
    new = _keys(terms, clear, personal, after_contacts)
    return Merged(customer, edited, new_contact, frozenset(new - old), frozenset(old - new))


def _open(key: DataKey, stored: tuple[Any, ...], contacts: Sequence[tuple[Any, ...]], sealer: Sealer) -> _Before:
    clear = clear_of(CUSTOMER_CLEAR, stored)
    attributes = orjson.loads(clear["attributes"]) if "attributes" in clear else {}
    personal = sealer.open_json(key, CUSTOMER_SEALED, stored[-2])
    held = {row[1]: sealer.open_json(key, CONTACT_SEALED, row[-2], row[1]) for row in contacts}
    return _Before(key, clear, attributes, personal, held)


def _after(row: Row, before: _Before, terms: Terms) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    new_attributes, new_personal = record.namespaced(row, terms.source)
    codes = {**before.attributes.get(record.CODES, {}), **new_attributes.get(record.CODES, {})}
    attributes = {**before.attributes, **new_attributes}
    if codes:
        attributes[record.CODES] = codes
    clear = {**before.clear, **row.clear}
    personal = {**before.personal, **new_personal}
    if terms.clear_blanks:
        for name in row.blank:
            attributes.pop(name, None)
            personal.pop(name, None)
            if name in CLEAR_COLUMNS:
                clear.pop(name, None)
    if terms.names_types:
        clear["type"] = row.type
    if named_owners.concerns(row, before.clear):
        stands = named_owners.named(before.attributes, before.personal)
        named_owners.settled(clear, row, before.clear, named_owners.named(row.attributes, row.personal), stands)
    clear.pop("attributes", None)
    if attributes:
        clear["attributes"] = record.dumps(attributes).decode()
    return clear, attributes, personal


def _contact_after(row: Row, before: _Before, terms: Terms) -> tuple[int, dict[str, Any]]:
    """Return the number and the fields of the contact a row is about; a new number when it is nobody known."""
    if row.contact is None:
        return 0, {}
    for number, fields in before.contacts.items():
        if _same_person(fields, row.contact):
            merged = {**fields, **row.contact}
            if terms.clear_blanks:
                merged = {name: value for name, value in merged.items() if name not in row.blank}
            return number, merged
    return max(before.contacts, default=0) + 1, dict(row.contact)


def _same_person(known: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    if known.get("name") and given.get("name"):
        return person_key(known["name"]) == person_key(given["name"])
    return any(known.get(field) and known.get(field) == given.get(field) for field in ("mobile", "email"))


def _edit_customer(
    stored: tuple[Any, ...], before: _Before, clear: dict[str, Any], personal: dict[str, Any], terms: Terms
) -> Edited | None:
    fields = _changed(before.clear, clear, _BOOKKEEPING) + _changed(before.personal, personal)
    if not fields:
        return None
    sealed = stored[-2]
    if personal != before.personal:
        sealed = terms.sealer.seal(before.key, CUSTOMER_SEALED, pad(orjson.dumps(personal)))
    clear["version"] += 1
    clear["updated_at"] = terms.at
    version = clear["version"] + clear["derived_version"]
    row = customer_row(clear, sealed, sha256(sealed).digest())
    return Edited(clear["customer_id"], sorted(fields), before.clear, clear, stored[-2], sealed, row, version)


def _edit_contact(
    stored: tuple[Any, ...], before: dict[str, Any], after: dict[str, Any], key: DataKey, terms: Terms
) -> Edited | None:
    fields = _changed(before, after)
    if not fields:
        return None
    number = stored[1]
    old = clear_of(CONTACT_CLEAR, stored)
    clear = {**old, "version": old["version"] + 1, "updated_at": terms.at}
    sealed = terms.sealer.seal(key, CONTACT_SEALED, pad(orjson.dumps(after)), object_id=number)
    row = (*(clear.get(name) for name in CONTACT_CLEAR), sealed, sha256(sealed).digest())
    return Edited(number, sorted(fields), old, clear, stored[-2], sealed, row, clear["version"])


def _changed(before: Mapping[str, Any], after: Mapping[str, Any], aside: Sequence[str] = ()) -> list[str]:
    names = before.keys() | after.keys()
    return [name for name in names if name not in aside and before.get(name) != after.get(name)]


def _keys(
    terms: Terms, clear: Mapping[str, Any], personal: Mapping[str, Any], contacts: Mapping[int, dict[str, Any]]
) -> set[Key]:
    found = record.keys_of(terms.settings, clear, personal, contacts.values())
    attributes = orjson.loads(clear["attributes"]) if clear.get("attributes") else {}
    code = attributes.get(record.CODES, {}).get(terms.source)
    if code:
        found.add(Key(CODE_KIND, code, UNIQUE, False))
    return found
