"""One chunk, one transaction: rows, identities, changes, quarantine, cursor and audit entry (design §6, §8).

Data keys are committed in the key store first. A crash between the two leaves keys of nobody, which the
`reservation` row names and `batch resume` removes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, update
from sqlalchemy.exc import IntegrityError

from crmctl import clock
from crmctl.audit import entries
from crmctl.audit.changes import CHANGE_COLUMNS
from crmctl.audit.tables import change
from crmctl.customers import tables
from crmctl.customers.build import COUNTS, Built
from crmctl.customers.columns import CONTACT, CUSTOMER, IDENTITY, REJECTED
from crmctl.errors import Locked
from crmctl.i18n import _
from crmctl.runs.run import Run
from crmctl.runs.tables import reservation
from crmctl.store import bulk, counters, engine


@dataclass(frozen=True)
class Reserved:
    """Numbers taken for a chunk: of its new customers, and of its changes."""

    first_customer: int
    first_change: int


def reserve(run: Run, batch_id: int, chunk: int, customers: int, changes: int) -> Reserved:
    """Take the numbers a chunk needs in a short transaction of its own, and note whose they are."""
    with engine.write(run.engine) as conn:
        first_change = counters.take(conn, "change", changes) if changes else 0
        first = 0
        if customers:
            first = counters.take(conn, "customer", customers)
            conn.execute(
                insert(reservation).values(
                    run_id=run.run_id, chunk=chunk, batch_id=batch_id, first_customer=first, customers=customers
                )
            )
    return Reserved(first, first_change)


def apply(run: Run, batch_id: int, built: Built) -> None:
    """Write a built chunk. Raises Locked when another run took an identity meanwhile: nothing of it is kept."""
    keys = built.rows("keys")
    if keys:
        run.keys.add(keys)
    del keys
    try:
        with engine.write(run.engine) as conn:
            _rows(conn, built)
            _progress(conn, run, batch_id, built)
            entries.append(conn, _entry(run, batch_id, built))
    except IntegrityError:
        raise Locked(
            _("batch {batch}: another run changed the same customers meanwhile").format(batch=batch_id),
            hint=_("continue with: crmctl batch resume {batch}").format(batch=batch_id),
            code="CHANGED_MEANWHILE",
        ) from None


def _rows(conn: Connection, built: Built) -> None:
    for section, table, columns in INSERTED:
        rows = built.rows(section)
        if rows:
            bulk.insert_rows(conn, table, columns, rows)
    for section, table, columns, keys in CHANGED:
        rows = built.rows(section)
        if rows:
            bulk.update_rows(conn, table, columns[:keys], columns[keys:], rows)
    dropped = built.rows("dropped_identities")
    if dropped:
        bulk.delete_rows(conn, tables.identity, IDENTITY[:4], dropped)


INSERTED = (
    ("customers", tables.customer, CUSTOMER),
    ("contacts", tables.contact, CONTACT),
    ("identities", tables.identity, IDENTITY),
    ("rejected", tables.rejected_row, REJECTED),
    ("changes", change, CHANGE_COLUMNS),
)
CHANGED = (("changed_customers", tables.customer, CUSTOMER, 1), ("changed_contacts", tables.contact, CONTACT, 2))


def _progress(conn: Connection, run: Run, batch_id: int, built: Built) -> None:
    columns = tables.batch.c
    add = {name: columns[name] + built.counts[name] for name in COUNTS}
    values = {"cursor": built.last_row, "chunks": columns.chunks + 1, **add}
    conn.execute(update(tables.batch).where(columns.batch_id == batch_id).values(**values))
    conn.execute(delete(reservation).where(reservation.c.run_id == run.run_id, reservation.c.chunk == built.chunk))


def _entry(run: Run, batch_id: int, built: Built) -> Mapping[str, object]:
    return run.entry(
        "done",
        at=clock.now(),
        batch=batch_id,
        chunk=built.chunk,
        rows=[built.first_row, built.last_row],
        counts=built.counts,
        codes=sorted(built.reasons),
        changes=built.changes,
        changes_root=built.changes_root or None,
    )
