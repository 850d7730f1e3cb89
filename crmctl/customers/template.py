"""The empty sheet for customers: its columns, by type; `sheets.template` writes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from crmctl.customers.policy import CustomersSettings, Party
from crmctl.i18n import _
from crmctl.i18n import lang as language
from crmctl.policy.model import CodeItem
from crmctl.sheets.template import Blank, item_label, sheet, unit_text


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
    remarks = (
        _("* and red: without it a row is rejected."),
        _("One row is one contact person; rows of one company become one customer."),
        _("Columns may be left out or moved; do not rename them."),
        _("Numbers that are codes (mobile, credit code) are text: do not let the spreadsheet make 1.3E+10 of them."),
    )
    return sheet(columns, _("Customers"), remarks, form)


def _columns(
    settings: CustomersSettings, type_code: str | None, lang: str, outside: Mapping[str, Iterable[CodeItem]]
) -> list[Blank]:
    types = [type_code] if type_code else list(settings.type_by_code)
    parties = {settings.type_by_code[code].party for code in types}
    party: Party | None = next(iter(parties)) if len(parties) == 1 else None
    purposes = {item.code: item_label(item, language()) for item in settings.purposes}
    chosen = []
    for field in settings.fields:
        if not field.template or field.join or (field.of == "organisation" and party == "person"):
            continue
        wanting = [code for code in types if settings.applies(field.required.import_, code)]
        needed = bool(wanting)
        submit = any(settings.applies(field.required.submit, code) for code in types)
        header = field.label(lang, party) + unit_text(field, settings, lang) + ("*" if needed else "")
        items = settings.items(field.choices, outside) if field.choices else None
        if field.code == "type" and type_code:
            items = [settings.type_by_code[type_code]]
        values = tuple(item_label(item, lang) for item in items or ())
        needed_by = _needed_by(wanting, types, settings) or (_("before it is submitted") if submit else "")
        chosen.append(Blank(field, header, needed, needed_by, values, purposes[field.purpose]))
    return chosen


def _needed_by(wanting: Sequence[str], types: Sequence[str], settings: CustomersSettings) -> str:
    """Return for whom a column is needed, in the reader's language."""
    if not wanting or len(wanting) == len(types):
        return _("always") if wanting else ""
    parties = {settings.type_by_code[code].party for code in wanting}
    if parties == {"organisation"}:
        return _("for organisations")
    return _("for persons") if parties == {"person"} else _("for some types")
