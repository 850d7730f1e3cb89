"""The first pass over a table: what its records tell, in flat memory."""

from __future__ import annotations

from datetime import UTC, datetime
from operator import itemgetter
from typing import NamedTuple

from crmctl.errors import InvalidInput
from crmctl.i18n import _
from crmctl.sheets.csvsource import Dialect
from crmctl.sheets.encoding import Encoding
from crmctl.sheets.figures import Weigher
from crmctl.sheets.headerindex import HeaderIndex
from crmctl.sheets.headerrow import HeaderRow
from crmctl.sheets.headers import ColumnMapping, check_required, map_headers
from crmctl.sheets.policy import SheetSettings
from crmctl.sheets.readers import Context, Money
from crmctl.sheets.sourceinfo import SourceInfo, SourceOptions

_SPACES = " \t\r\n\x1a\u3000\xa0\ufeff"


def begun(block: list[list[str]]) -> bool:
    """Return whether each record has something in its first cell: then none is blank."""
    return all(block) and all(map(str.strip, map(itemgetter(0), block)))


def blank(cells: list[str]) -> bool:
    """Return whether a record says nothing at all."""
    return not cells or (not cells[0].strip(_SPACES) and not "".join(cells).strip(_SPACES))


class Form(NamedTuple):
    """What a file is apart from what its records hold."""

    sha256: str
    size: int
    kind: str
    encoding: Encoding | None
    dialect: Dialect | None
    sheet: int | None
    sheet_name: str


class Look:
    """Gathers, record by record, what `inspect` tells."""

    def __init__(
        self, settings: SheetSettings, options: SourceOptions, index: HeaderIndex, header: HeaderRow, name: str
    ) -> None:
        self.settings, self.options, self.index, self.header, self.name = settings, options, index, header, name
        self.width = len(header.cells)
        self.seen, self.records, self.blank, self.last = 0, 0, 0, 0
        if self.width > settings.limits.columns:
            raise InvalidInput(
                _("{name}: {count} columns; the policy allows {most}").format(
                    name=name, count=self.width, most=settings.limits.columns
                ),
                hint=_("check the separator, or take columns out"),
                code="COLUMNS_TOO_MANY",
            )
        filled = sum(bool(cell.strip()) for cell in header.cells)
        if header.known < 2 and header.known * 2 < filled:
            raise InvalidInput(  # without naming cells, which may be somebody's data
                _("{name}: no row of column headers is recognised in its first rows").format(name=name),
                hint=_("put the headers into the first row, or name them with --mapping FILE"),
                code="HEADER_MISSING",
            )
        # Mapped now, so that an unknown column is told before a million records are read.
        self.mapping = self._map(frozenset())
        check_required(self.mapping, settings, options.type)
        self.unnamed = [i for i, cell in enumerate(header.cells) if not cell.strip()]
        self.filled: set[int] = set()
        context = Context(settings, "UTC", datetime.min.replace(tzinfo=UTC), {})
        self.weighers = [
            Weigher(column, Money(settings.by_code[code], column.unit, context))
            for code, column in self.mapping.fields.items()
            if settings.by_code[code].format == "money"
        ]

    def _map(self, unnamed: frozenset[int]) -> ColumnMapping:
        return map_headers(
            self.header.cells, self.index, chosen=self.options.mapping, drop_unknown=self.options.drop_unknown,
            unnamed=unnamed, unit=self.header.unit,
        )  # fmt: skip

    def take(self, block: list[list[str]]) -> None:
        """Look at the next records."""
        above = max(0, self.header.number - self.seen)
        below = block[above:] if above else block
        filled = below if begun(below) else [cells for cells in below if not blank(cells)]
        self.blank += len(below) - len(filled)
        self.records += len(filled)
        if filled:
            self.last = self.seen + max(i for i, cells in enumerate(block, start=1) if cells is filled[-1])
        self.seen += len(block)
        if self.records > self.settings.limits.rows:
            raise InvalidInput(
                _("{name}: more than {most} rows").format(name=self.name, most=self.settings.limits.rows),
                hint=_("split the file; limits are in policies/customers.yaml"),
                code="ROWS_TOO_MANY",
            )
        for i in self.unnamed:
            if any(i < len(cells) and cells[i].strip() for cells in filled):
                self.filled.add(i)
        for weigher in self.weighers:
            weigher.take(cells[weigher.index] for cells in filled if weigher.index < len(cells))

    def info(self, form: Form) -> SourceInfo:
        """Return everything; raises InvalidInput when there are no rows, or values under no header."""
        if not self.records:
            raise InvalidInput(
                _("{name}: there are no rows below the header").format(name=self.name),
                hint=_("fill it in, or choose the sheet with --sheet"),
                code="NO_ROWS",
            )
        mapping = self._map(frozenset(self.filled)) if self.filled else self.mapping
        return SourceInfo(
            name=self.name, header=self.header.cells, header_number=self.header.number,
            header_double=self.header.double, mapping=mapping, records=self.records, blank=self.blank,
            last_number=self.last, figures=tuple(weigher.figures() for weigher in self.weighers), **form._asdict(),
        )  # fmt: skip
