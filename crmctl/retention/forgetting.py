"""Look-ups that lead to who is to be destroyed: gone before the keys, so that nobody meets somebody half destroyed.

Identities and case numbers have no way from a customer to their rows, and need none: one pass over each, the larger one
slice by slice, every slice a short transaction. A case's number stays, as one that leads nowhere: it is never given
again.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from sqlalchemy import BigInteger, ColumnElement, Connection, Table, delete, func, literal, select, update

from crmctl.cases.tables import case_number
from crmctl.complaints import origins
from crmctl.customers.tables import identity
from crmctl.retention.judging import doomed, group
from crmctl.runs.run import Run
from crmctl.store import engine

_SLICES = 32
_AT_ONCE = 100_000  # customers in one pass


def forget(run: Run, number: int) -> None:
    """Remove every way to the customers that a plan has settled to go; done twice, nothing changes."""
    after = 0
    while True:
        with engine.read(run.engine) as conn:
            page = doomed(conn, number, _AT_ONCE, after)
        if not page:
            return
        customers = [each for item in page for each in group(item)]
        for part in range(_SLICES):
            with engine.write(run.engine) as conn:
                conn.execute(delete(identity).where(_slice(part), among(conn, identity, customers)))
        with engine.write(run.engine) as conn:
            theirs = among(conn, case_number, customers)
            conn.execute(delete(case_number).where(case_number.c.kind == origins.KIND, theirs))
            conn.execute(update(case_number).where(theirs).values(customer_id=0, object_id=0))
        after = page[-1].customer_id


def _slice(part: int) -> ColumnElement[bool]:
    begin, end = part * 256 // _SLICES, (part + 1) * 256 // _SLICES
    from_here = identity.c.digest >= bytes([begin])
    return from_here if end == 256 else from_here & (identity.c.digest < bytes([end]))


def among(conn: Connection, table: Table, customers: Sequence[int]) -> ColumnElement[bool]:
    """Return the condition that a row is of one of many customers: one parameter, however many."""
    number = table.c.customer_id
    if conn.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import ARRAY

        return number == func.any(literal(list(customers), ARRAY(BigInteger)))
    each = func.json_each(orjson.dumps(list(customers)).decode()).table_valued("value")
    return number.in_(select(each.c.value))
