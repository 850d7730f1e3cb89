"""Who waits for whom, beside the locks of rows: a transaction takes a named turn alone, or shares it with its kind.

On PostgreSQL an advisory lock of the transaction: whoever wants it alone is next, however many share it meanwhile (of a
row they would go past it, one after the other). On SQLite writers take turns anyway.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

DESTROYING = 0x63726D_64657374  # "crmdest": destroying customers, and holding them or beginning something for them

_ALONE = text("SELECT pg_advisory_xact_lock(:turn)")
_SHARED = text("SELECT pg_advisory_xact_lock_shared(:turn)")


def alone(conn: Connection, turn: int) -> None:
    """Have a turn alone until this transaction ends. Raises the server's lock_timeout when others do not end."""
    if conn.dialect.name == "postgresql":
        conn.execute(_ALONE, {"turn": turn})


def shared(conn: Connection, turn: int) -> None:
    """Have a turn with others who share it until this transaction ends; behind whoever waits to have it alone."""
    if conn.dialect.name == "postgresql":
        conn.execute(_SHARED, {"turn": turn})
