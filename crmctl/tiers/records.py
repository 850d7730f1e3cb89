"""What is stored of tiers: how many customers each has, and one customer's history (TIER-04)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from crmctl import clock
from crmctl.customers.model import NO_CUSTOMER
from crmctl.customers.tables import customer
from crmctl.runs.tables import run as run_table
from crmctl.tiers.tables import tier_change, tier_override


@dataclass(frozen=True)
class TierChange:
    """One change of tier; `inputs` in the smallest units, by left side."""

    change_id: int
    from_tier: str | None
    to_tier: str | None
    cause: str
    rule: str
    policy: str
    policy_version: int
    inputs: Mapping[str, Any]
    decided_at: datetime
    effective_at: datetime
    person: str
    run_id: int


def history(conn: Connection, number: int, at: datetime, limit: int) -> list[TierChange]:
    """Return the changes of a customer's tier decided for a moment not after `at`, newest first."""
    columns = tier_change.c
    query = (
        select(tier_change, run_table.c.person)
        .outerjoin(run_table, run_table.c.run_id == columns.run_id)
        .where(columns.customer_id == number, columns.effective_at <= at.astimezone(UTC).replace(microsecond=0))
        .order_by(columns.change_id.desc())
        .limit(limit)
    )
    return [
        TierChange(
            **{
                **{name: row[name] for name in TierChange.__dataclass_fields__ if name in row},
                "inputs": orjson.loads(row["inputs"]),
                "person": row["person"] or "",
            }
        )
        for row in conn.execute(query).mappings()
    ]


def override_in_force(at: datetime) -> ColumnElement[bool]:
    """Return the condition that an override is in force on the day of `at`, a time in the company's zone.

    It must be set by then: one set today, and the one that it lifted, are not both in force on a day gone by.
    """
    columns, day = tier_override.c, at.date().isoformat()
    tomorrow = datetime.combine(at.date() + timedelta(days=1), time(), at.tzinfo)
    return and_(
        columns.created_at < tomorrow,
        or_(columns.lifted_on.is_(None), columns.lifted_on > day),
        or_(columns.until_on.is_(None), columns.until_on >= day),
    )


def summary(conn: Connection) -> dict[str, int]:
    """Return how many customers each tier has; "none" are those never graded. Who is no customer is none of them."""
    query = select(customer.c.tier, func.count()).where(customer.c.status.not_in(NO_CUSTOMER)).group_by(customer.c.tier)
    return {tier or "none": number for tier, number in conn.execute(query)}


def local_times(change: TierChange, zone: str) -> tuple[str, str]:
    """Return when a change was decided, and the moment it was decided for, as people see them."""
    return clock.local(change.decided_at, zone), clock.local(change.effective_at, zone)
