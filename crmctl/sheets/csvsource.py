"""CSV text: strict, streamed, every record counted once, a torn quote found before anything is written."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, BinaryIO, NamedTuple, Protocol, cast

from crmctl.errors import InvalidInput
from crmctl.i18n import _
from crmctl.sheets.encoding import Encoding, undecodable
from crmctl.sheets.headerindex import HeaderIndex
from crmctl.sheets.headerrow import LOOK_AT, HeaderRow, Record, find_header
from crmctl.sheets.policy import FileLimits

DELIMITERS = (",", ";", "\t", "|")
_NAMES = {"comma": ",", "semicolon": ";", "tab": "\t", "\\t": "\t", "pipe": "|", "bar": "|"}
_SAMPLE = 30  # records
_SAMPLE_CHARACTERS = 1 << 18
_BLOCK = 512
_LINE_END = re.compile(r"\r\n|\r|\n")
_NARROW = 6  # from this width on, as many delimiters in a cell as in a line tell a torn quote


class Cut(NamedTuple):
    """A file and everything by which it is cut into records."""

    handle: BinaryIO
    encoding: Encoding
    dialect: Dialect
    limits: FileLimits
    name: str


class _Reader(Protocol):
    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...

    def __next__(self) -> list[str]: ...


class Dialect(NamedTuple):
    """How a file is cut: the delimiter, the lines before its first record (`sep=;`)."""

    delimiter: str
    skip_lines: int


def named_delimiter(wanted: str) -> str:
    """Return the character that `--delimiter` names. Raises InvalidInput."""
    found = _NAMES.get(wanted.strip().lower() or wanted, wanted)
    if len(found) != 1 or found in "\r\n\"'" or found.isalnum():
        raise InvalidInput(
            _("--delimiter {name}: one character, or tab, comma, semicolon, pipe").format(name=wanted),
            code="DELIMITER_INVALID",
        )
    return found


@contextmanager
def _text(handle: BinaryIO, encoding: Encoding) -> Iterator[io.TextIOWrapper]:
    """Yield the decoded stream; line ends are left as they are. The handle stays open."""
    handle.seek(encoding.skip)
    buffer = handle if hasattr(handle, "read1") else io.BufferedReader(cast("io.RawIOBase", handle))
    stream = io.TextIOWrapper(cast("Any", buffer), encoding.codec, "strict", newline="")
    try:
        yield stream
    finally:
        stream.detach()
        if isinstance(buffer, io.BufferedReader) and buffer is not handle:
            buffer.detach()


def find_dialect(
    handle: BinaryIO, encoding: Encoding, wanted: str | None, index: HeaderIndex, chosen: frozenset[str], name: str
) -> tuple[Dialect, HeaderRow | None]:
    """Return how the file is cut and where its header is, by evidence in its first records."""
    text = _sample(handle, encoding, name)
    skip = 0
    delimiters: Sequence[str] = DELIMITERS
    if text[:4].lower() == "sep=" and len(text) > 4 and text[5:6] in ("", "\r", "\n"):  # written for Excel
        delimiters = (text[4],)
        skip = 1
        text = text[5:].removeprefix("\r").removeprefix("\n")
    if wanted:
        delimiters = (named_delimiter(wanted),)
    best: tuple[tuple[int, float, int], Dialect, HeaderRow | None] | None = None
    for delimiter in delimiters:
        records = _records(text, delimiter)
        header = find_header(records, index, chosen)
        width = len(header.cells) if header else 0
        same = sum(len(cells) == width for _number, cells in records) / max(1, len(records))
        score = (header.known if header else 0, same if width > 1 else 0.0, width)
        if best is None or score > best[0]:
            best = score, Dialect(delimiter, skip), header
    assert best is not None
    return best[1], best[2]


def _sample(handle: BinaryIO, encoding: Encoding, name: str) -> str:
    with _text(handle, encoding) as stream:
        try:
            return stream.read(_SAMPLE_CHARACTERS)
        except UnicodeDecodeError:
            raise undecodable(handle, encoding, name) from None


def _records(text: str, delimiter: str) -> list[Record]:
    """Return the first records of a sample, the last, perhaps cut, left out; numbered as a spreadsheet does."""
    found: list[Record] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for number, cells in enumerate(islice(reader, _SAMPLE + LOOK_AT), start=1):
            if any(cell.strip() for cell in cells):
                found.append((number, cells))
    except csv.Error:  # the strict pass says where and why
        pass
    if len(text) >= _SAMPLE_CHARACTERS and len(found) > 1:
        found.pop()
    return found


def blocks(cut: Cut) -> Iterator[tuple[list[list[str]], int, int]]:
    """Yield all records in blocks, blank ones too: cells, and the lines before and at the end of the block.

    Raises InvalidInput for what is not CSV: a quote that is never closed, text behind a closing quote, a cell or a
    record beyond the limits, bytes that the encoding does not know.
    """
    skipped = cut.dialect.skip_lines
    try:
        with _reader(cut) as reader:
            before = 0
            while block := list(islice(reader, _BLOCK)):
                yield block, before + skipped, reader.line_num + skipped
                before = reader.line_num
    except csv.Error:
        raise _where(cut) from None
    except UnicodeDecodeError:
        raise undecodable(cut.handle, cut.encoding, cut.name) from None


@contextmanager
def _reader(cut: Cut) -> Iterator[_Reader]:
    with _text(cut.handle, cut.encoding) as stream:
        lines: Iterator[str] = stream
        if cut.encoding.codec.startswith(("utf-16", "utf-32")):
            lines = _without_nul(stream, cut.name)
        for _line in range(cut.dialect.skip_lines):
            next(lines, None)
        before = csv.field_size_limit(cut.limits.field)  # a global of the csv module
        try:
            yield cast("_Reader", csv.reader(lines, delimiter=cut.dialect.delimiter, strict=True))
        finally:
            csv.field_size_limit(before)


def _where(cut: Cut) -> InvalidInput:
    """Read again, record by record, to where it is not CSV; return the error that says it."""
    line, problem = 0, ""
    with _reader(cut) as reader:
        try:
            for _cells in reader:
                line = reader.line_num
        except csv.Error as error:
            problem = str(error)
    return _not_csv(problem, line + 1 + cut.dialect.skip_lines, cut.limits, cut.name)


def check_block(block: Sequence[list[str]], before: int, skip: int, width: int, cut: Cut) -> None:
    """Refuse records of several lines that are too long, or that a torn quote made (see `torn`).

    `before` is the line before the block, `skip` the number of its records that belong to the header and above.
    """
    line = before
    for position, cells in enumerate(block):
        text = "".join(cells)  # most records have one line; asking each cell of theirs took 2 µs a row
        ends = sum(len(_LINE_END.findall(cell)) for cell in cells) if "\n" in text or "\r" in text else 0
        first, line = line + 1, line + 1 + ends
        if not ends or position < skip:
            continue
        if sum(map(len, cells)) > cut.limits.record:
            raise _too_long(cut.name, first)
        if torn(cells, width, cut.dialect.delimiter):
            raise torn_error(first, line, cut.name)


def _without_nul(lines: Iterator[str], name: str) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        if "\0" in line:
            raise InvalidInput(
                _("{name}: line {line} holds a NUL character: no CSV text").format(name=name, line=number),
                hint=_("check --encoding, or save the table as CSV again"),
                code="NUL_BYTES",
            )
        yield line


def _not_csv(problem: str, line: int, limits: FileLimits, name: str) -> InvalidInput:
    if "field larger" in problem:
        message = _("{name}: line {line}: a cell of more than {most} characters, or a quote that is never closed")
    elif "unexpected end" in problem:
        message = _("{name}: line {line}: a quote opens that is never closed; it would swallow the rest of the file")
    elif "expected after" in problem:
        message = _("{name}: line {line}: text behind a closing quote; quotes inside a cell are doubled")
    else:
        message = _("{name}: line {line}: not CSV")
    return InvalidInput(
        message.format(name=name, line=line, most=limits.field),
        hint=_("correct the quotes there, or export the table again"),
        code="CSV_TORN",
    )


def _too_long(name: str, line: int) -> InvalidInput:
    return InvalidInput(
        _("{name}: line {line}: the record is too long").format(name=name, line=line),
        hint=_("a quote may be torn there; limits are in policies/customers.yaml"),
        code="RECORD_TOO_LONG",
    )


def torn(cells: Sequence[str], width: int, delimiter: str) -> bool:
    """Return whether a record of several lines looks like a quote that swallowed the beginnings of other records.

    Either the number of cells is wrong, or one cell holds as many delimiters as the lines it spans.
    """
    if len(cells) != width:
        return True
    if width < _NARROW:
        return False
    for cell in cells:
        ends = max(cell.count("\n"), cell.count("\r"))
        if ends and cell.count(delimiter) >= ends * (width - 1):
            return True
    return False


def torn_error(first: int, last: int, name: str) -> InvalidInput:
    """Return the error for such a record."""
    return InvalidInput(
        _("{name}: a quote opens in line {first} and closes in line {last}, over the ends of other records").format(
            name=name, first=first, last=last
        ),
        hint=_("correct the quotes there, or export the table again"),
        code="CSV_TORN",
    )
