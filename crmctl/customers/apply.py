"""One chunk, one transaction: rows, identities, changes, quarantine, cursor and audit entry (design §6, §8).

Data keys are committed in the key store first. A crash between the two leaves keys of nobody, which the
`reservation` row names and `batch resume` removes.
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, update
from sqlalchemy.exc import IntegrityError

from crmctl.audit.changes import CHANGE_COLUMNS, After, Before, Changes, fields_json
from crmctl.audit.tables import change
from crmctl.customers import ownership, tables
from crmctl.customers.columns import CONTACT, CUSTOMER, IDENTITY
from crmctl.customers.exchange import Built
from crmctl.errors import Locked
from crmctl.i18n import _
from crmctl.runs.run import Run
from crmctl.runs.tables import reservation
from crmctl.sheets import batches
from crmctl.sheets.batches import Part
from crmctl.sheets.model import REJECTED
from crmctl.sheets.tables import rejected_row
from crmctl.store import bulk, counters, engine

EVERYTHING = fields_json(frozenset())  # a creation is of all fields; they are not repeated on every row


def reserve(run: Run, batch_id: int, ordinal: int, customers: int) -> int:
    """Take customer numbers in a short transaction of its own, note whose they are, return the first.

    They are taken for the whole of a chunk, most of which may turn out to be known: what is left serves the next one,
    and the last are given back, so that numbers are as dense as the customers.
    """
    with engine.write(run.engine) as conn:
        first = counters.take(conn, "customer", customers)
        conn.execute(
            insert(reservation).values(
                run_id=run.run_id, chunk=ordinal, batch_id=batch_id, first_customer=first, customers=customers
            )
        )
    return first


def release(run: Run, batch_id: int, unused: range) -> None:
    """Give unused numbers back, where nobody has taken later ones, and forget what was reserved for the batch."""
    with engine.write(run.engine) as conn:
        if unused:
            columns = counters.counter.c
            conn.execute(
                update(counters.counter)
                .where(columns.name == "customer", columns.next_value == unused.stop)
                .values(next_value=unused.start)
            )
        conn.execute(delete(reservation).where(reservation.c.batch_id == batch_id))


def apply(run: Run, batch_id: int, built: Built) -> None:
    """Write a built chunk.

    Raises Locked when another run took an identity or changed a customer meanwhile: nothing of it is kept.
    """
    keys = [row for piece in built.pieces("keys") for row in piece]
    if keys:
        run.keys.add(keys)
    del keys
    first_change = counters.take(run.engine, "change", built.changes) if built.changes else 0
    changes = Changes(run.run_id or 0, built.chunk, first_change)
    try:
        with engine.write(run.engine) as conn:
            _rows(conn, built)
            _changes(conn, built, changes)
            for piece in built.pieces("owners"):
                ownership.begin(conn, run, "import", [(first_change + at, *owned) for at, *owned in piece])
            _progress(conn, run, batch_id, built)
            part = Part(built.chunk, built.first_row, built.last_row, built.counts, built.reasons)
            batches.log(conn, run, batch_id, part, changes.summary())
    except (IntegrityError, _ChangedError):
        raise Locked(
            _("batch {batch}: another run changed the same customers meanwhile").format(batch=batch_id),
            hint=_("continue with: crmctl batch resume {batch}").format(batch=batch_id),
            code="CHANGED_MEANWHILE",
        ) from None


class _ChangedError(Exception):
    """A customer is not as it was when it was read: another run gave it a tier or an owner."""


def _rows(conn: Connection, built: Built) -> None:
    for section, table, columns in INSERTED:
        for piece in built.pieces(section):
            bulk.insert_rows(conn, table, columns, piece)
    for piece in built.pieces("changed_customers"):
        # Whole rows are written, so that what others decided since they were read would be lost: an import leaves
        # `derived_version` as it is, and finds nothing to change where somebody else has not.
        rows = [(row[0], row[_DERIVED], *row[1:_DERIVED], *row[_DERIVED + 1 :]) for row in piece]
        if bulk.update_rows(conn, tables.customer, _UNCHANGED, _WRITTEN, rows) != len(rows):
            raise _ChangedError
    for piece in built.pieces("changed_contacts"):
        bulk.update_rows(conn, tables.contact, CONTACT[:2], CONTACT[2:], piece)
    for piece in built.pieces("dropped_identities"):
        bulk.delete_rows(conn, tables.identity, IDENTITY[:4], piece)


INSERTED = (
    ("customers", tables.customer, CUSTOMER),
    ("contacts", tables.contact, CONTACT),
    ("identities", tables.identity, IDENTITY),
    ("rejected", rejected_row, REJECTED),
)
_UNCHANGED = ("customer_id", "derived_version")
_WRITTEN = tuple(name for name in CUSTOMER if name not in _UNCHANGED)
_DERIVED = CUSTOMER.index("derived_version")


def _changes(conn: Connection, built: Built, changes: Changes) -> None:
    """Log what is created, then what is edited: whatever is created and edited in one chunk stays in its order."""
    for piece in built.pieces("created"):
        changes.create_all(piece, EVERYTHING)
        bulk.insert_rows(conn, change, CHANGE_COLUMNS, changes.take())
    for piece in built.pieces("edited"):
        for of, version, fields, before, after in piece:
            changes.update(of, version, fields, Before(*before), After(*after))
        bulk.insert_rows(conn, change, CHANGE_COLUMNS, changes.take())


def _progress(conn: Connection, run: Run, batch_id: int, built: Built) -> None:
    batches.progress(conn, batch_id, built.last_row, built.counts)
    if built.next_customer:
        _shorten(conn, run, built.next_customer)


def _shorten(conn: Connection, run: Run, first_unused: int) -> None:
    """Take the numbers just written out of the run's reservations: their keys are nobody's orphans."""
    columns = reservation.c
    used_up = columns.first_customer + columns.customers <= first_unused
    conn.execute(delete(reservation).where(columns.run_id == run.run_id, used_up))
    conn.execute(
        update(reservation)
        .where(
            columns.run_id == run.run_id,
            columns.first_customer < first_unused,
        )
        .values(
            customers=columns.customers - (first_unused - columns.first_customer),
            first_customer=first_unused,
        )
    )
