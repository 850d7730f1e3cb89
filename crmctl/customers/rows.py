"""Cells of one record → a valid `Row`, or a `Rejected` with every reason: one function, compiled once per file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from crmctl.customers.formats.phones import ELSEWHERE
from crmctl.customers.formats.texts import Fault
from crmctl.customers.headers import ColumnMapping
from crmctl.customers.model import Reason, Rejected, Row
from crmctl.customers.placing import ATTRIBUTES, CLEAR, OWN, PERSON, KeyPlan, Step, key_plan, place_of
from crmctl.customers.policy import CustomersSettings, FieldPolicy, Party
from crmctl.customers.reaching import FORMATS, ReachColumn
from crmctl.customers.readers import Context, Money, Read, field_reader, sealed_text
from crmctl.customers.torncells import TornCells
from crmctl.customers.typesigns import TypeSigns
from crmctl.policy.model import CodeItem

Outcome = Row | Rejected
RowFunction = Callable[[int, list[str]], Outcome]
_HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


def compile_rows(
    settings: CustomersSettings,
    mapping: ColumnMapping,
    *,
    zone: str,
    at: datetime,
    type_code: str | None = None,
    outside: Mapping[str, Iterable[CodeItem]] | None = None,
) -> RowFunction:
    """Return the function from record number and cells to their outcome.

    `zone` is the company's, `at` the moment the import began (a resumed one keeps it), `type_code` the type of rows
    that name none, `outside` the lists of codes of other policies by name (tiers, tags, org_units).
    """
    return _Rows(settings, mapping, Context(settings, zone, at, outside or {}), type_code).row


class _Rows:
    """The compiled columns of one file."""

    def __init__(
        self, settings: CustomersSettings, mapping: ColumnMapping, context: Context, type_code: str | None
    ) -> None:
        self.settings = settings
        self.mapping = mapping
        self.context = context
        self.given_type = type_code
        self.width = mapping.width
        self.type_column = mapping.fields.get("type")
        self.read_type = field_reader(settings.by_code["type"], context)
        self.country = self._column("country")
        self.currency = self._column("currency")
        self.reach = [
            ReachColumn(column.index, settings.by_code[code], settings, context)
            for form in FORMATS
            for code, column in mapping.fields.items()
            if settings.by_code[code].format == form
        ]
        self.money = [
            (
                column.index,
                code,
                Money(settings.by_code[code], column.unit, context),
                place_of(settings.by_code[code], "organisation") == CLEAR,
            )
            for code, column in mapping.fields.items()
            if settings.by_code[code].format == "money"
        ]
        self.steps = {party: self._steps(party) for party in ("organisation", "person")}
        self.joins = self._joins()
        self.signs = TypeSigns(settings, mapping, context)
        self.parties = {code: kind.party == "organisation" for code, kind in settings.type_by_code.items()}
        written = self._written()
        self.keys: dict[str, KeyPlan] = {code: key_plan(settings, code, written) for code in settings.type_by_code}
        self.required = {
            code: [item.code for item in settings.fields if settings.applies(item.required.import_, code)]
            for code in settings.type_by_code
        }
        self.beside = [
            (item.code, [code for code in item.required.beside if mapping.has(code)])
            for item in settings.fields
            if item.required.beside and item.code in written and (mapping.has(item.code) or item.code in self.joins)
        ]
        self.names_party = mapping.has("customer_name")

    def _column(self, code: str) -> tuple[int, Read] | None:
        column = self.mapping.fields.get(code)
        return (column.index, field_reader(self.settings.by_code[code], self.context)) if column else None

    def _steps(self, party: Party) -> list[Step]:
        """Return what is done with every column that needs nothing but its own cell."""
        steps: list[Step] = []
        for code, column in self.mapping.fields.items():
            item = self.settings.by_code[code]
            if code == "type" or item.join or item.format in (*FORMATS, "money"):
                continue
            steps.append((column.index, code, _read(item, party, self.context), place_of(item, party)))
        return steps

    def _joins(self) -> dict[str, list[tuple[int, str, Read]]]:
        """Return the columns that are parts of another field, by that field, in order of writing."""
        parts: dict[str, list[tuple[int, int, str, Read]]] = {}
        for code, column in self.mapping.fields.items():
            item = self.settings.by_code[code]
            if item.join:
                whole = parts.setdefault(item.join.into, [])
                whole.append((item.join.position, column.index, code, field_reader(item, self.context)))
        return {into: [part[1:] for part in sorted(found, key=lambda p: p[:2])] for into, found in parts.items()}

    def _written(self) -> set[str]:
        """Return every field that a row of this file may fill."""
        written = {*self.mapping.fields, *self.joins}
        for code in self.mapping.fields:
            item = self.settings.by_code[code]
            written |= {other for other in (item.overflow, item.mobile_to) if other}
        if "customer_name" in written:
            written |= {"name", "company_name"}
        return written

    def row(self, number: int, cells: list[str]) -> Outcome:
        """Return what one record is."""
        if len(cells) != self.width:
            fitted = fit(cells, self.width)
            if isinstance(fitted, str):
                return Rejected(number, (Reason(fitted, ""),), list(cells))
            original, cells = cells, fitted
        else:
            original = cells
        reasons: list[Reason] = []
        flags: list[str] = []
        blank: list[str] = []
        kind = self._type(cells, reasons)
        organisation = self.parties[kind]
        places: tuple[dict[str, Any], ...] = ({}, {}, {}, {})
        for index, code, read, place in self.steps["organisation" if organisation else "person"]:
            try:
                value = read(cells[index])
            except Fault as fault:
                reasons.append(Reason(fault.code, code))
                continue
            if value is None:
                blank.append(code)
            else:
                places[place][code] = value
        if self.joins:
            self._join(cells, places, organisation, reasons, blank)
        if self.names_party:
            self._name_party(places, organisation)
        if self.money:
            self._amounts(cells, places, reasons, flags, blank)
        if self.reach:
            self._reach(cells, places, organisation, reasons, flags, blank)
        self._check(kind, organisation, places, reasons)
        if reasons:
            return Rejected(number, tuple(dict.fromkeys(reasons)), list(original))
        clear, attributes, own, person = places
        keys = self.keys[kind].keys(places)
        if organisation:
            return Row(
                number,
                kind,
                True,
                clear,
                attributes,
                own,
                person or None,
                tuple(blank),
                keys,
                tuple(dict.fromkeys(flags)),
            )
        own.update(person)
        return Row(number, kind, False, clear, attributes, own, None, tuple(blank), keys, tuple(dict.fromkeys(flags)))

    def _type(self, cells: list[str], reasons: list[Reason]) -> str:
        """Return the row's type: its own, the given one, or the default's; of an unknown one, the default's."""
        if self.type_column is not None:
            try:
                found = self.read_type(cells[self.type_column.index])
            except Fault as fault:
                reasons.append(Reason(fault.code, "type"))
            else:
                if found is not None:
                    return str(found)
        if self.given_type:
            return self.given_type
        default = self.settings.default_type
        return default.organisation if self.signs.organisation(cells) else default.person

    def _join(
        self,
        cells: list[str],
        places: tuple[dict[str, Any], ...],
        organisation: bool,
        reasons: list[Reason],
        blank: list[str],
    ) -> None:
        for into, parts in self.joins.items():
            item = self.settings.by_code[into]
            found: list[str] = []
            for index, code, read in parts:
                try:
                    value = read(cells[index])
                except Fault as fault:
                    reasons.append(Reason(fault.code, code))
                    continue
                if value is not None:
                    found.append(value)
            target = places[place_of(item, "organisation" if organisation else "person")]
            if into in target:
                continue
            if not found:
                if into not in blank:
                    blank.append(into)
                continue
            target[into] = joined_name(found) if item.format == "name" else " ".join(found)
            if into in blank:
                blank.remove(into)

    def _name_party(self, places: tuple[dict[str, Any], ...], organisation: bool) -> None:
        """Give 客户名称 to whom it names: the organisation, or the person."""
        clear, attributes, own, person = places
        party = own.pop("customer_name", None)
        if party is None:
            return
        if organisation:
            home = places[place_of(self.settings.by_code["company_name"], "organisation")]
            registered = home.setdefault("company_name", party)
            if registered != party and "short_name" in self.settings.by_code:
                places[place_of(self.settings.by_code["short_name"], "organisation")].setdefault("short_name", party)
            if person.get("name") == registered:
                del person["name"]
            return
        other = person.get("name")
        person["name"] = party
        if other and other != party and "contact_person" in self.settings.by_code:
            own.setdefault("contact_person", other)

    def _amounts(
        self,
        cells: list[str],
        places: tuple[dict[str, Any], ...],
        reasons: list[Reason],
        flags: list[str],
        blank: list[str],
    ) -> None:
        clear, attributes = places[CLEAR], places[ATTRIBUTES]
        currency = clear.get("currency") or attributes.get("currency")
        for index, code, money, column in self.money:
            try:
                amount = money.read(cells[index], currency)
            except Fault as fault:
                reasons.append(Reason(fault.code, code))
                continue
            if amount is None:
                blank.append(code)
                continue
            if column:
                clear[code] = amount.minor
                clear["currency"] = amount.currency
            else:
                attributes[code] = amount.minor
                if amount.currency != self.settings.currency:
                    attributes[code + "_currency"] = amount.currency
            if amount.rounded:
                flags.append("AMOUNT_ROUNDED")

    def _reach(
        self,
        cells: list[str],
        places: tuple[dict[str, Any], ...],
        organisation: bool,
        reasons: list[Reason],
        flags: list[str],
        blank: list[str],
    ) -> None:
        region = None
        if self.country is not None:
            region = places[CLEAR].get("country") or places[ATTRIBUTES].get("country") or places[OWN].get("country")
            if region is not None and (len(region) != 2 or not region.isascii()):
                region = ELSEWHERE
        for column in self.reach:
            try:
                column.take(cells[column.index], region, places, organisation, flags, blank)
            except Fault as fault:
                reasons.append(Reason(fault.code, column.code))

    def _check(self, kind: str, organisation: bool, places: tuple[dict[str, Any], ...], reasons: list[Reason]) -> None:
        """Add what is missing: without it there is no record, or a contact person would have no name."""
        clear, attributes, own, person = places
        for code in self.required[kind]:
            if not (code in clear or code in own or code in person or code in attributes):
                reasons.append(Reason("REQUIRED", code))
        if organisation and person:
            for code, others in self.beside:
                if code not in person and any(other in person for other in others):
                    reasons.append(Reason("REQUIRED", code))


def _read(item: FieldPolicy, party: Party, context: Context) -> Read:
    """Return the reader of a field as its place wants it: sealed fields are text."""
    read = field_reader(item, context)
    if place_of(item, party) not in (OWN, PERSON) or item.format not in ("integer", "choices"):
        return read

    def text(cell: str) -> str | None:
        value = read(cell)
        return None if value is None else sealed_text(value)

    return text


def joined_name(parts: list[str]) -> str:
    """Return a whole name from its parts in Western order: 王 + 小明 → 王小明, Maria + Anders → Maria Anders."""
    return "".join(reversed(parts)) if all(map(_HAN.search, parts)) else " ".join(parts)


def fit(cells: list[str], width: int) -> list[str] | str:
    """Return a record with as many cells as the header, or the code of its rejection.

    Spreadsheets leave out empty cells at the end of a line, and write some more; both say nothing.
    """
    if len(cells) > width:
        return "MORE_CELLS" if any(cell.strip() for cell in cells[width:]) else cells[:width]
    if isinstance(cells, TornCells):
        return "FEWER_CELLS"
    return [*cells, *[""] * (width - len(cells))]
