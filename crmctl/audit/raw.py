"""The log as it is stored: exact bytes, one entry a line, oldest first. What a signer or an outsider recomputes."""

from __future__ import annotations

from collections.abc import Generator

from sqlalchemy import Connection, select

from crmctl.audit import pruned
from crmctl.audit.reading import as_bytes, rows
from crmctl.audit.tables import audit_entry, audit_head


def size(conn: Connection) -> int:
    """Return how many entries the head says there are."""
    return int(conn.execute(select(audit_head.c.size)).scalar_one_or_none() or 0)


def lines(conn: Connection, after: int = -1, last: int | None = None) -> Generator[bytes]:
    """Yield the bytes of the entries numbered above `after`, up to `last`, in order and in flat memory.

    Those that are pruned are left out: a log begins behind them. Close it where it may not be read to its end: a cursor
    is open until then.
    """
    columns, after = audit_entry.c, max(after, pruned.size(conn) - 1)
    statement = select(as_bytes(conn, columns.body)).where(columns.seq > after).order_by(columns.seq)
    if last is not None:
        statement = statement.where(columns.seq <= last)
    for (text,) in rows(conn, statement):
        yield bytes(text)
