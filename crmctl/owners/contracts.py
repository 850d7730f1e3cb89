"""When a customer's contract ends, as its record says: a field of the policy, kept among the attributes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Table, Text, cast, func, type_coerce

FIELD = "contract_end_on"


def end_on(customer: Table, dialect: str) -> ColumnElement[Any]:
    """Return the last day of the contract as text (YYYY-MM-DD), null where the record does not say."""
    told = customer.c.attributes
    if dialect == "postgresql":
        from sqlalchemy.dialects.postgresql import JSONB

        return func.jsonb_extract_path_text(cast(type_coerce(told, Text), JSONB), FIELD, type_=Text)
    return func.json_extract(type_coerce(told, Text), f"$.{FIELD}", type_=Text)
