"""Cells of one record → a valid `Row`, or a `Rejected` with every reason: one function, compiled once per file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from crmctl.customers.joining import Amounts, Joins, Places
from crmctl.customers.model import Row
from crmctl.customers.placing import ATTRIBUTES, CLEAR, OWN, PERSON, KeyPlan, Step, key_plan, place_of
from crmctl.customers.policy import CustomerField, CustomersSettings, Party
from crmctl.customers.reaching import FORMATS, ReachColumn
from crmctl.customers.typesigns import TypeSigns
from crmctl.customers.usual import usual_rows
from crmctl.policy.model import CodeItem
from crmctl.sheets.formats.phones import ELSEWHERE
from crmctl.sheets.formats.texts import Fault
from crmctl.sheets.headers import ColumnMapping
from crmctl.sheets.model import Reason, Rejected
from crmctl.sheets.readers import Context, Later, Read, field_reader, sealed_text
from crmctl.sheets.torncells import fit

Outcome = Row | Rejected
RowFunction = Callable[[int, list[str]], Outcome]
# What a row has been found to have: reasons against it, flags, blank fields.
Told = tuple[list[Reason], list[str], list[str]]
_new = tuple.__new__


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
    return usual_rows(Rows(settings, mapping, Context(settings, zone, at, outside or {}), type_code))


class Rows:
    """The columns of one file, and what its rows are."""

    def __init__(
        self, settings: CustomersSettings, mapping: ColumnMapping, context: Context, type_code: str | None
    ) -> None:
        self.settings = settings
        self.mapping = mapping
        self.context = context
        self.given_type = type_code
        self.width = mapping.width
        self.readers: dict[tuple[str, bool], Read] = {}
        self.type_column = mapping.fields.get("type")
        self.read_type = field_reader(settings.by_code["type"], context)
        self.has_country = mapping.has("country")
        self.reach = [
            ReachColumn(column.index, settings.by_code[code], settings, context)
            for form in FORMATS
            for code, column in mapping.fields.items()
            if settings.by_code[code].format == form
        ]
        self.joins = Joins(settings, mapping, context)
        self.amounts = Amounts(settings, mapping, context)
        self.steps = {True: self._steps("organisation"), False: self._steps("person")}
        self.signs = TypeSigns(settings, mapping, context)
        self.parties = {code: kind.party == "organisation" for code, kind in settings.type_by_code.items()}
        written = self._written()
        self.keys: dict[str, KeyPlan] = {code: key_plan(settings, code, written) for code in settings.type_by_code}
        self.required = {
            kind.code: [
                (place_of(item, kind.party), item.code)
                for item in settings.fields
                if settings.applies(item.required.import_, kind.code)
            ]
            for kind in settings.types
        }
        self.beside = [
            (item.code, [code for code in item.required.beside if mapping.has(code)])
            for item in settings.fields
            if item.required.beside
            and item.code in written
            and (mapping.has(item.code) or item.code in self.joins.parts)
        ]
        self.names_party = mapping.has("customer_name")
        self.moves = self.names_party or any(settings.by_code[code].mobile_to for code in mapping.fields)

    def _steps(self, party: Party) -> list[Step]:
        """Return what is done with every column that, in most rows, needs nothing but its own cell."""
        reach = {column.code: column for column in self.reach}
        alone = not self.mapping.has("country")
        steps: list[Step] = []
        for code, column in self.mapping.fields.items():
            item = self.settings.by_code[code]
            if code == "type" or item.join:
                continue
            read: Read | None
            place = place_of(item, party)
            if item.format == "money":
                place = CLEAR if place_of(item, "organisation") == CLEAR else ATTRIBUTES  # whoever the row is
                read = None if self.mapping.has("currency") else self.amounts.quick_reader(column.index)
            elif code in reach:
                read = reach[code].quick_reader() if alone or item.format == "email" else None
            else:
                read = self.reader(item, party == "organisation")
            steps.append((column.index, code, read or _later, place))
        return steps

    def reader(self, item: CustomerField, organisation: bool) -> Read:
        """Return the reader of a field as its place wants it: sealed fields are text."""
        place = place_of(item, "organisation" if organisation else "person")
        sealed = place in (OWN, PERSON) and item.format in ("integer", "choices")
        if (item.code, sealed) not in self.readers:
            read = field_reader(item, self.context)
            self.readers[item.code, sealed] = _as_text(read) if sealed else read
        return self.readers[item.code, sealed]

    def _written(self) -> set[str]:
        """Return every field that a row of this file may fill."""
        written: set[str] = set()
        more = {*self.mapping.fields, *self.joins.parts}
        if "customer_name" in more:
            more |= {"name", "company_name"}
        while more:
            written |= more
            items = [self.settings.by_code[code] for code in more]
            more = {other for item in items for other in (item.overflow, item.mobile_to) if other} - written
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
        late: list[int] = []
        kind = self._type(cells, reasons)
        organisation = self.parties[kind]
        places: Places = ({}, {}, {}, {})
        for index, code, read, place in self.steps[organisation]:
            try:
                value = read(cells[index])
            except Later:
                late.append(index)
            except Fault as fault:
                reasons.append(Reason(fault.code, code))
            else:
                if value is None:
                    blank.append(code)
                else:
                    places[place][code] = value
        if self.joins.parts:
            self.joins.take(cells, places, organisation, reasons, blank)
        answers_itself = self.names_party and self._name_party(places, organisation)
        if late:
            self._late(late, cells, places, organisation, (reasons, flags, blank))
        for code, currency in self.amounts.clear:
            if code in places[CLEAR]:
                places[CLEAR].setdefault("currency", currency)
        self._check(kind, organisation and not answers_itself, places, reasons)
        if reasons:
            return Rejected(number, tuple(dict.fromkeys(reasons)), list(original))
        if self.moves and blank:
            blank = [code for code in blank if code != "customer_name" and not any(code in place for place in places)]
        clear, attributes, own, contact = places
        keys = self.keys[kind].keys(places)
        if not organisation:
            own.update(contact)
        found = (
            number, kind, organisation, clear, attributes, own, contact if organisation and contact else None,
            tuple(blank), keys, tuple(dict.fromkeys(flags)) if flags else (), None,
        )  # fmt: skip
        return _new(Row, found)  # Row(…) takes twice as long

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

    def _name_party(self, places: Places, organisation: bool) -> bool:
        """Give 客户名称 to whom it names: the organisation, or the person.

        Return whether the contact is the organisation itself: its name written twice.
        """
        own, person = places[OWN], places[PERSON]
        party = own.pop("customer_name", None)
        if party is None:
            return False
        if organisation:
            home = places[place_of(self.settings.by_code["company_name"], "organisation")]
            registered = home.setdefault("company_name", party)
            if registered != party and "short_name" in self.settings.by_code:
                places[place_of(self.settings.by_code["short_name"], "organisation")].setdefault("short_name", party)
            if person.get("name") != registered:
                return False
            del person["name"]
            return True
        other = person.get("name")
        person["name"] = party
        if other and other != party and "contact_person" in self.settings.by_code:
            own.setdefault("contact_person", other)
        return False

    def _late(self, late: list[int], cells: list[str], places: Places, organisation: bool, told: Told) -> None:
        """Read the cells that need the row's currency or country, or are spelled unusually."""
        reasons, flags, blank = told
        region = None
        if self.has_country:
            region = self.region_of(next((place["country"] for place in places if "country" in place), None))
        for index, (code, _money, _clear) in self.amounts.columns.items():
            if index in late:
                try:
                    self.amounts.take(index, cells[index], places, flags, blank)
                except Fault as fault:
                    reasons.append(Reason(fault.code, code))
        for column in self.reach:
            if column.index in late:
                try:
                    column.take(cells[column.index], region, places, organisation, flags, blank)
                except Fault as fault:
                    reasons.append(Reason(fault.code, column.code))

    def region_of(self, country: str | None) -> str | None:
        """Return whose phone numbers a row has; None says the home country's."""
        if country is None or country == self.settings.phone_region:
            return None
        return country if len(country) == 2 and country.isascii() else ELSEWHERE

    def _check(self, kind: str, has_contact: bool, places: Places, reasons: list[Reason]) -> None:
        """Add what is missing: without it there is no record, or a contact person would have no name."""
        for place, code in self.required[kind]:
            if code not in places[place] and code not in [reason.field for reason in reasons]:
                reasons.append(Reason("REQUIRED", code))
        person = places[PERSON]
        if has_contact and person:
            for code, others in self.beside:
                lacking = code not in person and any(other in person for other in others)
                if lacking and code not in [reason.field for reason in reasons]:
                    reasons.append(Reason("REQUIRED", code))


def _later(_cell: str) -> None:
    raise Later


def _as_text(read: Read) -> Read:
    def text(cell: str) -> str | None:
        value = read(cell)
        return None if value is None else sealed_text(value)

    return text
