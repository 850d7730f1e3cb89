"""The tables of this room that the change log protects, for `audit verify --rows`."""

from __future__ import annotations

from crmctl.audit.objects import ProtectedTable
from crmctl.tiers.tables import tier_override

OVERRIDE_CLEAR = (
    "customer_id", "override_id", "kind", "tier", "until_on", "person", "lifted_on", "created_at", "updated_at",
    "version",
)  # fmt: skip
OVERRIDE = ProtectedTable(
    code="tier_override",
    table=tier_override,
    owner_column="customer_id",
    id_column="override_id",
    clear_columns=OVERRIDE_CLEAR,
    sealed_column="sealed",
)
