"""Whose name a column holds, and what a file of customers cannot do without."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from crmctl.errors import InvalidInput
from crmctl.i18n import _
from crmctl.sheets.headers import Column, ColumnMapping
from crmctl.sheets.policy import FieldPolicy

if TYPE_CHECKING:
    from crmctl.customers.policy import CustomersSettings


def check_type(type_code: str | None, settings: CustomersSettings) -> None:
    """Raise InvalidInput when there is no such customer type."""
    if type_code is not None and type_code not in settings.type_by_code:
        raise InvalidInput(
            _("--type {type}: there is no such customer type").format(type=type_code),
            hint=_("types: {types}").format(types=", ".join(settings.type_by_code)),
            code="TYPE_UNKNOWN",
        )


def settled(columns: list[Column], settings: CustomersSettings) -> list[Column]:
    """Return the columns with 客户名称 beside 公司名称 read as the person's name, unless that has a column of its own.

    Without a company column it is the name of the party, whichever that is; `rows` decides by the type of each row.
    A whole name comes before its parts.
    """
    fields = {column.field for column in columns}
    if not {"customer_name", "company_name"} <= fields or "name" in fields:
        return columns
    parts = {code for code, item in settings.by_code.items() if item.join and item.join.into == "name"}
    settled = []
    for column in columns:
        if column.field == "customer_name":
            settled.append(replace(column, field="name"))
        elif column.field in parts:
            settled.append(replace(column, field=None, why="ignored"))
        else:
            settled.append(column)
    return settled


def lacking(mapping: ColumnMapping, settings: CustomersSettings, type_code: str | None) -> list[FieldPolicy]:
    """Return the fields without which no row could make a record of any type (or of `type_code`)."""
    parts = {item.join.into for item in settings.fields if item.join and mapping.has(item.code)}
    there = {*mapping.fields, *parts}
    if "customer_name" in there:
        there |= {"company_name", "name"}
    types = [type_code] if type_code else [kind.code for kind in settings.types]
    missing = [
        [item for item in settings.fields if settings.applies(item.required.import_, code) and item.code not in there]
        for code in types
    ]
    if not all(missing):
        return []
    return list({item.code: item for items in missing for item in items}.values())
