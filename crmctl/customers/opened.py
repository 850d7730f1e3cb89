"""All customers, opened some thousands at a time: for what is derived from them and made anew, in flat memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

from sqlalchemy import select

from crmctl.customers import facts, merge, tables
from crmctl.customers.columns import CUSTOMER_CLEAR, clear_of
from crmctl.runs.run import Run
from crmctl.security.sealing import Sealer
from crmctl.store import engine

AT_ONCE = 5_000  # customers opened at a time: some 50 MB


class Opened(NamedTuple):
    """A customer in clear: clear columns without nulls, personal fields, those of each contact person."""

    number: int
    clear: Mapping[str, Any]
    personal: Mapping[str, Any]
    people: Sequence[Mapping[str, Any]]


def pages(run: Run) -> Iterator[Sequence[int]]:
    """Yield the numbers of all customers, `AT_ONCE` at a time, ascending."""
    column, after = tables.customer.c.customer_id, -1
    while True:
        query = select(column).where(column > after).order_by(column).limit(AT_ONCE)
        with engine.read(run.engine) as conn:
            found = conn.execute(query).scalars().all()
        if not found:
            return
        yield found
        after = found[-1]


def opened(run: Run, numbers: Sequence[int]) -> Iterator[Opened]:
    """Yield these customers in clear. Raises KeyMissing for one without a key, IntegrityFailed for an altered one."""
    with engine.read(run.engine) as conn:
        rows, contacts = facts.customers(conn, numbers), facts.contacts(conn, numbers)
    secrets = run.keys.fetch("customer", numbers)
    sealer = Sealer(run.workspace.instance)
    for number, row in rows.items():
        key = secrets.get(number) or run.keys.key("customer", number)
        personal = sealer.open_json(key, merge.CUSTOMER_SEALED, cast("bytes", row[-2]))
        people = [
            sealer.open_json(key, merge.CONTACT_SEALED, cast("bytes", item[-2]), cast("int", item[1]))
            for item in contacts.get(number, ())
        ]
        yield Opened(number, clear_of(CUSTOMER_CLEAR, row), personal, people)
