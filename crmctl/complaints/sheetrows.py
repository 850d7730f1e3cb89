"""Cells of one record of a sheet → a valid row about a complaint, or every reason why not; compiled once per file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

from crmctl.complaints.drafting import FIELDS
from crmctl.complaints.rowreasons import CLOSED_IN_FILE, STAFF_AMBIGUOUS, STAFF_UNKNOWN
from crmctl.complaints.sheetpolicy import CLOSED, PEOPLE, WORDS, ComplaintSheetSettings
from crmctl.customers.meant import Called, Name
from crmctl.customers.packing import Ident
from crmctl.customers.pointing import NAME, calls_reader, names_reader
from crmctl.sheets.formats.texts import Fault
from crmctl.sheets.headers import ColumnMapping
from crmctl.sheets.model import Reason, Rejected
from crmctl.sheets.readers import Context, field_reader, read_fields, read_names
from crmctl.sheets.torncells import fit
from crmctl.staff import Directory

_PARTED = re.compile(r"[;；,，、/\n]+")
_MEMORY = 20_000  # cells about staff
Values = Mapping[str, Any]


class SheetRow(NamedTuple):
    """A valid row. `row` is the record's number as a spreadsheet shows it, `number` what the sheet calls the complaint.

    `names` and `called` say whose it is, as `customers.meant` takes them; `whose` is the same in words. `words` are
    channel, category and severity as written, `private` the texts; `received_at` is a stamp, empty where the row does
    not say. Staff are ids. `cells` are the original ones, for quarantine.
    """

    row: int
    number: str
    names: tuple[tuple[Name, ...], ...]
    called: tuple[Called, ...]
    whose: str
    words: Mapping[str, str]
    private: Mapping[str, str]
    remarks: str
    received_at: str
    about: tuple[int, ...]
    receiver: int | None
    handler: int | None
    cells: list[str]


Outcome = SheetRow | Rejected


class SheetRows:
    """The columns of one file, and what its rows are. `ident` makes idents, `staff` says whom names mean.

    `otherwise` are words for rows that do not say them: channel, category.
    """

    def __init__(
        self, mapping: ColumnMapping, context: Context, ident: Ident, staff: Directory, otherwise: Mapping[str, str]
    ) -> None:
        settings = context.settings
        assert isinstance(settings, ComplaintSheetSettings)
        self.width, self.otherwise = mapping.width, otherwise
        columns = [(column.index, settings.by_code[code]) for code, column in mapping.fields.items()]
        self.steps = [(at, field.code, field_reader(field, context)) for at, field in columns if not field.identity]
        who = [(at, field, field.identity) for at, field in columns if field.identity]
        self.names = [
            (at, field.code, names_reader(field, kind, context, ident)) for at, field, kind in who if kind != NAME
        ]
        self.calls = [(at, field.code, calls_reader(field, context, ident)) for at, field, kind in who if kind == NAME]
        self.who = sorted((*self.names, *self.calls), key=itemgetter(0))
        self.contact = _number_reader(settings, context, ident)
        self.staff = lru_cache(_MEMORY)(lambda text: _meant(staff, text))

    def row(self, number: int, cells: list[str]) -> Outcome:
        """Return what one record is."""
        fitted = cells if len(cells) == self.width else fit(cells, self.width)
        if isinstance(fitted, str):
            return Rejected(number, (Reason(fitted, ""),), list(cells))
        reasons: list[Reason] = []
        values = read_fields(self.steps, fitted, reasons)
        if values.get("status") == CLOSED or "closed_at" in values:
            reasons.append(Reason(CLOSED_IN_FILE, "status" if values.get("status") == CLOSED else "closed_at"))
        words = {word: values.get(word) or self.otherwise.get(word, "") for word in WORDS}
        unread = {reason.field for reason in reasons}
        reasons += [Reason("REQUIRED", code) for code in WORDS[:2] if not words[code] and code not in unread]
        people = {code: self._people(values, code, reasons) for code in PEOPLE}
        names, called = self._pointing(fitted, values, reasons)
        if reasons:
            return Rejected(number, tuple(reasons), list(cells))
        return SheetRow(
            number, values.get("number", ""), names, called, self._whose(fitted), words, self._texts(values, fitted),
            values.get("remarks", ""), values.get("received_at", ""), people["about"],
            next(iter(people["receiver"]), None), next(iter(people["handler"]), None), cells,
        )  # fmt: skip

    def _people(self, values: Values, code: str, reasons: list[Reason]) -> tuple[int, ...]:
        found = self.staff(values[code]) if code in values else ()
        if isinstance(found, str):
            reasons.append(Reason(found, code))
            return ()
        if code != "about" and len(found) > 1:
            reasons.append(Reason(STAFF_AMBIGUOUS, code))
        return found

    def _pointing(
        self, cells: list[str], values: Values, reasons: list[Reason]
    ) -> tuple[tuple[tuple[Name, ...], ...], tuple[Called, ...]]:
        """Return what the row says of its customer. A cell that cannot be read matters only where no other can.

        Where it says nothing, the number at which the complainant is reached says whose complaint it is.
        """
        faults: list[Reason] = []
        names = read_names(self.names, cells, faults)
        called = read_names(self.calls, cells, faults)
        if not names and not called:
            reasons += faults
            reached = self.contact(values.get("contact", ""))
            names = [reached] if reached else []
        return tuple(names), tuple(chain.from_iterable(called))

    def _whose(self, cells: list[str]) -> str:
        """Return in words what the row says of its customer."""
        return "; ".join(text for index, _code, _read in self.who if (text := cells[index].strip()))

    def _texts(self, values: Values, cells: list[str]) -> dict[str, str]:
        """Return the complaint's texts; who complains is the customer unless another is named."""
        found = {name: values[name] for name in FIELDS if name in values}
        own = {code: cells[index].strip() for index, code, read in self.who if _says(read, cells[index])}
        if not found.get("complainant") and own.get("company_name"):
            found["complainant"] = own["company_name"]
        reached = own.get("mobile") or own.get("email")
        if not found.get("contact") and reached:
            found["contact"] = reached
        return found


def _says(read: Callable[[str], tuple[Any, ...]], cell: str) -> bool:
    try:
        return bool(read(cell))
    except Fault:
        return False


def _number_reader(
    settings: ComplaintSheetSettings, context: Context, ident: Ident
) -> Callable[[str], tuple[Name, ...]]:
    """Return the function from the complainant's contact to what a customer of that mobile number is found by."""
    mobile = next((field for field in settings.fields if field.identity == "mobile"), None)
    if mobile is None:
        return lambda _text: ()
    read = names_reader(mobile, "mobile", context, ident)

    def reached(text: str) -> tuple[Name, ...]:
        try:
            return read(text)
        except Fault:
            return ()

    return reached


def _meant(staff: Directory, text: str) -> tuple[int, ...] | str:
    """Return the ids of those of the staff whom a cell names, or the reason why that is not clear."""
    found: list[int] = []
    for part in filter(None, map(str.strip, _PARTED.split(text))):
        people = staff.meant(part)
        if len(people) != 1:
            return STAFF_AMBIGUOUS if people else STAFF_UNKNOWN
        found.append(people[0].staff_id)
    return tuple(dict.fromkeys(found))
