"""The tables of this room that the change log protects, for `audit verify --rows`."""

from __future__ import annotations

from crmctl.audit.objects import ProtectedTable
from crmctl.customers import tables
from crmctl.customers.columns import CONTACT_CLEAR, CUSTOMER_CLEAR

CUSTOMER = ProtectedTable(
    code="customer",
    table=tables.customer,
    owner_column="customer_id",
    id_column="customer_id",
    clear_columns=CUSTOMER_CLEAR,
    sealed_column="sealed",
)
CONTACT = ProtectedTable(
    code="contact",
    table=tables.contact,
    owner_column="customer_id",
    id_column="contact_id",
    clear_columns=CONTACT_CLEAR,
    sealed_column="sealed",
)
