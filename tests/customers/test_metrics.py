"""What conditions may ask of a customer's own record: in SQL for all, read for some; days by the company's calendar."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert, select
from sqlalchemy.engine import Connection, Engine

from crmctl.customers.metrics import source
from crmctl.customers.tables import customer
from crmctl.policy.metrics import METRICS, Left, Value
from crmctl.store.engine import write

LEFTS = tuple(Left(metric) for metric in METRICS if metric.target == "crmctl.customers.metrics:source")
SHANGHAI, NEW_YORK = ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York")
BARE = {
    "customer_id": 1, "type": "enterprise", "status": "draft", "created_at": datetime(2026, 1, 5, tzinfo=UTC),
    "updated_at": datetime(2026, 1, 5, tzinfo=UTC), "version": 1, "derived_version": 0, "sealed": b"",
    "sealed_hash": b"",
}  # fmt: skip
FULL = {
    **BARE, "customer_id": 2, "stage": "lead", "tier": "core", "org_unit": "head", "region": "北京市",
    "industry": "it", "source": "fair", "completeness": 80, "annual_amount": 123, "flags": "A B",
    "attributes": '{"contract_end_on":"2026-01-05"}',
    "last_contact_at": datetime(2026, 1, 1, tzinfo=UTC), "cancelled_at": datetime(2026, 1, 12, tzinfo=UTC),
    "put_away_at": datetime(2026, 1, 13, tzinfo=UTC),
}  # fmt: skip


def told(conn: Connection, rows: list[dict[str, Any]], at: datetime) -> list[dict[str, Value]]:
    """Return what SQL says of rows, which is what is read for their numbers."""
    conn.execute(customer.delete())
    for row in rows:
        conn.execute(insert(customer), row)
    answer = source.columns(LEFTS, at)
    assert answer.source is customer
    query = select(*answer.columns.values()).order_by(customer.c.customer_id)
    found = [dict(zip(answer.columns, row, strict=True)) for row in conn.execute(query)]
    numbers = [row["customer_id"] for row in rows]
    assert source.facts(conn, numbers, LEFTS, at) == dict(zip(numbers, found, strict=True))
    return [{left.text: value for left, value in each.items()} for each in found]


def test_every_metric_of_the_record(engine: Engine) -> None:
    with write(engine) as conn:
        bare, full = told(conn, [BARE, FULL], datetime(2026, 1, 15, 12, tzinfo=SHANGHAI))
    assert {name: value for name, value in bare.items() if value is not None} == {
        "customer_type": "enterprise", "status": "draft", "days_since_added": 10, "flagged": False,
    }  # fmt: skip
    assert full == {
        "customer_type": "enterprise", "status": "draft", "stage": "lead", "tier": "core", "org_unit": "head",
        "region": "北京市", "industry": "it", "source": "fair", "completeness": 80, "annual_amount": 123,
        "days_since_last_contact": 14, "days_since_added": 10, "flagged": True,
        "days_since_contract_end": 10, "days_since_cancelled": 3, "days_since_put_away": 2,
    }  # fmt: skip
    assert [type(full[name]) for name in ("completeness", "annual_amount", "days_since_added", "flagged")] == [
        int, int, int, bool,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("zone", "contact", "at", "days"),
    [
        (SHANGHAI, "2026-01-04T15:59:59", "2026-01-05T00:00:00", 1),
        (SHANGHAI, "2026-01-04T16:00:00", "2026-01-05T00:00:00", 0),
        (SHANGHAI, "2026-01-04T16:00:00", "2026-01-05T23:59:59", 0),
        (SHANGHAI, "2026-01-05T15:59:59", "2026-01-06T00:00:00", 1),
        # New York, when clocks go forward on 8 March 2026 and back on 1 November.
        (NEW_YORK, "2026-03-08T04:59:59", "2026-03-08T12:00:00", 1),
        (NEW_YORK, "2026-03-08T05:00:00", "2026-03-08T12:00:00", 0),
        (NEW_YORK, "2026-03-09T03:59:59", "2026-03-09T00:00:00", 1),
        (NEW_YORK, "2026-03-09T04:00:00", "2026-03-09T00:00:00", 0),
        (NEW_YORK, "2026-11-01T03:59:59", "2026-11-01T12:00:00", 1),
        (NEW_YORK, "2026-11-01T04:00:00", "2026-11-01T12:00:00", 0),
        (NEW_YORK, "2026-11-02T04:59:59", "2026-11-02T12:00:00", 1),
        (NEW_YORK, "2026-11-02T05:00:00", "2026-11-02T12:00:00", 0),
        (NEW_YORK, "2025-03-09T12:00:00", "2026-03-09T12:00:00", 365),
        (ZoneInfo("UTC"), "2026-03-07T23:59:59", "2026-03-08T00:00:00", 1),
        (ZoneInfo("Pacific/Apia"), "2011-12-30T09:59:59", "2011-12-31T12:00:00", 2),  # there was no 30 December
    ],
)
def test_days_are_the_companys(engine: Engine, zone: ZoneInfo, contact: str, at: str, days: int) -> None:
    moment, now = datetime.fromisoformat(contact).replace(tzinfo=UTC), datetime.fromisoformat(at).replace(tzinfo=zone)
    assert (now.date() - moment.astimezone(zone).date()).days == days
    with write(engine) as conn:
        (found,) = told(conn, [{**BARE, "last_contact_at": moment, "created_at": moment}], now)
    assert (found["days_since_last_contact"], found["days_since_added"]) == (days, days)


def test_what_is_to_come_is_no_days_ago(engine: Engine) -> None:
    later = datetime(2027, 7, 1, tzinfo=UTC)
    with write(engine) as conn:
        (found,) = told(conn, [{**BARE, "last_contact_at": later}], datetime(2026, 1, 5, tzinfo=NEW_YORK))
    assert found["days_since_last_contact"] == 0


def test_no_flag_is_not_flagged(engine: Engine) -> None:
    with write(engine) as conn:
        rows = [{**BARE, "customer_id": number, "flags": flags} for number, flags in enumerate((None, "", "A"), 1)]
        found = told(conn, rows, datetime(2026, 1, 5, tzinfo=SHANGHAI))
    assert [each["flagged"] for each in found] == [False, False, True]
