"""Numbers that people see: short, taken in ranges from one row each (random keys cost a third of an insert).

A number once taken is never given again; what a killed run took and did not use stays a gap.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Table, Text, bindparam
from sqlalchemy.engine import Connection, Engine

from crmctl.store.engine import write
from crmctl.store.metadata import metadata

counter = Table(
    "counter",
    metadata,
    Column("name", Text, primary_key=True, comment="customer, contact, change, run, batch, copy, …"),
    Column("next_value", BigInteger, nullable=False, comment="the first number nobody has"),
    info={"distribution": "coordinator"},
)


def take(where: Engine | Connection, name: str, n: int = 1) -> int:
    """Take `n` numbers of the counter `name`; return the first, the rest follow it. Numbering starts at 1.

    Given an engine, in a short transaction of its own. Given a connection, within its transaction: on PostgreSQL
    everybody else who wants such a number then waits for that transaction to end.
    """
    if isinstance(where, Engine):
        with write(where) as connection:
            return take(connection, name, n)
    if where.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert
    else:
        from sqlalchemy.dialects.sqlite import insert  # type: ignore[assignment]
    taken = (
        insert(counter)
        .values(name=name, next_value=n + 1)
        .on_conflict_do_update(index_elements=["name"], set_={"next_value": counter.c.next_value + bindparam("n", n)})
        .returning(counter.c.next_value)
    )
    return int(where.execute(taken).scalar_one()) - n
