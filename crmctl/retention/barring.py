"""The do-not-recreate list: whom a purge destroys at their own request, an import does not enter again for a while.

Only digests are kept, under a key of their own (`customers.barred`), of the values that say who somebody is; with the
day on which they are forgotten too. Optional: without `do_not_recreate` in the policy nobody is listed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import ColumnElement, Connection, delete, select

from crmctl import clock
from crmctl.audit import entries
from crmctl.customers import barred
from crmctl.customers.opened import opened
from crmctl.customers.packing import ROW, ident_function
from crmctl.customers.records import settings_of as customers_settings
from crmctl.customers.reindexing import values_of
from crmctl.customers.tables import customer, do_not_recreate
from crmctl.retention import records
from crmctl.retention.rules import after, settings_of
from crmctl.retention.selecting import Basis
from crmctl.runs import run as runs
from crmctl.runs.plans import Plan
from crmctl.runs.run import Run
from crmctl.sheets.tables import batch
from crmctl.store import bulk, engine

_AT_ONCE = 1_000
_COLUMNS = ("digest", "plan_id", "until_on")


def until(run: Run, base: Basis) -> str | None:
    """Return the last day on which imports do not enter whoever asks today; None where the policy has no list."""
    found = (settings_of(each).do_not_recreate for each in base.acting.values() if each.scope.everybody)
    listed = next((each for each in found if each is not None), None)
    return None if listed is None else after(run.policies, base.at.date(), listed.keep).isoformat()


def bar(run: Run, found: Plan, customers: Sequence[int]) -> None:
    """List these customers, who asked for it and still have their keys, where the plan says so; done twice, once."""
    last = found.summary.get("barred_until")
    if last is None:
        return
    digests = 0
    for start in range(0, len(customers), _AT_ONCE):
        some = customers[start : start + _AT_ONCE]
        rows = sorted((digest, found.plan_id, last) for digest in _digests(run, some))
        with engine.write(run.engine) as conn:
            digests += bulk.replace_rows(conn, do_not_recreate, _COLUMNS, rows)
    with engine.write(run.engine) as conn:
        counts = records.begun(conn, found.plan_id).counts
        if "barred" not in counts:  # else a run that was killed said so, of all of them
            told = {**counts, "barred": {"digests": digests, "until": last}}
            records.set_values(conn, found.plan_id, counts=records.dumps(told))
            obj = records.reference(found.plan_id)
            entries.append(conn, run.entry("done", act="purge.bar", at=clock.now(), obj=obj, n=digests))


def over(conn: Connection, run: Run) -> bool:
    """Say whether digests are listed whose last day is over."""
    query = select(do_not_recreate.c.digest).where(_expired(run)).limit(1)
    return conn.execute(query).first() is not None


def forget(conn: Connection, run: Run) -> int:
    """Forget digests whose last day is over; return how many."""
    return int(conn.execute(delete(do_not_recreate).where(_expired(run))).rowcount)


def _expired(run: Run) -> ColumnElement[bool]:
    return do_not_recreate.c.until_on < runs.today(run.policies, run.at).isoformat()


def _digests(run: Run, customers: Sequence[int]) -> Iterator[bytes]:
    """Yield digests of what says who these customers are; of those whose key is gone there is nothing to say."""
    index, settings = barred.index_of(run, make=True), customers_settings(run)
    with engine.read(run.engine) as conn:
        there = bulk.fetch_by_keys(conn, customer, "customer_id", customers, ("customer_id",))
        sources = dict(conn.execute(select(batch.c.batch_id, batch.c.source)).tuples().all())
    numbers = sorted({row[0] for row in there} & run.keys.fetch("customer", customers).keys())
    seen = set()
    for each in opened(run, numbers):
        for kind, value, source, exclusive in values_of(settings, each, sources):
            if exclusive and kind != ROW:  # what is known by its row alone, another row does not meet
                seen.add(ident_function(index, source)(kind, value)[:16])
    yield from seen
