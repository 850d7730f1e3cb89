"""One field of the policy → one function from cell to value: blank, placeholder, format, length, plausibility.

The functions answer None for a cell that says nothing, and raise Fault with the reason's code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar
from unicodedata import is_normalized
from zoneinfo import ZoneInfo

from crmctl.policy.model import CodeItem
from crmctl.sheets.formats.choices import choice_reader, choices_reader
from crmctl.sheets.formats.codes import read_code, read_id_card, read_uscc
from crmctl.sheets.formats.dates import day_reader, moment_reader
from crmctl.sheets.formats.money import Amount, Unit, money_reader, quick_money, unit_table
from crmctl.sheets.formats.texts import PARTING, Fault, full_width, notes, plain, unquoted, wording
from crmctl.sheets.model import Reason
from crmctl.sheets.policy import FieldPolicy, SheetSettings

T = TypeVar("T")
Read = Callable[[str], Any]
_MEMORY = 20_000


class Later(Exception):
    """The cell is not of the usual kind: it is read with what the rest of the row says."""


@dataclass(frozen=True)
class Context:
    """What the readers of one import share: the policy, the company's zone, when it began, lists of other policies."""

    settings: SheetSettings
    zone: str
    at: datetime
    outside: Mapping[str, Iterable[CodeItem]]

    def last_day(self, field: FieldPolicy) -> date | None:
        """Return the latest plausible day of a field."""
        ahead = field.range.future_days
        return None if ahead is None else self.at.astimezone(ZoneInfo(self.zone)).date() + timedelta(days=ahead)

    def placeholders(self, field: FieldPolicy) -> frozenset[str]:
        """Return what says nothing in this field, folded, the empty cell among it."""
        known = self.settings.placeholders
        return _silent((*known.everywhere, *known.formats.get(field.format, ())))


@lru_cache(maxsize=64)
def _silent(texts: tuple[str, ...]) -> frozenset[str]:
    forms = (form for text in texts for form in (plain(text), wording(text), full_width(text)))
    return frozenset({"", *(form.casefold() for form in forms)})


def field_reader(field: FieldPolicy, context: Context) -> Read:
    """Return the reader of a field that needs nothing but its own cell (all but phones and money)."""
    silent = context.placeholders(field)
    if field.format in ("text", "name", "organisation_name"):
        return _text_reader(wording, silent, field.max_length)
    if field.format == "notes":
        return _text_reader(notes, silent, field.max_length)
    if field.format == "choices":
        several = _checked(_choices(field, context), silent, field.max_length)
        return _remembering(lambda cell: [*(several(cell) or ())] or None)
    if field.format == "choice":
        return _remembering(_text_first(_checked(_choices(field, context), silent, field.max_length), silent))
    read = _checked(_plain_reader(field, context), silent, field.max_length)
    return _remembering(read) if field.format == "date" else read


def _text_reader(clean: Callable[[str], str], silent: frozenset[str], longest: int) -> Read:
    short = max(map(len, silent)) + 1

    def read(cell: str) -> str | None:
        if not cell:
            return None
        if cell[0] == "'":
            cell = unquoted(cell)
        # What most cells are, `clean` leaves as it is but for spaces around it.
        text = cell.strip()
        if not (text.isprintable() and (text.isascii() or is_normalized("NFKC", text))):
            text = clean(cell)
        if len(text) < short and text.casefold() in silent:
            return None
        if len(text) > longest:
            raise Fault("TOO_LONG")
        return text

    return read


def _checked(read_format: Read, silent: frozenset[str], longest: int) -> Read:
    """Return a reader that asks `read_format`; placeholders, readable or not, are blank."""
    dud = _duds(read_format, silent)
    short = max(map(len, silent)) + 1

    def read(cell: str) -> Any:
        if not cell:
            return None
        if cell[0] == "'":
            cell = unquoted(cell)
        try:
            value = read_format(cell)
        except Fault:
            if plain(cell).casefold() in silent:
                return None
            raise
        if value.__class__ is str:
            if len(value) < short and value.casefold() in silent:
                return None
            if len(value) > longest:
                raise Fault("TOO_LONG")
        return None if value in dud else value

    return read


def _text_first(read: Read, silent: frozenset[str]) -> Read:
    """Return a reader for which what says nothing says nothing, even where a list has it (未知)."""
    return lambda cell: None if wording(unquoted(cell)).casefold() in silent else read(cell)


def _duds(read_format: Read, silent: frozenset[str]) -> frozenset[Any]:
    """Return what placeholders look like once they are read."""
    values: set[Any] = set()
    for text in silent:
        try:
            values.add(read_format(text) if text else "")
        except Fault:
            continue
    return frozenset(values)


class _Memory(dict[str, Any]):
    """Answers of a reader by cell. Columns of codes and days hold few different cells."""

    def __init__(self, read: Read) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, cell: str) -> Any:  # noqa: ANN401 - whatever the reader answers
        value = self._read(cell)
        if len(self) < _MEMORY:
            self[cell] = value
        return value


def _remembering(read: Read) -> Read:
    """Return `read` with a memory; a hit costs no Python call."""
    return _Memory(read).__getitem__


def _choices(field: FieldPolicy, context: Context) -> Read:
    items = context.settings.items(field.choices, context.outside)
    keep = field.unknown == "keep"
    if field.format == "choices":
        return choices_reader(items, keep)
    return choice_reader(items, keep, field.unknown_reason)


def _plain_reader(field: FieldPolicy, context: Context) -> Read:
    limits, settings = field.range, context.settings
    if field.format == "date":
        return day_reader(settings.dates, limits.earliest, context.last_day(field))
    if field.format == "datetime":
        return moment_reader(settings.dates, context.zone, limits.earliest, context.last_day(field))
    if field.format == "integer":
        return _integer_reader(limits.least, limits.most)
    return {"uscc": read_uscc, "id_card": read_id_card, "code": read_code}[field.format]


def _integer_reader(least: int | None, most: int | None) -> Read:
    def read(cell: str) -> int:
        text = plain(cell).replace(",", "").removesuffix(".0").removesuffix("岁")
        if not (text.isdecimal() and len(text) < 16):
            raise Fault("NUMBER_INVALID")
        number = int(text)
        if (least is not None and number < least) or (most is not None and number > most):
            raise Fault("NUMBER_OUT_OF_RANGE")
        return number

    return read


class Money:
    """Reads one column of amounts; the row may name the currency that its bare numbers are in."""

    def __init__(self, field: FieldPolicy, unit: Unit | None, context: Context) -> None:
        settings = context.settings
        self.field = field
        self.unit = unit or Unit(1, None)
        self.home = settings.currency
        self.silent = context.placeholders(field)
        self.decimals = {currency.code: currency.decimals for currency in settings.currencies}
        self.table = unit_table(
            [(item.names, item.factor, item.currency) for item in settings.units],
            [(c.code, (*c.labels.values(), *c.synonyms)) for c in settings.currencies],
        )
        self.readers: dict[str, Callable[[str], Amount]] = {}

        self.currency = self.unit.currency or self.home
        self.usual = self._reader(self.currency)
        limits = field.range
        self.bare = quick_money(self.decimals[self.currency], self.unit.factor, limits.least, limits.most)

    def quick(self) -> Read:
        """Return a reader of bare numbers, for rows that name no currency; it raises Later for all others."""
        bare = self.bare

        def read(cell: str) -> int | None:
            if not cell:
                return None
            minor = bare(cell)
            if minor is None:
                raise Later
            return minor

        return read

    def read(self, cell: str, row_currency: str | None) -> Amount | None:
        """Return the amount; raises Fault, CURRENCY_CONFLICT when cell, header and row name different currencies."""
        if not cell:
            return None
        if row_currency is None and (minor := self.bare(cell)) is not None:
            return Amount(minor, self.currency, False)
        named = self.unit.currency
        if named and row_currency and named != row_currency:
            raise Fault("CURRENCY_CONFLICT")
        reader = self.usual if row_currency is None else self._reader(row_currency)
        try:
            amount = reader(cell)
        except Fault:
            bare = unquoted(cell)
            if plain(bare).casefold() in self.silent:
                return None
            if bare == cell:
                raise
            amount = reader(bare)
        if row_currency is not None and amount.currency != row_currency:
            raise Fault("CURRENCY_CONFLICT")
        return amount

    def _reader(self, currency: str) -> Callable[[str], Amount]:
        reader = self.readers.get(currency)
        if reader is None:
            limits = self.field.range
            unit = Unit(self.unit.factor, currency)
            reader = money_reader(self.table, self.decimals, unit, limits.least, limits.most)
            self.readers[currency] = reader
        return reader


def read_fields(steps: Iterable[tuple[int, str, Read]], cells: Sequence[str], faults: list[Reason]) -> dict[str, Any]:
    """Return what a record's cells say by field code, where they say anything; note what is wrong with the others.

    A step is the cell's place, the field's code and its reader.
    """
    values: dict[str, Any] = {}
    for index, code, read in steps:
        try:
            value = read(cells[index])
        except Fault as fault:
            faults.append(Reason(fault.code, code))
        else:
            if value is not None:
                values[code] = value
    return values


def read_names(
    steps: Iterable[tuple[int, str, Callable[[str], tuple[T, ...]]]], cells: Sequence[str], faults: list[Reason]
) -> list[tuple[T, ...]]:
    """Return what each of the cells names, where it names anything; note what is wrong with the others."""
    found: list[tuple[T, ...]] = []
    for index, code, read in steps:
        try:
            named = read(cells[index])
        except Fault as fault:
            faults.append(Reason(fault.code, code))
        else:
            if named:
                found.append(named)
    return found


def sealed_text(value: Any) -> str:
    """Return a value as the text that sealed fields hold."""
    return PARTING.join(value) if isinstance(value, list) else str(value)
