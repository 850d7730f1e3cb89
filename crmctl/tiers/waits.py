"""Downgrades that wait for nobody: of customers that no policy in force acts on any more (TIER-03).

A customer that is excepted, or whose policy is switched off or only reports, has no wait: when it counts again, its
months begin anew.
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, exists, false, or_

from crmctl.customers.tables import customer
from crmctl.tiers.survey import Basis
from crmctl.tiers.tables import tier_grace


def end_idle(conn: Connection, base: Basis) -> int:
    """Delete in the caller's transaction the waits of customers that are not graded now; return how many."""
    numbers = tier_grace.c.customer_id
    acting = [
        fits for scoped, (fits, _excepted) in zip(base.scoped, base.conditions, strict=True) if not scoped.ruling.report
    ]
    graded = exists().where(customer.c.customer_id == numbers, or_(false(), *acting))
    return conn.execute(delete(tier_grace).where(base.part.holds(numbers), ~graded)).rowcount
