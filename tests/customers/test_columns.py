"""The orders of columns that worker processes use are those of the tables, every column once."""

from __future__ import annotations

import pytest
from sqlalchemy import Table

from crmctl.customers import columns, tables


@pytest.mark.parametrize(
    ("names", "table"),
    [
        (columns.CUSTOMER, tables.customer),
        (columns.CONTACT, tables.contact),
        (columns.IDENTITY, tables.identity),
    ],
)
def test_every_column_of_the_table_has_its_place(names: tuple[str, ...], table: Table) -> None:
    assert sorted(names) == sorted(column.name for column in table.columns)
