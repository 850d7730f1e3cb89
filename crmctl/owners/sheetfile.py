"""A handover sheet as a file: a workbook, or a page that prints well."""

from __future__ import annotations

import io
from typing import Any

from crmctl import printed
from crmctl.owners.sheet import Sheet
from crmctl.sheets.formats.texts import inert

TEMPLATE = "handover.html.j2"
_WIDTH = 18


def html(sheet: Sheet) -> bytes:
    """Return the sheet as a page: everything in it escaped, nothing loaded from elsewhere."""
    return printed.html("crmctl.owners", TEMPLATE, sheet)


def xlsx(sheet: Sheet) -> bytes:
    """Return the sheet as a workbook: a page to sign, then a page for each table. Texts are texts, never formulas."""
    import xlsxwriter

    stream = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(stream, options) as book:
        bold = book.add_format({"bold": True})
        quoted = book.add_format({"quote_prefix": True})
        page = _page(book, sheet.title)
        page.set_column(0, 1, 2 * _WIDTH)
        page.write_string(0, 0, sheet.title, bold)
        line = 2
        for name, value in sheet.facts:
            page.write_string(line, 0, name, bold)
            page.write_string(line, 1, value, quoted if inert(value) != value else None)
            line += 1
        line += 1
        for role, name in sheet.signatures:
            page.write_string(line, 0, role, bold)
            page.write_string(line, 1, name, quoted if inert(name) != name else None)
            page.write_string(line + 1, 0, sheet.line)
            page.write_string(line + 1, 1, "_" * 30)
            line += 3
        page.write_string(line, 0, sheet.confidential)
        for part in sheet.parts:
            _table(book, part, sheet.none, bold, quoted)
    return stream.getvalue()


def _page(book: Any, title: str) -> Any:  # noqa: ANN401 - XlsxWriter has no types
    for sign in "[]:*?/\\":
        title = title.replace(sign, " ")
    page = book.add_worksheet(title[:31])
    page.set_landscape()
    page.set_paper(9)  # A4
    page.fit_to_pages(1, 0)
    return page


def _table(book: Any, part: Any, none: str, bold: Any, quoted: Any) -> None:  # noqa: ANN401 - XlsxWriter has no types
    page = _page(book, part.title)
    page.set_column(0, len(part.headings) - 1, _WIDTH)
    page.freeze_panes(1, 0)
    page.repeat_rows(0)
    for place, heading in enumerate(part.headings):
        page.write_string(0, place, heading, bold)
    if not part.rows:
        page.write_string(1, 0, part.by_hand or none)
    for line, row in enumerate(part.rows, start=1):
        for place, text in enumerate(row):
            if text:
                page.write_string(line, place, text, quoted if inert(text) != text else None)
