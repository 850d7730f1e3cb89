"""Column orders of bulk rows, kept apart from the tables so that a worker process need not load SQLAlchemy.

`tests/customers/test_columns.py` holds them equal to the tables.
"""

from __future__ import annotations

from typing import Any

CUSTOMER_CLEAR = (
    "customer_id", "type", "status", "stage", "tier", "owner_id", "org_unit", "region", "industry", "source",
    "company_name", "annual_amount", "currency", "first_added_at", "last_contact_at", "completeness",
    "retention_class", "flags", "attributes", "batch_id", "created_at", "updated_at", "version", "derived_version",
    "tier_basis", "cancelled_at", "put_away_at", "put_away_from",
)  # fmt: skip
CUSTOMER = (*CUSTOMER_CLEAR, "sealed", "sealed_hash")
CONTACT_CLEAR = ("customer_id", "contact_id", "is_primary", "batch_id", "created_at", "updated_at", "version")
CONTACT = (*CONTACT_CLEAR, "sealed", "sealed_hash")
IDENTITY = ("digest", "kind", "epoch", "slot", "customer_id")


def customer_row(clear: dict[str, Any], sealed: bytes, sealed_hash: bytes) -> tuple[Any, ...]:
    """Return the bulk row of a customer from its clear columns (nulls left out) and its envelope."""
    return (*map(clear.get, CUSTOMER_CLEAR), sealed, sealed_hash)


def clear_of(columns: tuple[str, ...], row: tuple[Any, ...]) -> dict[str, Any]:
    """Return the clear columns of a bulk row without nulls."""
    return {name: value for name, value in zip(columns, row, strict=False) if value is not None}
