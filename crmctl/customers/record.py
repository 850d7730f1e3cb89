"""A customer's record as it is stored: clear columns, attributes, sealed fields; its completeness and its keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

import orjson

from crmctl.customers.identities import identity_values
from crmctl.customers.model import LOOK_UP, Key, Row
from crmctl.customers.policy import CustomerField, CustomersSettings
from crmctl.security.identity import IDENTITY_KINDS

DRAFT = "draft"  # an imported customer is a draft until its key items are checked and submitted (INF-04, INF-09)
CODE_FIELD = "external_code"
_PATTERNS = 10_000
CODES = "external_codes"  # attribute: source system → code


def dumps(value: object) -> bytes:
    """Return canonical JSON: sorted keys, UTF-8."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


class Completeness:
    """The share of key items that are filled (QUA-01, QUA-02), prepared once for all types and tiers."""

    def __init__(self, settings: CustomersSettings) -> None:
        self._settings = settings
        self._items: dict[tuple[str, str | None], list[frozenset[str]]] = {}
        self._known: dict[tuple[Any, ...], int] = {}

    def of(self, clear: Mapping[str, Any], *places: Iterable[str]) -> int:
        """Return whole per cent, rounded down; `places` give the names of the other filled fields."""
        # The rows of a file fill a few dozen patterns of fields: remembering them takes a third of counting.
        pattern = (clear["type"], clear.get("tier"), *clear, *chain.from_iterable(places))
        share = self._known.get(pattern)
        if share is None:
            share = self._share(pattern[0], pattern[1], frozenset(pattern[2:]))
            if len(self._known) < _PATTERNS:
                self._known[pattern] = share
        return share

    def _share(self, type_code: str, tier: str | None, filled: frozenset[str]) -> int:
        items = self._items.get((type_code, tier))
        if items is None:
            items = self._items[type_code, tier] = self._wanted(type_code, tier)
        if not items:
            return 100
        missing = sum(map(filled.isdisjoint, items))
        return (len(items) - missing) * 100 // len(items)

    def _wanted(self, type_code: str, tier: str | None) -> list[frozenset[str]]:
        return [
            frozenset(item.any_of)
            for item in self._settings.completeness.items
            if (not item.types or self._settings.applies(item.types, type_code))
            and (not item.tiers or tier in item.tiers)
        ]


def new_record(row: Row, source: str, completeness: Completeness) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the clear columns (number and times to come) and the sealed fields of a new customer."""
    clear: dict[str, Any] = {"type": row.type, "status": DRAFT, **row.clear}
    if row.owner is not None:
        clear["owner_id"] = row.owner
    attributes, personal = namespaced(row, source)
    if attributes:
        clear["attributes"] = dumps(attributes).decode()
    clear["completeness"] = completeness.of(clear, attributes, personal, row.contact or ())
    return clear, personal


def namespaced(row: Row, source: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return attributes and sealed fields with the external code under the system it comes from."""
    for fields in (row.attributes, row.personal):
        if CODE_FIELD in fields:
            attributes = {name: value for name, value in row.attributes.items() if name != CODE_FIELD}
            attributes[CODES] = {source: fields[CODE_FIELD]}
            return attributes, {name: value for name, value in row.personal.items() if name != CODE_FIELD}
    return row.attributes, row.personal


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


def _identifying(settings: CustomersSettings, type_code: str) -> list[tuple[CustomerField, str]]:
    party = settings.type_by_code[type_code].party
    found = []
    for field in settings.fields:
        if field.identity is None or field.code == CODE_FIELD:
            continue
        strength = field.identity.types.get(type_code) or getattr(field.identity, party)
        if strength is not None:
            found.append((field, strength or LOOK_UP))
    return found
