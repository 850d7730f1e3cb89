"""Look-ups that lead to who is to be destroyed: gone before the keys, so that nobody meets somebody half destroyed.

Identities and case numbers have no way from a customer to their rows, and need none: one pass over each, the larger one
slice by slice, every slice a short transaction. A case's number stays, as one that leads nowhere: it is never given
again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from sqlalchemy import ColumnElement, Connection, delete, func, select, update

from crmctl.cases.tables import case_number
from crmctl.complaints import origins
from crmctl.customers.tables import customer, identity
from crmctl.runs.run import Run
from crmctl.store import bulk, engine

PER_SLICE = 250_000  # customers there are, to a slice of the identities: some tenths of a second
_AT_ONCE = 100_000  # customers in one pass


def forget(run: Run, customers: Sequence[int]) -> None:
    """Remove every way to these customers, who go; done twice, nothing changes."""
    for start in range(0, len(customers), _AT_ONCE):
        some = customers[start : start + _AT_ONCE]
        with engine.read(run.engine) as conn:
            theirs = bulk.among(conn, identity.c.customer_id, some)
            parts = list(_parts(conn))
        for part in parts:
            forget_slice(run, part & theirs)
        with engine.write(run.engine) as conn:
            forget_cases(conn, some)


def forget_slice(run: Run, theirs: ColumnElement[bool]) -> None:
    """Remove some identities, in a transaction of their own."""
    with engine.write(run.engine) as conn:
        conn.execute(delete(identity).where(theirs))


def forget_cases(conn: Connection, customers: Sequence[int]) -> None:
    """Let the numbers of their cases lead nowhere; they are never given again. Marks of sheet rows go."""
    theirs = bulk.among(conn, case_number.c.customer_id, customers)
    conn.execute(delete(case_number).where(case_number.c.kind == origins.KIND, theirs))
    conn.execute(update(case_number).where(theirs).values(customer_id=0, object_id=0))


def _parts(conn: Connection) -> Iterator[ColumnElement[bool]]:
    """Yield conditions that part the identities; whole on a server, where nobody else waits for a long statement."""
    newest = conn.execute(select(func.max(customer.c.customer_id))).scalar_one() or 0
    slices = 1 if conn.dialect.name == "postgresql" else min(256, 1 + newest // PER_SLICE)
    bounds = [256 * number // slices for number in range(slices + 1)]
    for begin, end in pairwise(bounds):
        from_here = identity.c.digest >= bytes([begin])
        yield from_here if end == 256 else from_here & (identity.c.digest < bytes([end]))
