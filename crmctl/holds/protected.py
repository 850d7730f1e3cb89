"""The tables of this room that the change log protects, for `audit verify --rows`."""

from __future__ import annotations

from crmctl.audit.objects import ProtectedTable
from crmctl.holds.tables import legal_hold, legal_hold_item

HOLD_CLEAR = (
    "hold_id", "kind", "everybody", "set_by", "set_at", "review_on", "lifted_by", "lifted_at", "run_id", "created_at",
    "updated_at", "version",
)  # fmt: skip
ITEM_CLEAR = ("customer_id", "hold_id", "run_id", "created_at")
HOLD = ProtectedTable(
    code="hold",
    table=legal_hold,
    owner_column=None,
    id_column="hold_id",
    clear_columns=HOLD_CLEAR,
    sealed_column="sealed",
)
ITEM = ProtectedTable(
    code="hold_item",
    table=legal_hold_item,
    owner_column="customer_id",
    id_column="hold_id",
    clear_columns=ITEM_CLEAR,
    hash_column=None,
)
