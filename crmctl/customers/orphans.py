"""Data keys that a killed import made for customers it never wrote."""

from __future__ import annotations

from sqlalchemy import delete, select

from crmctl.customers import tables
from crmctl.runs.run import Run
from crmctl.runs.tables import reservation
from crmctl.store import engine


def remove_orphan_keys(run: Run, batch_id: int) -> int:
    """Destroy the data keys that a killed run made for customers it never wrote; return how many.

    Its reservations name them. Two imports never run at once (lock), so none of them is in use; a number that has a
    customer all the same keeps its key.
    """
    with engine.read(run.engine) as conn:
        query = select(reservation).where(reservation.c.batch_id == batch_id)
        reserved = conn.execute(query).mappings().all()
    removed = 0
    for row in reserved:
        removed += _remove(run, range(row["first_customer"], row["first_customer"] + row["customers"]))
    if reserved:
        with engine.write(run.engine) as conn:
            conn.execute(delete(reservation).where(reservation.c.batch_id == batch_id))
    return removed


def _remove(run: Run, numbers: range) -> int:
    number = tables.customer.c.customer_id
    with engine.read(run.engine) as conn:
        query = select(number).where(number.between(numbers.start, numbers.stop - 1))
        living = set(conn.execute(query).scalars())
    return run.keys.remove("customer", [n for n in numbers if n not in living])
