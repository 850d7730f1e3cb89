"""Cells of one record → a valid `OrderRow`, or a `Rejected` with every reason; compiled once per file."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

from crmctl.customers.packing import Ident
from crmctl.customers.pointing import NAME, calls_reader, names_reader
from crmctl.orders.model import Called, Name, OrderRow, Value
from crmctl.orders.policy import OrdersSettings
from crmctl.orders.rates import LARGEST, Rates
from crmctl.orders.reasons import AMOUNT_ROUNDED, RATE_UNKNOWN
from crmctl.sheets.formats.texts import Fault
from crmctl.sheets.headers import ColumnMapping
from crmctl.sheets.model import Reason, Rejected
from crmctl.sheets.readers import Context, Money, field_reader, read_fields, read_names
from crmctl.sheets.torncells import fit

Outcome = OrderRow | Rejected


class Rows:
    """The columns of one file, and what its rows are. `ident` makes idents, `rates` amounts at home."""

    def __init__(self, mapping: ColumnMapping, context: Context, ident: Ident, rates: Rates) -> None:
        settings = context.settings
        assert isinstance(settings, OrdersSettings)
        self.width = mapping.width
        self.rates = rates
        columns = [(column.index, settings.by_code[code]) for code, column in mapping.fields.items()]
        self.steps = [
            (index, field.code, field_reader(field, context))
            for index, field in columns
            if field.format != "money" and not field.identity and field.code != "currency"
        ]
        self.names = [
            (index, field.code, names_reader(field, field.identity, context, ident))
            for index, field in columns
            if field.identity and field.identity != NAME
        ]
        self.calls = [
            (index, field.code, calls_reader(field, context, ident))
            for index, field in columns
            if field.identity == NAME
        ]
        amount, currency = mapping.fields.get("amount"), mapping.fields.get("currency")
        self.amount: tuple[int, Money] | None = None
        if amount is not None:
            self.amount = amount.index, Money(settings.by_code["amount"], amount.unit, context)
        self.currency: tuple[int, Callable[[str], str | None]] | None = None
        if currency is not None:
            self.currency = currency.index, field_reader(settings.by_code["currency"], context)

    def row(self, number: int, cells: list[str]) -> Outcome:
        """Return what one record is."""
        fitted = cells if len(cells) == self.width else fit(cells, self.width)
        if isinstance(fitted, str):
            return Rejected(number, (Reason(fitted, ""),), list(cells))
        reasons: list[Reason] = []
        flags: list[str] = []
        values: dict[str, Value] = read_fields(self.steps, fitted, reasons)
        names, called = self._names(fitted, reasons)
        if self.amount is not None:
            self._amount(fitted, values, flags, reasons)
        order = values.pop("number", None)
        if order is None and not any(reason.field == "number" for reason in reasons):
            reasons.append(Reason("REQUIRED", "number"))
        if reasons:
            return Rejected(number, tuple(reasons), list(cells))
        return OrderRow(number, str(order), names, values, tuple(flags), cells, called)

    def _names(
        self, cells: list[str], reasons: list[Reason]
    ) -> tuple[tuple[tuple[Name, ...], ...], tuple[Called, ...]]:
        """Return what the row says of its customer. A cell that cannot be read matters only where no other can."""
        faults: list[Reason] = []
        names = tuple(read_names(self.names, cells, faults))
        called = tuple(chain.from_iterable(read_names(self.calls, cells, faults)))
        if not names and not called:
            reasons += faults
        return names, called

    def _amount(self, cells: list[str], values: dict[str, Value], flags: list[str], reasons: list[Reason]) -> None:
        """Read the amount with its currency, the row's where it names one, and what it is at home."""
        assert self.amount is not None
        index, money = self.amount
        named = None
        try:
            if self.currency is not None:
                named = self.currency[1](cells[self.currency[0]])
        except Fault as fault:
            reasons.append(Reason(fault.code, "currency"))
            return
        try:
            amount = money.read(cells[index], named)
            if amount is None:
                return
            home = self.rates.at_home(amount.minor, amount.currency)
            if home is not None and abs(home) > LARGEST:
                raise Fault("AMOUNT_OUT_OF_RANGE")
        except Fault as fault:
            reasons.append(Reason(fault.code, "amount"))
            return
        values["amount"], values["currency"], values["home_amount"] = amount.minor, amount.currency, home
        if home is None:
            flags.append(RATE_UNKNOWN)
        if amount.rounded:
            flags.append(AMOUNT_ROUNDED)
