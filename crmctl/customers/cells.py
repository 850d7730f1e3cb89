"""Values of customers as a file shows them: to programs as they are kept, to people in words the import takes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from crmctl import clock
from crmctl.customers.disclosing import Asked
from crmctl.customers.policy import CustomerField
from crmctl.customers.reading import outside_lists
from crmctl.customers.record import CODE_FIELD, CODES
from crmctl.customers.records import settings_of
from crmctl.i18n import lang
from crmctl.runs.run import Run
from crmctl.sheets.formats.texts import PARTING
from crmctl.sheets.template import item_label, unit_text

Values = Mapping[str, Any]
Text = Callable[[Any, Values], str]
PREFIX = "crmctl_"
_MONEY = "money"


class Cells:
    """What one file shows of a row: a customer, beside one of its contact persons."""

    def __init__(self, run: Run, asked: Sequence[Asked], headers: str, source: str) -> None:
        self.settings = settings_of(run)
        self.asked = asked
        self.headers = headers or lang()
        self.source = source
        self.zone = ZoneInfo(run.zone)
        self.outside = outside_lists(run.policies)
        self.names_currency = any(each.code == "currency" for each in asked)
        self.opens = any(each.sealed for each in asked)
        self.people = any(each.field is not None and each.field.of == "person" for each in asked)
        self.organisations = {item.code for item in self.settings.types if item.party == "organisation"}
        self.decimals = {item.code: item.decimals for item in self.settings.currencies}
        self.texts: dict[str, Text] = {each.code: self._text_of(each.field) for each in asked}

    def headings(self) -> list[str]:
        """Return the heading of each column; ours keep their code, which the import never takes for another's."""
        found = []
        for each in self.asked:
            if each.field is None:
                found.append(PREFIX + each.code)
            elif self.headers == "code":
                found.append(each.code)
            else:
                # A column of currencies says it row by row; a heading that said another would contradict it.
                unit = "" if self.names_currency else unit_text(each.field, self.settings, self.headers)
                found.append(each.field.label(self.headers) + unit)
        return found

    def values(self, clear: Values, personal: Values, person: Values) -> list[Any]:
        """Return what is kept, or its mask, for each column; None where there is nothing."""
        organisation = clear["type"] in self.organisations
        return [each.masked(self._kept(each, organisation, clear, personal, person)) for each in self.asked]

    def _kept(self, each: Asked, organisation: bool, clear: Values, personal: Values, person: Values) -> Any:  # noqa: ANN401
        if each.field is None:
            return clear.get(each.column)
        if each.code == CODE_FIELD:
            return clear.get(CODES, {}).get(self.source)
        if organisation and each.field.of == "person":
            return person.get(each.code)
        value = clear.get(each.code)
        return personal.get(each.code) if value is None else value

    def record(self, clear: Values, personal: Values, person: Values) -> dict[str, Any]:
        """Return a row for programs: codes, amounts in minor units beside their currency, times with their offset."""
        found: dict[str, Any] = {}
        for each, value in zip(self.asked, self.values(clear, personal, person), strict=True):
            if each.code.endswith("_at") and value is not None and each.how == "full":
                value = clock.parse_stamp(value).astimezone(self.zone).isoformat(timespec="seconds")
            found[each.code] = value
            if each.field is not None and each.field.format == _MONEY and value is not None:
                found[f"{each.code}_currency"] = self._currency(each.code, clear)
        return found

    def line(self, clear: Values, personal: Values, person: Values) -> list[str]:
        """Return a row for people: labels, amounts in whole units, times of the company."""
        values = self.values(clear, personal, person)
        return [
            "" if value is None else self.texts[each.code](value, clear) if each.how == "full" else str(value)
            for each, value in zip(self.asked, values, strict=True)
        ]

    def _text_of(self, field: CustomerField | None) -> Text:
        if field is None:
            return lambda value, _clear: self._moment(value) if _is_stamp(value) else str(value)
        if field.format == _MONEY:
            return lambda value, clear: self._money(field.code, value, clear)
        if field.format == "datetime":
            return lambda value, _clear: self._moment(value)
        if field.choices and self.headers != "code":
            items = self.settings.items(field.choices, self.outside) or ()
            labels = {item.code: item_label(item, self.headers) for item in items}
            if field.format == "choices":
                return lambda value, _clear: PARTING.join(labels.get(code, code) for code in _parts(value))
            return lambda value, _clear: labels.get(value, str(value))
        if field.format == "choices":
            return lambda value, _clear: PARTING.join(_parts(value))
        return lambda value, _clear: str(value)

    def _moment(self, value: str) -> str:
        return clock.parse_stamp(value).astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S")

    def _money(self, code: str, value: int, clear: Values) -> str:
        """Return an amount in whole units, with its currency wherever a reader could take it for another."""
        currency, usual = self._currency(code, clear), self.settings.currency
        if self.names_currency:
            usual = clear.get("currency", usual)
        decimals = self.decimals.get(currency, 2)
        whole, part = divmod(abs(value), 10**decimals)
        text = f"{'-' if value < 0 else ''}{whole}" + (f".{part:0{decimals}d}" if decimals else "")
        return text if currency == usual else f"{text} {currency}"

    def _currency(self, code: str, clear: Values) -> str:
        own = clear.get("currency") if code == "annual_amount" else clear.get(f"{code}_currency")
        return str(own or self.settings.currency)


def _parts(value: Any) -> list[str]:  # noqa: ANN401 - a list, or the sealed text of one
    return [str(part) for part in value] if isinstance(value, list | tuple) else str(value).split(PARTING)


def _is_stamp(value: Any) -> bool:  # noqa: ANN401 - any JSON primitive
    return isinstance(value, str) and len(value) == 20 and value.endswith("Z") and value[10] == "T"
