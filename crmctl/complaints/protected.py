"""The tables of this room that the change log protects, for `audit verify --rows` (CMP-12, CMP-23)."""

from __future__ import annotations

from crmctl.audit.objects import ProtectedTable
from crmctl.complaints import columns, tables

COMPLAINT = ProtectedTable(
    code="complaint",
    table=tables.complaint,
    owner_column="customer_id",
    id_column="complaint_id",
    clear_columns=columns.COMPLAINT,
    sealed_column="sealed",
)
EVENT = ProtectedTable(
    code="complaint_event",
    table=tables.complaint_event,
    owner_column="customer_id",
    id_column="event_id",
    clear_columns=columns.EVENT,
    sealed_column="sealed",
)
CLOCK = ProtectedTable(
    code="complaint_clock",
    table=tables.complaint_clock,
    owner_column="customer_id",
    id_column="clock_id",
    clear_columns=columns.CLOCK,
    hash_column=None,
)
FILE = ProtectedTable(
    code="complaint_file",
    table=tables.complaint_file,
    owner_column="customer_id",
    id_column="file_id",
    clear_columns=columns.FILE,
    sealed_column="sealed",
)
