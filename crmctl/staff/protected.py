"""The tables of this room that the change log protects, for `audit verify --rows`. Nothing in them is sealed."""

from __future__ import annotations

from crmctl.audit.objects import ProtectedTable
from crmctl.staff import columns, tables

STAFF = ProtectedTable(
    code="staff",
    table=tables.staff,
    owner_column=None,
    id_column="staff_id",
    clear_columns=columns.STAFF,
    hash_column=None,
)
ABSENCE = ProtectedTable(
    code="absence",
    table=tables.absence,
    owner_column=None,
    id_column="absence_id",
    clear_columns=columns.ABSENCE,
    hash_column=None,
)
