"""Columns that need more than their own cell: parts of one field, and amounts, which the row's currency is for."""

from __future__ import annotations

import re
from typing import Any

from crmctl.customers.placing import ATTRIBUTES, CLEAR, place_of
from crmctl.customers.policy import CustomersSettings
from crmctl.sheets.formats.texts import Fault
from crmctl.sheets.headers import ColumnMapping
from crmctl.sheets.model import Reason
from crmctl.sheets.readers import Context, Money, Read, field_reader

Places = tuple[dict[str, Any], ...]
AMOUNT_ROUNDED = "AMOUNT_ROUNDED"
_HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


class Joins:
    """Columns that are parts of another field (`join` in the policy), by that field, in order of writing."""

    def __init__(self, settings: CustomersSettings, mapping: ColumnMapping, context: Context) -> None:
        self.settings = settings
        found: dict[str, list[tuple[int, int, str, Read]]] = {}
        for code, column in mapping.fields.items():
            join = settings.by_code[code].join
            if join:
                reader = field_reader(settings.by_code[code], context)
                found.setdefault(join.into, []).append((join.position, column.index, code, reader))
        self.parts = {into: [part[1:] for part in sorted(parts, key=lambda p: p[:2])] for into, parts in found.items()}

    def take(
        self, cells: list[str], places: Places, organisation: bool, reasons: list[Reason], blank: list[str]
    ) -> None:
        """Write the whole values; a column that holds the whole comes before its parts."""
        for into, parts in self.parts.items():
            item = self.settings.by_code[into]
            found = _filled(cells, parts, reasons)
            target = places[place_of(item, "organisation" if organisation else "person")]
            if into in target:
                continue
            if found:
                target[into] = joined_name(found) if item.format == "name" else " ".join(found)
                if into in blank:
                    blank.remove(into)
            elif into not in blank:
                blank.append(into)


def _filled(cells: list[str], parts: list[tuple[int, str, Read]], reasons: list[Reason]) -> list[str]:
    found: list[str] = []
    for index, code, read in parts:
        try:
            value = read(cells[index])
        except Fault as fault:
            reasons.append(Reason(fault.code, code))
        else:
            if value is not None:
                found.append(value)
    return found


def joined_name(parts: list[str]) -> str:
    """Return a whole name from its parts in Western order: 小明 + 王 → 王小明, Maria + Anders → Maria Anders."""
    return "".join(reversed(parts)) if all(map(_HAN.search, parts)) else " ".join(parts)


class Amounts:
    """Columns of money."""

    def __init__(self, settings: CustomersSettings, mapping: ColumnMapping, context: Context) -> None:
        self.home = settings.currency
        self.columns = {
            column.index: (code, Money(item, column.unit, context), place_of(item, "organisation") == CLEAR)
            for code, column in mapping.fields.items()
            if (item := settings.by_code[code]).format == "money"
        }
        # The amount of the customer's own columns, whose currency is a column too.
        self.clear = [(code, money.currency) for code, money, clear in self.columns.values() if clear]

    def quick_reader(self, index: int) -> Read | None:
        """Return the reader of bare numbers; None where every amount needs a word on its currency."""
        _code, money, clear = self.columns[index]
        return money.quick() if clear or money.currency == self.home else None

    def take(self, index: int, cell: str, places: Places, flags: list[str], blank: list[str]) -> None:
        """Write an amount that is no bare number, with its currency where that is not the usual one. Raises Fault."""
        clear, attributes = places[CLEAR], places[ATTRIBUTES]
        code, money, own = self.columns[index]
        amount = money.read(cell, clear.get("currency") or attributes.get("currency"))
        if amount is None:
            blank.append(code)
            return
        if own:
            clear[code] = amount.minor
            clear["currency"] = amount.currency
        else:
            attributes[code] = amount.minor
            if amount.currency != self.home:
                attributes[f"{code}_currency"] = amount.currency
        if amount.rounded:
            flags.append(AMOUNT_ROUNDED)
