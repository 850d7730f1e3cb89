"""A customer's record as it is stored: clear columns, attributes, sealed fields; its completeness and its keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from crmctl.customers.formats.identity import identity_values
from crmctl.customers.model import LOOK_UP, Key, Row
from crmctl.customers.policy import CustomersSettings, FieldPolicy, KeyItem
from crmctl.security.identity import IDENTITY_KINDS

DRAFT = "draft"  # an imported customer is a draft until its key items are checked and submitted (INF-04, INF-09)
CODE_FIELD = "external_code"
CODES = "external_codes"  # attribute: source system → code


def dumps(value: object) -> bytes:
    """Return canonical JSON: sorted keys, UTF-8."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def new_record(
    settings: CustomersSettings, row: Row, number: int, flags: Sequence[str], source: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the clear columns and the sealed fields of a new customer."""
    clear: dict[str, Any] = {"customer_id": number, "type": row.type, "status": DRAFT, **row.clear}
    attributes, personal = namespaced(row, source)
    if attributes:
        clear["attributes"] = dumps(attributes).decode()
    if flags:
        clear["flags"] = " ".join(sorted({*flags}))
    clear["completeness"] = completeness(settings, row.type, clear, attributes, personal, (row.contact,))
    return clear, personal


def namespaced(row: Row, source: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return attributes and sealed fields with the external code under the system it comes from."""
    for fields in (row.attributes, row.personal):
        if CODE_FIELD in fields:
            attributes = {name: value for name, value in row.attributes.items() if name != CODE_FIELD}
            attributes[CODES] = {source: fields[CODE_FIELD]}
            return attributes, {name: value for name, value in row.personal.items() if name != CODE_FIELD}
    return row.attributes, row.personal


def completeness(
    settings: CustomersSettings,
    type_code: str,
    clear: Mapping[str, Any],
    attributes: Mapping[str, Any],
    personal: Mapping[str, Any],
    contacts: Iterable[Mapping[str, Any] | None],
) -> int:
    """Return the share of key items that are filled, in whole per cent rounded down (QUA-01, QUA-02)."""
    tier = clear.get("tier")
    items = [item for item in _items(settings.completeness.items, type_code, settings) if _counts(item, tier)]
    if not items:
        return 100
    places = (clear, attributes, personal, *(contact for contact in contacts if contact))
    filled = sum(any(field in place for field in item.any_of for place in places) for item in items)
    return filled * 100 // len(items)


_known_items: dict[tuple[int, str], list[KeyItem]] = {}


def _items(items: Sequence[KeyItem], type_code: str, settings: CustomersSettings) -> list[KeyItem]:
    found = _known_items.get((id(items), type_code))
    if found is None:
        found = [item for item in items if not item.types or settings.applies(item.types, type_code)]
        _known_items[id(items), type_code] = found
    return found


def _counts(item: KeyItem, tier: str | None) -> bool:
    return not item.tiers or tier in item.tiers


def keys_of(
    settings: CustomersSettings,
    clear: Mapping[str, Any],
    personal: Mapping[str, Any],
    contacts: Iterable[Mapping[str, Any]],
) -> set[Key]:
    """Return the identities a stored record carries. External codes are left to the caller, who knows their system."""
    type_code = str(clear["type"])
    organisation = settings.type_by_code[type_code].party == "organisation"
    attributes = orjson.loads(clear["attributes"]) if clear.get("attributes") else {}
    found: set[Key] = set()
    own = {**clear, **attributes, **personal}
    for field, strength in _identifying(settings, type_code):
        of_contact = organisation and field.of == "person"
        for place in contacts if of_contact else (own,):
            value = place.get(field.code)
            if value and field.identity is not None:
                kind = IDENTITY_KINDS[field.identity.kind]
                values = identity_values(field.identity.kind, value)
                found.update(Key(kind, comparable, strength, of_contact) for comparable in values)
    return found


def _identifying(settings: CustomersSettings, type_code: str) -> list[tuple[FieldPolicy, str]]:
    party = settings.type_by_code[type_code].party
    found = []
    for field in settings.fields:
        if field.identity is None or field.code == CODE_FIELD:
            continue
        strength = field.identity.types.get(type_code) or getattr(field.identity, party)
        if strength is not None:
            found.append((field, strength or LOOK_UP))
    return found
