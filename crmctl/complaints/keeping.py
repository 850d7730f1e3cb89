"""Whose records an open complaint keeps from being destroyed (DES-07, CMP-12)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CompoundSelect, select, union

from crmctl.complaints.decide import CLOSED
from crmctl.complaints.tables import complaint


def kept_customers(_at: datetime) -> CompoundSelect[tuple[int]]:
    """Return the customers whom an open complaint lies with, and whom one of somebody unidentified is linked to."""
    columns = complaint.c
    opened = columns.status.not_in(CLOSED)
    linked = select(columns.linked_customer_id).where(opened, columns.linked_customer_id.is_not(None))
    return union(select(columns.customer_id).where(opened), linked)
