"""The empty sheet for staff: its columns; `sheets.template` writes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from crmctl.i18n import _
from crmctl.policy.model import CodeItem
from crmctl.sheets.template import Blank, item_label, sheet
from crmctl.staff.policy import StaffSettings


def template(settings: StaffSettings, lang: str, form: str, outside: Mapping[str, Iterable[CodeItem]]) -> bytes:
    """Return the empty sheet for staff as `form` xlsx or csv.

    `lang` (zh or en) is the language of headers and values; notes are in the reader's. `outside` are the lists of
    codes of other policies.
    """
    columns = []
    for field in settings.fields:
        if not field.template or field.join:
            continue
        items = settings.items(field.choices, outside) if field.choices else None
        values = tuple(item_label(item, lang) for item in items or ())
        header = field.label(lang) + ("*" if field.required else "")
        columns.append(Blank(field, header, field.required, _("always") if field.required else "", values))
    remarks = (
        _("* and red: without it a row is rejected."),
        _("One row is one person, recognised by the staff number."),
        _("Columns may be left out or moved; do not rename them."),
    )
    return sheet(columns, _("Staff"), remarks, form)
