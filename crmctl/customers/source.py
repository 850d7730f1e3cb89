"""A customer file: looked at once before anything is written (`inspect`), then read in blocks (`rows`).

Both take a seekable binary handle and flat memory. What is found is said, not guessed silently: see `SourceInfo`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import itemgetter
from typing import BinaryIO, NamedTuple

from crmctl.customers import csvsource, workbook
from crmctl.customers.containers import kind_of
from crmctl.customers.encoding import Encoding, find_encoding, weigh
from crmctl.customers.figures import Figures, Weigher
from crmctl.customers.headerindex import HeaderIndex
from crmctl.customers.headerrow import HeaderRow, Record
from crmctl.customers.headers import ColumnMapping, check_required, letter, map_headers
from crmctl.customers.policy import CustomersSettings
from crmctl.customers.readers import Context, Money
from crmctl.customers.torncells import Pieces
from crmctl.errors import InvalidInput
from crmctl.i18n import _

BLOCK = 2000
_SPACES = " \t\r\n\x1a\u3000\xa0\ufeff"


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
    dialect: csvsource.Dialect | None
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


def inspect(handle: BinaryIO, settings: CustomersSettings, options: SourceOptions, *, name: str) -> SourceInfo:
    """Look at a whole file and return what it is; `name` is what messages call it. Nothing is written.

    Raises InvalidInput for whatever cannot be read as customers: empty, binary, encrypted, torn, unknown columns,
    required columns missing, no rows.
    """
    if options.type is not None and options.type not in settings.type_by_code:
        raise InvalidInput(
            _("--type {type}: there is no such customer type").format(type=options.type),
            hint=_("types: {types}").format(types=", ".join(settings.type_by_code)),
            code="TYPE_UNKNOWN",
        )
    limits = settings.limits
    weight = weigh(handle, limits.record)
    wide = options.encoding is not None or _wide_mark(handle)
    kind = kind_of(handle, weight.size, name, wide=wide)
    index = HeaderIndex(settings)
    if kind != "csv":
        with workbook.Workbook(handle, weight.size, limits, name) as book:
            sheet, header = workbook.find_sheet(book, options.sheet, index, frozenset(options.mapping))
            look = _Look(settings, options, index, _header(header, name), name)
            for block in book.blocks(sheet):
                look.take(block)
            return look.info(_Form(weight.sha256, weight.size, kind, None, None, sheet, book.sheets[sheet]))
    if weight.endless:
        raise InvalidInput(
            _("{name}: a line is longer than a record may be").format(name=name),
            hint=_("check that it is a table; limits are in policies/customers.yaml"),
            code="RECORD_TOO_LONG",
        )
    encoding = find_encoding(handle, weight, options.encoding, name)
    chosen = frozenset(options.mapping)
    dialect, header = csvsource.find_dialect(handle, encoding, options.delimiter, index, chosen, name)
    look = _Look(settings, options, index, _header(header, name), name)
    cut = csvsource.Cut(handle, encoding, dialect, limits, name)
    for block, before, last in csvsource.blocks(cut):
        if last - before != len(block):  # some record spans lines
            csvsource.check_block(block, before, look.header.number - look.seen, look.width, cut)
        look.take(block)
    return look.info(_Form(weight.sha256, weight.size, kind, encoding, dialect, None, ""))


def rows(
    handle: BinaryIO,
    info: SourceInfo,
    settings: CustomersSettings,
    options: SourceOptions,
    *,
    start_after: int = 0,
    block: int = BLOCK,
) -> Iterator[list[Record]]:
    """Yield the records of an inspected file in blocks: (number, cells), blank ones left out, from after a number on.

    Raises InvalidInput when the file is no longer what was inspected.
    """
    most = min(info.records, options.limit or info.records)
    width, number, read = info.mapping.width, 0, 0
    pieces = Pieces(width)
    ready: list[Record] = []
    for some in _blocks(handle, info, settings):
        usual = start_after <= number >= info.header_number and read + len(some) <= most and not pieces.waiting
        if usual and _begun(some) and {*map(len, some)} == {width}:
            ready += zip(range(number + 1, number + 1 + len(some)), some, strict=True)
            number, read, some = number + len(some), read + len(some), []
        for cells in some:
            number += 1
            if number <= info.header_number or _blank(cells):
                continue
            read += 1
            if read > most:
                break
            if len(cells) < width:
                ready += pieces.take((number, cells))
                continue
            if pieces.waiting:
                ready += pieces.free()
            if number > start_after:
                ready.append((number, cells))
        while len(ready) >= block:
            yield _after(ready[:block], start_after)
            del ready[:block]
        if read > most:
            break
    ready += pieces.free()
    if last := _after(ready, start_after):
        yield last
    if read < most or read > info.records:
        raise InvalidInput(
            _("{name}: the file changed while it was read").format(name=info.name),
            hint=_("import a file that nobody writes to"),
            code="FILE_CHANGED",
        )


def _after(records: list[Record], number: int) -> list[Record]:
    if not records or records[0][0] > number:
        return records
    return [record for record in records if record[0] > number]


def _blocks(handle: BinaryIO, info: SourceInfo, settings: CustomersSettings) -> Iterator[list[list[str]]]:
    if info.sheet is None:
        assert info.encoding is not None and info.dialect is not None
        cut = csvsource.Cut(handle, info.encoding, info.dialect, settings.limits, info.name)
        for block, _before, _last in csvsource.blocks(cut):
            yield block
        return
    with workbook.Workbook(handle, info.size, settings.limits, info.name) as book:
        yield from book.blocks(info.sheet)


def _wide_mark(handle: BinaryIO) -> bool:
    handle.seek(0)
    return handle.read(2) in (b"\xff\xfe", b"\xfe\xff")


def _header(header: HeaderRow | None, name: str) -> HeaderRow:
    if header is None:
        raise InvalidInput(
            _("{name}: the file is empty").format(name=name), hint=_("check the export"), code="FILE_EMPTY"
        )
    return header


def _begun(block: list[list[str]]) -> bool:
    """Return whether each record has something in its first cell: then none is blank."""
    return all(block) and all(map(str.strip, map(itemgetter(0), block)))


def _blank(cells: list[str]) -> bool:
    return not cells or (not cells[0].strip(_SPACES) and not "".join(cells).strip(_SPACES))


class _Form(NamedTuple):
    sha256: str
    size: int
    kind: str
    encoding: Encoding | None
    dialect: csvsource.Dialect | None
    sheet: int | None
    sheet_name: str


class _Look:
    """Gathers, record by record, what `inspect` tells."""

    def __init__(
        self, settings: CustomersSettings, options: SourceOptions, index: HeaderIndex, header: HeaderRow, name: str
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
        filled = below if _begun(below) else [cells for cells in below if not _blank(cells)]
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

    def info(self, form: _Form) -> SourceInfo:
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
