"""Derived columns of a customer whom somebody else is writing: what they wrote stays, and the change fits it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from crmctl.audit.changes import Changes, fields_json
from crmctl.customers import deriving
from crmctl.customers.columns import CUSTOMER, CUSTOMER_CLEAR
from crmctl.customers.tables import customer
from crmctl.store import bulk
from crmctl.store.engine import read, write

AT = "2026-01-01T00:00:00Z"
STATUS, VERSION = CUSTOMER_CLEAR.index("status"), CUSTOMER_CLEAR.index("version")


def made(number: int) -> tuple[Any, ...]:
    """Return a customer as an import writes it."""
    given = {
        "customer_id": number, "type": "enterprise", "status": "draft", "created_at": AT, "updated_at": AT,
        "version": 1, "derived_version": 1, "sealed": b"", "sealed_hash": bytes(32), "completeness": 80,
    }  # fmt: skip
    return tuple(given.get(name) for name in CUSTOMER)


@pytest.mark.parametrize("numbers", [(1, 2, 3), (1, 2, 900)], ids=["close together", "apart"])
def test_what_somebody_else_writes_meanwhile_is_seen_and_kept(engine: Engine, numbers: tuple[int, ...]) -> None:
    with write(engine) as conn:
        bulk.insert_rows(conn, customer, CUSTOMER, [made(number) for number in numbers])
    begun, seen = Event(), []

    def decide(_position: int, row: tuple[Any, ...], _change: int) -> tuple[int]:
        seen.append((row[STATUS], row[VERSION]))
        return (7,)

    def derive() -> None:
        begun.set()
        with write(engine) as conn:
            deriving.derive(
                conn, Changes(1, 0, 1), numbers, ("owner_id",), fields_json(frozenset({"owner_id"})), decide
            )

    with ThreadPoolExecutor(1) as other:
        with write(engine) as conn:
            conn.execute(update(customer).where(customer.c.customer_id == 2).values(status="active", version=2))
            done = other.submit(derive)
            begun.wait(10)
            with pytest.raises(TimeoutError):
                done.result(0.5)  # it waits for this transaction
        done.result(30)
    assert sorted(seen) == [("active", 2), ("draft", 1), ("draft", 1)]
    columns = customer.c
    with read(engine) as conn:
        found = conn.execute(select(columns.status, columns.version, columns.owner_id).order_by(columns.customer_id))
        assert [tuple(row) for row in found] == [("draft", 1, 7), ("active", 2, 7), ("draft", 1, 7)]
