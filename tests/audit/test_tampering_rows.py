"""Everything somebody may do to stored rows: `audit verify --rows` finds it (exit 13).

What these acts have in hand is `Tamper` of conftest. Each is done and verified in one transaction, then rolled back.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from sqlalchemy import delete, insert

from crmctl.audit.tables import change
from crmctl.customers.tables import contact, customer


def row_edited(t: Any) -> None:
    row = t.row(customer)
    values = {"tier": "core", "owner_id": 5, "company_name": "x", "annual_amount": 1, "batch_id": 9, "version": 7}
    values |= {"first_added_at": row.updated_at, "flags": "", "completeness": 100, "attributes": "{}"}
    name = t.random.choice(sorted(values))
    t.set(customer, row, **{name: values[name]})


def field_cleared(t: Any) -> None:
    t.set(customer, t.row(customer), **{t.random.choice(["company_name", "first_added_at"]): None})


def contact_edited(t: Any) -> None:
    t.set(contact, t.row(contact), is_primary=0)


def sealed_flipped(t: Any) -> None:
    table = t.random.choice([customer, contact])
    row = t.row(table)
    t.set(table, row, sealed=t.flipped(row.sealed))


def sealed_replaced_with_its_hash(t: Any) -> None:
    table = t.random.choice([customer, contact])
    sealed = t.random.randbytes(64)
    t.set(table, t.row(table), sealed=sealed, sealed_hash=sha256(sealed).digest())


def sealed_swapped(t: Any) -> None:
    table = t.random.choice([customer, contact])
    one = t.row(table)
    two = t.row(table, table.c.customer_id != one.customer_id)
    t.set(table, one, sealed=two.sealed, sealed_hash=two.sealed_hash)
    t.set(table, two, sealed=one.sealed, sealed_hash=one.sealed_hash)


def sealed_hash_flipped(t: Any) -> None:
    table = t.random.choice([customer, contact])
    row = t.row(table)
    t.set(table, row, sealed_hash=t.flipped(row.sealed_hash))


def row_deleted(t: Any) -> None:
    table = t.random.choice([customer, contact])
    t.conn.execute(delete(table).where(*t.where(table, t.row(table))))


def row_inserted(t: Any) -> None:
    table = t.random.choice([customer, contact])
    row = t.row(table)
    t.conn.execute(insert(table).values({**row._mapping, "customer_id": t.random.randint(500, 10**12)}))


def row_brought_back(t: Any) -> None:
    row = t.row(customer)
    t.conn.execute(insert(customer).values({**row._mapping, "customer_id": 7}))


def row_moved(t: Any) -> None:
    t.set(contact, t.row(contact), contact_id=99)


def salt_and_images_removed(t: Any) -> None:
    """Without a salt a leaf cannot be recomputed: then the hashes beside it prove nothing, unless it was purged."""
    row = t.row(change, change.c.customer_id != 7)
    t.set(change, row, salt=None, before_clear=None, before_sealed=None)


ON_ROWS: list[Callable[[Any], None]] = [
    row_edited, field_cleared, contact_edited, sealed_flipped, sealed_replaced_with_its_hash, sealed_swapped,
    sealed_hash_flipped, row_deleted, row_inserted, row_brought_back, row_moved, salt_and_images_removed,
]  # fmt: skip


def test_tampering_with_rows_is_found(missed: Callable[..., list[str]]) -> None:
    assert missed(ON_ROWS, rows=True) == []
