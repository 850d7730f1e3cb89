"""The table of this room that the change log protects, for `audit verify --rows`."""

from __future__ import annotations

from crmctl.audit.objects import ProtectedTable
from crmctl.orders.model import ORDER
from crmctl.orders.tables import purchase_order

ORDERS = ProtectedTable(
    code="order",
    table=purchase_order,
    owner_column="customer_id",
    id_column="order_id",
    clear_columns=ORDER,
    hash_column=None,
)
