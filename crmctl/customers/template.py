"""The empty sheet a desk fills in: headers in its own language, allowed values to choose from, notes on a second sheet.

There is no sample row: people forget to delete it. What is filled in imports without any mapping.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from crmctl.customers.policy import CustomersSettings, FieldPolicy, Party
from crmctl.i18n import N_, _
from crmctl.i18n import lang as language
from crmctl.policy.model import CodeItem

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
class _Column:
    field: FieldPolicy
    header: str
    needed: bool
    needed_by: str
    submit: bool
    values: tuple[str, ...]


def template(
    settings: CustomersSettings,
    type_code: str | None,
    lang: str,
    form: str,
    outside: Mapping[str, Iterable[CodeItem]] | None = None,
) -> bytes:
    """Return the empty sheet for customers of `type_code` (None: all types) as `form` xlsx or csv.

    `lang` (zh or en) is the language of headers and values; notes are in the reader's. `outside` are the lists of
    codes of other policies.
    """
    columns = _columns(settings, type_code, lang, outside or {})
    return _csv(columns) if form == "csv" else _xlsx(columns, settings)


def _columns(
    settings: CustomersSettings, type_code: str | None, lang: str, outside: Mapping[str, Iterable[CodeItem]]
) -> list[_Column]:
    types = [type_code] if type_code else list(settings.type_by_code)
    parties = {settings.type_by_code[code].party for code in types}
    party: Party | None = next(iter(parties)) if len(parties) == 1 else None
    chosen = []
    for field in settings.fields:
        if not field.template or field.join or (field.of == "organisation" and party == "person"):
            continue
        wanting = [code for code in types if settings.applies(field.required.import_, code)]
        needed = bool(wanting)
        submit = any(settings.applies(field.required.submit, code) for code in types)
        header = field.label(lang, party) + _unit(field, settings, lang) + ("*" if needed else "")
        items = settings.items(field.choices, outside) if field.choices else None
        if field.code == "type" and type_code:
            items = [settings.type_by_code[type_code]]
        values = tuple(_label(item, lang) for item in items or ())
        chosen.append(_Column(field, header, needed, _needed_by(wanting, types, settings), submit, values))
    return chosen


def _needed_by(wanting: Sequence[str], types: Sequence[str], settings: CustomersSettings) -> str:
    """Return for whom a column is needed, in the reader's language."""
    if not wanting or len(wanting) == len(types):
        return _("always") if wanting else ""
    parties = {settings.type_by_code[code].party for code in wanting}
    if parties == {"organisation"}:
        return _("for organisations")
    return _("for persons") if parties == {"person"} else _("for some types")


def _label(item: CodeItem, lang: str) -> str:
    return item.labels.get("zh" if lang == "zh" else "en") or item.code


def _unit(field: FieldPolicy, settings: CustomersSettings, lang: str) -> str:
    """Return the unit of an amount as the header says it: (元), (CNY)."""
    if field.format != "money":
        return ""
    usual = [unit.names[0] for unit in settings.units if unit.factor == 1 and unit.currency == settings.currency]
    return f"({usual[0] if usual and lang == 'zh' else settings.currency})"


def _csv(columns: Sequence[_Column]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerow([column.header for column in columns])
    return text.getvalue().encode("utf-8-sig")


def _xlsx(columns: Sequence[_Column], settings: CustomersSettings) -> bytes:
    import xlsxwriter

    stream = io.BytesIO()
    book = xlsxwriter.Workbook(stream, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    sheet = book.add_worksheet(_("Customers"))
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
        sheet.set_column(at, at, max(12, 2 * len(column.header) + 4), style)
        sheet.write_string(0, at, column.header, styles["needed" if column.needed else "other"])
        if column.values:
            _drop_down(sheet, lists, at, column)
    sheet.freeze_panes(1, 0)
    lists.hide()
    _notes(notes, columns, settings, styles)
    book.set_properties({"title": _("Customers"), "author": "crmctl", "comments": ""})
    book.close()
    return stream.getvalue()


def _drop_down(sheet: object, lists: object, at: int, column: _Column) -> None:
    """Offer the allowed values. Others are let through where the policy keeps them, with a warning where not."""
    from xlsxwriter.worksheet import Worksheet

    assert isinstance(sheet, Worksheet) and isinstance(lists, Worksheet)
    source: list[str] | str = list(column.values)
    if len(",".join(column.values)) > _LONGEST_LIST or any("," in value for value in column.values):
        for row, value in enumerate(column.values):
            lists.write_string(row, at, value)
        source = f"='{lists.get_name()}'!${_letters(at)}$1:${_letters(at)}${len(column.values)}"
    rule = {
        "validate": "list",
        "source": source,
        "error_type": "information" if column.field.unknown == "keep" else "stop",
        "show_error": column.field.unknown != "keep" and column.field.format == "choice",
        "error_title": _("Not on the list"),
        "error_message": _("Choose one of the allowed values."),
    }
    sheet.data_validation(1, at, _LIST_ROWS, at, rule)


def _letters(index: int) -> str:
    from crmctl.customers.headers import letter

    return letter(index)


def _notes(
    notes: object, columns: Sequence[_Column], settings: CustomersSettings, styles: Mapping[str, object]
) -> None:
    """Write meaning, format, allowed values and an example of each column. Not read by the import."""
    from xlsxwriter.worksheet import Worksheet

    assert isinstance(notes, Worksheet)
    purposes = {item.code: _label(item, language()) for item in settings.purposes}
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
        needed = column.needed_by or (_("before it is submitted") if column.submit else "")
        texts = (
            column.header,
            needed,
            _(FORMATS[column.field.format]),
            purposes[column.field.purpose],
            ", ".join(column.values),
            column.field.example,
        )
        for at, text in enumerate(texts):
            notes.write_string(row, at, text, styles["wrapped"])
    row = len(columns) + 2
    for line in (
        _("* and red: without it a row is rejected."),
        _("One row is one contact person; rows of one company become one customer."),
        _("Columns may be left out or moved; do not rename them."),
        _("Numbers that are codes (mobile, credit code) are text: do not let the spreadsheet make 1.3E+10 of them."),
    ):
        notes.write_string(row, 0, line)
        row += 1
