"""The empty sheet for orders: its columns; `sheets.template` writes it."""

from __future__ import annotations

from collections.abc import Iterator

from crmctl.i18n import _
from crmctl.orders.policy import OrdersSettings
from crmctl.sheets.template import Blank, item_label, sheet, unit_text


def template(settings: OrdersSettings, lang: str, form: str) -> bytes:
    """Return the empty sheet as `form` xlsx or csv; `lang` (zh or en) is the language of headers and values."""
    remarks = (
        _("* and red: without it a row is rejected."),
        _("One row is one order, not one line of it. Its customer must be known already."),
        _("Columns may be left out or moved; do not rename them."),
    )
    return sheet(list(_columns(settings, lang)), _("Orders"), remarks, form)


def _columns(settings: OrdersSettings, lang: str) -> Iterator[Blank]:
    for field in settings.fields:
        if not field.template:
            continue
        header = field.label(lang) + unit_text(field, settings, lang) + ("*" if field.required else "")
        items = settings.items(field.choices) if field.choices else None
        values = tuple(item_label(item, lang) for item in items or ())
        purpose = _("says whose order it is; one of these is enough") if field.identity else _("the order")
        yield Blank(field, header, field.required, _("always") if field.required else "", values, purpose)
