"""CSV and XLSX on standard output: files that people open in a spreadsheet.

A cell that a spreadsheet would run as a formula begins with `'`, which import takes off again. A file begins with the
byte order mark that Excel needs to read UTF-8; a pipe gets none.
"""

from __future__ import annotations

import csv
import io
import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from crmctl.cli.escape import safe
from crmctl.cli.screen import is_terminal
from crmctl.errors import Refused, UsageProblem
from crmctl.i18n import _

if TYPE_CHECKING:
    from crmctl.cli.render import Table

BOM = "\ufeff"
_FORMULA = re.compile("'*[=+\\-@\t\r\uff1d\uff0b\uff0d\uff20]")  # full-width forms too
_NEUTRALISED = re.compile("''*[=+\\-@\t\r\uff1d\uff0b\uff0d\uff20]")
_MAX_ROWS = 1_048_576
_MAX_CELL = 32_767
_EXACT = 10**15  # beyond fifteen digits a spreadsheet rounds


def neutral(text: str) -> str:
    """Return `text` so that no spreadsheet runs it; `restored` gives it back."""
    return "'" + text if _FORMULA.match(text) else text


def restored(text: str) -> str:
    """Return a cell's text without the `'` that `neutral` put before it."""
    return text[1:] if _NEUTRALISED.match(text) else text


def write(form: str, table: Table, headers: str) -> None:
    """Write a table to standard output as "csv" or "xlsx"."""
    if form == "xlsx":
        binary_output().write(xlsx_bytes(table, headers))
        return
    terminal = is_terminal(sys.stdout)
    file = _is_file()
    if file:
        sys.stdout.write(BOM)
    writer = csv.writer(sys.stdout, lineterminator="\r\n" if file else "\n")
    for row in text_rows(table, headers):
        writer.writerow([neutral(safe(cell) if terminal else cell) for cell in row])


def text_rows(table: Table, headers: str) -> Iterator[list[str]]:
    """Yield headings, then rows, as people see them."""
    shown = table.shown
    yield [column.heading(headers) for _place, column in shown]
    for row in table.rows:
        yield [column.text(row[place]) for place, column in shown]


def _is_file() -> bool:
    """Say whether standard output is a file at its beginning, where a byte order mark belongs."""
    try:
        descriptor = sys.stdout.fileno()
        return stat.S_ISREG(os.fstat(descriptor).st_mode) and os.lseek(descriptor, 0, os.SEEK_CUR) == 0
    except (OSError, ValueError):
        return False


def csv_bytes(rows: Iterable[Sequence[str]]) -> bytes:
    """Return a CSV file for people: byte order mark, CRLF, formulas neutralised."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([neutral(cell) for cell in row] for row in rows)
    return (BOM + text.getvalue()).encode("utf-8", "backslashreplace")


def binary_output() -> Any:
    """Return standard output for bytes. Raises UsageProblem where a terminal would get them."""
    if is_terminal(sys.stdout):
        raise UsageProblem(
            _("-o xlsx: a workbook is not for a terminal"), hint=_("send it to a file: … -o xlsx > customers.xlsx")
        )
    sys.stdout.flush()
    return sys.stdout.buffer


def xlsx_bytes(table: Table, headers: str) -> bytes:
    """Return a workbook with one sheet; numbers that a spreadsheet would round, codes and texts are text."""
    import xlsxwriter

    stream = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}  # nothing in clear on disk
    with xlsxwriter.Workbook(stream, options) as book:
        page = book.add_worksheet()
        bold = book.add_format({"bold": True})
        quoted = book.add_format({"quote_prefix": True})
        page.freeze_panes(1, 0)
        shown = table.shown
        for place, (_source, column) in enumerate(shown):
            page.write_string(0, place, column.heading(headers), bold)
        for line, row in enumerate(table.rows, start=1):
            if line >= _MAX_ROWS:
                raise Refused(_("a workbook holds 1,048,576 rows"), hint=_("use -o csv"), code="SHEET_FULL")
            for place, (source, column) in enumerate(shown):
                value = row[source]
                if (
                    isinstance(value, int)
                    and not isinstance(value, bool)
                    and column.show is None
                    and abs(value) < _EXACT
                ):
                    page.write_number(line, place, value)
                    continue
                text = column.text(value)
                if len(text) > _MAX_CELL:
                    raise Refused(
                        _("a workbook's cell holds 32,767 characters"), hint=_("use -o csv"), code="SHEET_FULL"
                    )
                page.write_string(line, place, text, quoted if _FORMULA.match(text) else None)
    return stream.getvalue()
