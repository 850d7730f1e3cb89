"""What belongs to a customer: every table whose rows lie with customers, so that nothing of one is left (DES-06).

The tables are found by how they are distributed, not listed: whatever a subject adds later goes with its customers.
"""

from __future__ import annotations

from functools import cache

from sqlalchemy import Table

from crmctl.audit.objects import ProtectedTable, protected_tables
from crmctl.store import schema

EMPTIED = frozenset({"change", "look"})  # their leaves stay, so that the log verifies; images and salts go
HELD = "legal_hold_item"  # whoever has a row there is not destroyed


@cache
def belongings(*, held: bool = False) -> tuple[Table, ...]:
    """Return the tables whose rows go with their customer, the customer's own row last.

    With `held` its holds too: in a database that is older than their lifting.
    """
    tables = schema.load_all().sorted_tables
    stay = EMPTIED if held else {*EMPTIED, HELD}
    found = [table for table in tables if table.info["distribution"] == "customer_id" and table.name not in stay]
    return tuple(sorted(found, key=lambda table: table.name == "customer"))


@cache
def protected() -> dict[str, ProtectedTable]:
    """Return those of them that the change log protects, by name of the table."""
    names = {table.name for table in belongings(held=True)}
    return {each.table.name: each for each in protected_tables() if each.table.name in names}
