"""The table of this room that the change log protects, for `audit verify --rows`."""

from __future__ import annotations

from crmctl.audit.objects import ProtectedTable
from crmctl.satisfaction.tables import satisfaction

SATISFACTION_CLEAR = (
    "customer_id", "satisfaction_id", "source", "related", "related_id", "scale", "score", "settled", "asked_by",
    "answered_at", "person", "run_id", "created_at",
)  # fmt: skip
SATISFACTION = ProtectedTable(
    code="satisfaction",
    table=satisfaction,
    owner_column="customer_id",
    id_column="satisfaction_id",
    clear_columns=SATISFACTION_CLEAR,
    sealed_column="sealed",
)
