"""The empty sheet a desk fills in: headers in its own language, allowed values to choose from, notes on a second sheet.

There is no sample row: people forget to delete it. What is filled in imports without any mapping.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crmctl.i18n import N_, _
from crmctl.policy.model import CodeItem
from crmctl.sheets.headers import letter
from crmctl.sheets.policy import FieldPolicy, SheetSettings

if TYPE_CHECKING:
    from xlsxwriter.worksheet import Worksheet

FORMATS: Mapping[str, str] = {
    "text": N_("text"),
    "notes": N_("text of any length"),
    "name": N_("name"),
    "organisation_name": N_("registered name"),
    "mobile": N_("11 digits, or +country code"),
    "phone": N_("with area code: 010-12345678"),
    "email": N_("name@example.cn"),
    "uscc": N_("18 digits and letters"),
    "id_card": N_("18 digits, the last may be X"),
    "code": N_("as in the other system"),
    "date": N_("2026-03-05 or 2026年3月5日"),
    "datetime": N_("2026-03-05 14:30"),
    "money": N_("a number without words: 120000.00"),
    "integer": N_("whole number"),
    "choice": N_("one of the allowed values"),
    "choices": N_("allowed values, parted by ;"),
}
# Written as text, so that a spreadsheet keeps leading zeros and all digits.
_AS_TEXT = ("mobile", "phone", "uscc", "id_card", "code")
_LIST_ROWS = 10_000  # rows with drop-down lists and text format
_LONGEST_LIST = 255  # characters of a drop-down list written out; longer ones stand on a sheet of their own


@dataclass(frozen=True)
class Blank:
    """One column of an empty sheet: its header, for whom it is needed ("" for nobody), the values to choose from."""

    field: FieldPolicy
    header: str
    needed: bool
    needed_by: str
    values: tuple[str, ...]
    purpose: str = ""


def item_label(item: CodeItem, lang: str) -> str:
    """Return what people call a code in `lang`."""
    return item.labels.get("zh" if lang == "zh" else "en") or item.code


def unit_text(field: FieldPolicy, settings: SheetSettings, lang: str) -> str:
    """Return the unit of an amount as the header says it: (元), (CNY)."""
    if field.format != "money":
        return ""
    usual = [unit.names[0] for unit in settings.units if unit.factor == 1 and unit.currency == settings.currency]
    return f"({usual[0] if usual and lang == 'zh' else settings.currency})"


def sheet(columns: Sequence[Blank], title: str, remarks: Sequence[str], form: str) -> bytes:
    """Return the empty sheet as `form` xlsx or csv; `remarks` end its notes."""
    return _csv(columns) if form == "csv" else _xlsx(columns, title, remarks)


def _csv(columns: Sequence[Blank]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerow([column.header for column in columns])
    return text.getvalue().encode("utf-8-sig")


def _xlsx(columns: Sequence[Blank], title: str, remarks: Sequence[str]) -> bytes:
    import xlsxwriter

    stream = io.BytesIO()
    book = xlsxwriter.Workbook(stream, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    page = book.add_worksheet(title)
    notes = book.add_worksheet(_("How to fill in"))
    lists = book.add_worksheet(_("Allowed values"))
    styles = {
        "needed": book.add_format({"bold": True, "font_color": "#C00000", "bg_color": "#F2F2F2", "border": 1}),
        "other": book.add_format({"bold": True, "bg_color": "#F2F2F2", "border": 1}),
        "text": book.add_format({"num_format": "@"}),
        "wrapped": book.add_format({"text_wrap": True, "valign": "top"}),
    }
    for at, column in enumerate(columns):
        style = styles["text"] if column.field.format in _AS_TEXT else None
        page.set_column(at, at, max(12, 2 * len(column.header) + 4), style)
        page.write_string(0, at, column.header, styles["needed" if column.needed else "other"])
        if column.values:
            _drop_down(page, lists, at, column)
    page.freeze_panes(1, 0)
    lists.hide()
    _notes(notes, columns, remarks, styles)
    book.set_properties({"title": title, "author": "crmctl", "comments": ""})
    book.close()
    return stream.getvalue()


def _drop_down(page: Worksheet, lists: Worksheet, at: int, column: Blank) -> None:
    """Offer the allowed values. Others are let through where the policy keeps them, with a warning where not."""
    source: list[str] | str = list(column.values)
    if len(",".join(column.values)) > _LONGEST_LIST or any("," in value for value in column.values):
        for row, value in enumerate(column.values):
            lists.write_string(row, at, value)
        source = f"='{lists.get_name()}'!${letter(at)}$1:${letter(at)}${len(column.values)}"
    rule = {
        "validate": "list",
        "source": source,
        "error_type": "information" if column.field.unknown == "keep" else "stop",
        "show_error": column.field.unknown != "keep" and column.field.format == "choice",
        "error_title": _("Not on the list"),
        "error_message": _("Choose one of the allowed values."),
    }
    page.data_validation(1, at, _LIST_ROWS, at, rule)


def _notes(notes: Worksheet, columns: Sequence[Blank], remarks: Sequence[str], styles: Mapping[str, object]) -> None:
    """Write meaning, format, allowed values and an example of each column. Not read by the import."""
    heads = (
        _("Column"),
        _("Needed"),
        _("How to write it"),
        _("What it is for"),
        _("Values to choose from"),
        _("As in"),
    )
    for at, (head, width) in enumerate(zip(heads, (22, 26, 30, 24, 60, 24), strict=True)):
        notes.set_column(at, at, width)
        notes.write_string(0, at, head, styles["other"])
    for row, column in enumerate(columns, start=1):
        texts = (
            column.header,
            column.needed_by,
            _(FORMATS[column.field.format]),
            column.purpose,
            ", ".join(column.values),
            column.field.example,
        )
        for at, text in enumerate(texts):
            notes.write_string(row, at, text, styles["wrapped"])
    row = len(columns) + 2
    for line in remarks:
        notes.write_string(row, 0, line)
        row += 1
