"""Which tables the change log protects, and how a row of theirs is turned back into what its change committed to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module

from sqlalchemy import ColumnElement, Table, Text, func, literal_column, type_coerce

from crmctl.store.metadata import UtcTime

# Dotted names, resolved on use: foundations import no subject. One line for each table whose rows leave changes.
PROTECTED: Sequence[str] = (
    "crmctl.customers.protected:CUSTOMER",
    "crmctl.customers.protected:CONTACT",
    "crmctl.orders.protected:ORDERS",
    "crmctl.tiers.protected:OVERRIDE",
    "crmctl.staff.protected:STAFF",
    "crmctl.staff.protected:ABSENCE",
    "crmctl.complaints.protected:COMPLAINT",
    "crmctl.complaints.protected:EVENT",
    "crmctl.complaints.protected:CLOCK",
    "crmctl.complaints.protected:FILE",
    "crmctl.satisfaction.protected:SATISFACTION",
    "crmctl.holds.protected:HOLD",
    "crmctl.holds.protected:ITEM",
)
_STAMP = '\'YYYY-MM-DD"T"HH24:MI:SS"Z"\''  # `clock.stamp` in PostgreSQL's words


@dataclass(frozen=True)
class ProtectedTable:
    """A table whose every row has a last change that says what the row must hash to.

    `code` is `change.object`; `owner_column` holds `change.customer_id`, None for things of no customer;
    `id_column` holds `change.object_id`, unique within its owner. `clear_columns` are what `changes.clear_json` gets
    when the row is written; `sealed_column` holds the envelope and `hash_column` its SHA-256, None where there is none.
    """

    code: str
    table: Table
    owner_column: str | None
    id_column: str
    clear_columns: tuple[str, ...]
    sealed_column: str | None = None
    hash_column: str | None = "sealed_hash"


def protected_tables() -> tuple[ProtectedTable, ...]:
    """Return every protected table."""
    found = []
    for name in PROTECTED:
        module, _, attribute = name.partition(":")
        table = getattr(import_module(module), attribute)
        assert isinstance(table, ProtectedTable)
        found.append(table)
    return tuple(found)


def primitive(table: Table, name: str, dialect: str) -> ColumnElement[object]:
    """Return what selects a column as the canonical primitive it was hashed as: times as `clock.stamp` text."""
    column = table.c[name]
    if not isinstance(column.type, UtcTime):
        return column
    if dialect == "postgresql":
        return func.to_char(func.timezone("UTC", column), literal_column('\'YYYY-MM-DD"T"HH24:MI:SS"Z"\''), type_=Text)
    return type_coerce(column, Text)  # the stored text as it is, past the type that makes a datetime of it
