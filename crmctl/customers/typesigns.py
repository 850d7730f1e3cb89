"""The signs by which a row that names no type is an organisation's (policy `default_type`)."""

from __future__ import annotations

import re
from typing import Any

from crmctl.customers.joining import Joins, joined_name
from crmctl.customers.policy import CustomersSettings
from crmctl.sheets.formats.texts import Fault, wording
from crmctl.sheets.headers import ColumnMapping
from crmctl.sheets.readers import Context, Read, field_reader


class TypeSigns:
    """The signs, compiled for the columns of one file."""

    def __init__(self, settings: CustomersSettings, mapping: ColumnMapping, context: Context) -> None:
        self.columns = [
            (column.index, field_reader(item, context))
            for code, column in mapping.fields.items()
            if (item := settings.by_code[code]).of == "organisation" and item.format != "money"
        ]
        self.party = self._reader("customer_name", settings, mapping, context)
        self.name = self._reader("name", settings, mapping, context)
        self.parts = Joins(settings, mapping, context).parts.get("name", [])
        words = settings.default_type.words
        latin = "|".join(re.escape(word) for word in words if word.isascii())
        other = "|".join(re.escape(word) for word in words if not word.isascii())
        both = [part for part in (rf"(?<!\w)(?:{latin})(?!\w)" if latin else "", other) if part]
        self.words = re.compile("|".join(both) or r"(?!)", re.IGNORECASE)

    @staticmethod
    def _reader(
        code: str, settings: CustomersSettings, mapping: ColumnMapping, context: Context
    ) -> tuple[int, Read] | None:
        column = mapping.fields.get(code)
        return (column.index, field_reader(settings.by_code[code], context)) if column else None

    def organisation(self, cells: list[str]) -> bool:
        """Return whether the row is an organisation's."""
        for index, read in self.columns:
            if cells[index] and _answer(read, cells[index]) is not None:
                return True
        if self.party is None:
            return False
        party = _answer(self.party[1], cells[self.party[0]])
        if party is None:
            return False
        name = _answer(self.name[1], cells[self.name[0]]) if self.name else None
        if name is None and self.parts:
            parts = [value for index, _code, read in self.parts if (value := _answer(read, cells[index])) is not None]
            name = joined_name(parts) if parts else None
        return name not in (None, party) or bool(self.words.search(str(party)))


def _answer(read: Read, cell: str) -> Any:
    """Return the value, or the cell where it is not of its format: something is written there."""
    try:
        return read(cell)
    except Fault:
        return wording(cell)
