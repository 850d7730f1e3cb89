"""What may be said about a table, and what is found out about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from crmctl.i18n import _
from crmctl.sheets.csvsource import Dialect
from crmctl.sheets.encoding import Encoding
from crmctl.sheets.figures import Figures
from crmctl.sheets.headers import ColumnMapping, letter


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """What the person who imports may say about a file; `mapping` is from header to field or `ignore`."""

    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)
    drop_unknown: bool = False
    limit: int | None = None
    type: str | None = None


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What a file is: everything needed to read it again, and to tell people how it was read.

    `records` counts records that are not blank, `blank` the others; `header_number` and `last_number` are numbers as
    a spreadsheet shows them. `sheet` is a position, `sheet_name` its name.
    """

    name: str
    sha256: str
    size: int
    kind: str
    encoding: Encoding | None
    dialect: Dialect | None
    sheet: int | None
    sheet_name: str
    header: tuple[str, ...]
    header_number: int
    header_double: bool
    mapping: ColumnMapping
    records: int
    blank: int
    last_number: int
    figures: tuple[Figures, ...]

    def remarks(self) -> list[str]:
        """Return, for people, what was found rather than expected."""
        said = []
        if self.encoding is not None:
            said.append(_("encoding {encoding}").format(encoding=self.encoding.codec.upper()))
        if self.dialect is not None and self.dialect.delimiter != ",":
            delimiter = {"\t": _("tab")}.get(self.dialect.delimiter, self.dialect.delimiter)
            said.append(_("separator {delimiter}").format(delimiter=delimiter))
        if self.sheet_name:
            said.append(_("sheet {sheet}").format(sheet=self.sheet_name))
        if self.header_double:
            said.append(
                _("header in rows {first} and {last}").format(first=self.header_number - 1, last=self.header_number)
            )
        elif self.header_number > 1:
            said.append(_("header in row {number}").format(number=self.header_number))
        dropped = [column.header or letter(column.index) for column in self.mapping.columns if column.why == "dropped"]
        if dropped:
            said.append(_("left out: {headers}").format(headers=", ".join(dropped)))
        return said
