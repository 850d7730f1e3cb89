"""Why a row of any table was rejected, in words, and what to do about it; subjects add reasons of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from crmctl.i18n import N_, _, lang

if TYPE_CHECKING:
    from crmctl.sheets.policy import SheetSettings

REASONS: Mapping[str, tuple[str, str]] = {
    "MORE_CELLS": (
        N_("more cells than the header"),
        N_("quote cells that hold the separator"),
    ),
    "FEWER_CELLS": (N_("fewer cells than the header"), N_("complete the row")),
    "REQUIRED": (N_("{field} is missing"), N_("fill it in")),
    "MOBILE_INVALID": (N_("{field} is not a valid mobile number"), N_("11 digits; letters O and l are not 0 and 1")),
    "PHONE_INVALID": (N_("{field} is not a valid telephone number"), N_("with area code, as in 010-12345678")),
    "EMAIL_INVALID": (N_("{field} is not a valid e-mail address"), N_("as in name@example.cn")),
    "AMOUNT_INVALID": (N_("{field} is not an amount"), N_("digits only, as in 12500.00")),
    "DATE_INVALID": (N_("{field} is not a date that exists"), N_("as in 2026-03-05")),
    "CODE_DAMAGED": (
        N_("{field} was damaged by a spreadsheet (1.3E+10)"),
        N_("format the column as text and enter it again"),
    ),
    "AMOUNT_OUT_OF_RANGE": (N_("{field} is outside the plausible range"), N_("check the unit: yuan or 万元?")),
    "CURRENCY_CONFLICT": (N_("{field} names another currency than its column"), N_("keep one currency in a column")),
    "DATE_OUT_OF_RANGE": (N_("{field} is not a plausible date"), N_("check the year")),
    "DATE_AMBIGUOUS": (N_("{field} may be read as two dates, as 3/5/2026"), N_("write 2026-03-05")),
    "NUMBER_INVALID": (N_("{field} is not a number"), N_("digits only")),
    "NUMBER_OUT_OF_RANGE": (N_("{field} is outside the plausible range"), N_("correct it")),
    "USCC_INVALID": (
        N_("{field} is not a unified social credit code"),
        N_("18 characters with a valid check character"),
    ),
    "ID_CARD_INVALID": (N_("{field} is not an ID number"), N_("18 characters with a valid check character")),
    "VALUE_UNKNOWN": (
        N_("{field} is not on its list"),
        N_("use a value of the list, or add the synonym to the policy"),
    ),
    "TOO_LONG": (N_("{field} is too long"), N_("shorten it")),
}
_UNKNOWN = (N_("{field} is not valid"), N_("correct it"))


def reason_text(reason: Mapping[str, Any], settings: SheetSettings) -> str:
    """Return what is wrong in the reader's language, with the field's label."""
    field = settings.by_code.get(reason.get("field", ""))
    label = field.label(lang()) if field is not None else str(reason.get("field", ""))
    return _(_entry(reason["code"], settings)[0]).format(field=label)


def suggestion_text(code: str, settings: SheetSettings) -> str:
    """Return what to do about it."""
    return _(_entry(code, settings)[1])


def _entry(code: str, settings: SheetSettings) -> tuple[str, str]:
    return REASONS.get(code) or settings.reasons.get(code, _UNKNOWN)
