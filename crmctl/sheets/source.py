"""A table in a file: looked at once before anything is written (`inspect`), then read in blocks (`rows`).

Both take a seekable binary handle and flat memory. What is found is said, not guessed silently: see `SourceInfo`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from crmctl.errors import InvalidInput
from crmctl.i18n import _
from crmctl.sheets import csvsource, workbook
from crmctl.sheets.containers import kind_of
from crmctl.sheets.encoding import find_encoding, weigh
from crmctl.sheets.headerindex import HeaderIndex
from crmctl.sheets.headerrow import HeaderRow, Record
from crmctl.sheets.look import Form, Look, begun, blank
from crmctl.sheets.policy import SheetSettings
from crmctl.sheets.sourceinfo import SourceInfo, SourceOptions
from crmctl.sheets.torncells import Pieces

__all__ = ["BLOCK", "SourceInfo", "SourceOptions", "inspect", "rows"]

BLOCK = 2000


def inspect(handle: BinaryIO, settings: SheetSettings, options: SourceOptions, *, name: str) -> SourceInfo:
    """Look at a whole file and return what it is; `name` is what messages call it. Nothing is written.

    Raises InvalidInput for whatever cannot be read as such a table: empty, binary, encrypted, torn, unknown columns,
    required columns missing, no rows.
    """
    settings.check_type(options.type)
    limits = settings.limits
    weight = weigh(handle, limits.record)
    wide = options.encoding is not None or _wide_mark(handle)
    kind = kind_of(handle, weight.size, name, wide=wide)
    index = HeaderIndex(settings)
    if kind != "csv":
        with workbook.Workbook(handle, weight.size, limits, name) as book:
            sheet, header = workbook.find_sheet(book, options.sheet, index, frozenset(options.mapping))
            look = Look(settings, options, index, _header(header, name), name)
            for block in book.blocks(sheet):
                look.take(block)
            return look.info(Form(weight.sha256, weight.size, kind, None, None, sheet, book.sheets[sheet]))
    if weight.endless:
        raise InvalidInput(
            _("{name}: a line is longer than a record may be").format(name=name),
            hint=_("check that it is a table; limits are in policies/customers.yaml"),
            code="RECORD_TOO_LONG",
        )
    encoding = find_encoding(handle, weight, options.encoding, name)
    chosen = frozenset(options.mapping)
    dialect, header = csvsource.find_dialect(handle, encoding, options.delimiter, index, chosen, name)
    look = Look(settings, options, index, _header(header, name), name)
    cut = csvsource.Cut(handle, encoding, dialect, limits, name)
    for block, before, last in csvsource.blocks(cut):
        if last - before != len(block):  # some record spans lines
            csvsource.check_block(block, before, look.header.number - look.seen, look.width, cut)
        look.take(block)
    return look.info(Form(weight.sha256, weight.size, kind, encoding, dialect, None, ""))


def rows(
    handle: BinaryIO,
    info: SourceInfo,
    settings: SheetSettings,
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
        if usual and begun(some) and {*map(len, some)} == {width}:
            ready += zip(range(number + 1, number + 1 + len(some)), some, strict=True)
            number, read, some = number + len(some), read + len(some), []
        for cells in some:
            number += 1
            if number <= info.header_number or blank(cells):
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


def _blocks(handle: BinaryIO, info: SourceInfo, settings: SheetSettings) -> Iterator[list[list[str]]]:
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
