"""Texts of a command line or cells of a file → a draft (field → value) → the columns of a row, and back."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping
from datetime import date, datetime
from typing import Any

import orjson

from crmctl.policy import PolicySet
from crmctl.runs.run import company_zone
from crmctl.sheets.formats.texts import Fault
from crmctl.sheets.readers import Context, Read, field_reader
from crmctl.staff.columns import FIELDS
from crmctl.staff.decide import state_on
from crmctl.staff.policy import StaffField, StaffSettings, outside_lists

_PARTED = re.compile(r"[\s,;、，；|]+")
_LARGEST_UID = 2**32 - 2


def context_of(policies: PolicySet, settings: StaffSettings, at: datetime) -> Context:
    """Return what the readers of fields share."""
    return Context(settings, company_zone(policies), at, outside_lists(policies))


def readers(settings: StaffSettings, context: Context, wanted: Container[str] | None = None) -> dict[str, Read]:
    """Return for each field (of `wanted`) the function from text to value; it raises Fault.

    None is the value of a text that says nothing.
    """
    fields = (field for field in settings.fields if wanted is None or field.code in wanted)
    return {field.code: _reader(field, field_reader(field, context)) for field in fields}


def _reader(field: StaffField, read: Read) -> Read:
    if field.code == "uids":
        return lambda text: _accounts(read(text))
    if field.format == "choices":
        return lambda text: _sorted(read(text))
    return read


def _accounts(text: str | None) -> tuple[int, ...] | None:
    parts = [part for part in _PARTED.split(text or "") if part]
    if not all(part.isascii() and part.isdecimal() and int(part) <= _LARGEST_UID for part in parts):
        raise Fault("UIDS_INVALID")
    return tuple(sorted({int(part) for part in parts})) or None


def _sorted(codes: list[str] | None) -> tuple[str, ...] | None:
    return tuple(sorted(codes)) if codes else None


def columns_of(draft: Mapping[str, Any], day: date) -> dict[str, Any]:
    """Return the columns that hold a draft; its state is that of `day`."""
    row: dict[str, Any] = {name: draft.get(name) for name in FIELDS}
    row["languages"] = " ".join(draft.get("languages") or ()) or None
    row["uids"] = " ".join(map(str, draft.get("uids") or ())) or None
    own = {name: value for name, value in draft.items() if name not in FIELDS and value is not None}
    row["attributes"] = orjson.dumps(own, option=orjson.OPT_SORT_KEYS).decode() if own else None
    row["state"] = state_on(row, day)
    return row


def draft_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the draft that a stored row holds, without what is not filled."""
    draft = {name: row[name] for name in FIELDS if row[name] is not None}
    unpacked: Mapping[str, Callable[[str], Any]] = {
        "languages": lambda text: tuple(text.split()),
        "uids": lambda text: tuple(map(int, text.split())),
    }
    for name, unpack in unpacked.items():
        if name in draft:
            draft[name] = unpack(draft[name])
    for name, value in orjson.loads(row["attributes"] or "{}").items():
        draft[name] = tuple(value) if isinstance(value, list) else value
    return draft


def merged(before: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a draft with the given fields in place of the old; None clears."""
    return {name: value for name, value in {**before, **given}.items() if value is not None}
