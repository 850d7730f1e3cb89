"""Those whom a purge has settled to destroy, fixed before the first is: nobody goes whom nobody agreed to (DES-02).

Whoever could write into the database while a purge runs, or between a kill and the next run, could mark others to go.
So once all are settled the plan is compared with what was agreed to, and the digests of those who go are written, their
root into the log as well. From there on nobody is destroyed whose digest is not among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection

from crmctl import clock
from crmctl.audit import entries
from crmctl.errors import IntegrityFailed
from crmctl.i18n import _
from crmctl.retention import emptying, judging, records
from crmctl.retention.leaves import leaf_of
from crmctl.retention.proving import leaves_of
from crmctl.retention.tables import destruction_leaf
from crmctl.runs import plans
from crmctl.runs.plans import Item, Plan
from crmctl.runs.run import Run
from crmctl.store import bulk, engine

_AT_ONCE = 10_000


def fix(run: Run, found: Plan) -> None:
    """Fix who goes, all being settled; done again, see that they are those still.

    Raises IntegrityFailed where the plan is not what was agreed to, or others are fixed than were.
    """
    number = found.plan_id
    with engine.write(run.engine) as conn:
        fixed = records.begun(conn, number).root
        if fixed is None:
            if not plans.as_it_was(conn, found, judging.as_saved):
                raise _changed(number)
            leaves = [_leaf(item, number) for item in _doomed(conn, number)]
            leaves += [each.leaf(number) for each in emptying.going(conn, number)[0]]
            rows = [(number, leaf) for leaf in sorted(leaves)]
            bulk.insert_rows(conn, destruction_leaf, ("plan_id", "leaf"), rows)
            root = leaves_of(conn, number)[1]
            records.set_values(conn, number, root=root)
            at, of = clock.now(), f"plan:{number}"
            entries.append(conn, run.entry("done", act="purge.settle", at=at, obj=of, n=len(rows), source=root.hex()))
        elif leaves_of(conn, number)[1] != fixed:
            raise _changed(number)


def require(conn: Connection, number: int, page: Sequence[Item]) -> None:
    """Raise IntegrityFailed where one of these items is not among those that were fixed."""
    _require(conn, number, [_leaf(item, number) for item in page])


def require_imports(conn: Connection, number: int) -> None:
    """Raise IntegrityFailed where one of the imports that are settled to go is not among those that were fixed."""
    _require(conn, number, [each.leaf(number) for each in emptying.going(conn, number)[0]])


def _require(conn: Connection, number: int, leaves: Sequence[bytes]) -> None:
    known = bulk.fetch_by_keys(conn, destruction_leaf, "leaf", leaves, ("leaf",), extra={"plan_id": (number,)})
    if len(known) != len(leaves):
        raise _changed(number)


def _doomed(conn: Connection, number: int) -> Iterator[Item]:
    after = 0
    while page := judging.doomed(conn, number, _AT_ONCE, after):
        yield from page
        after = page[-1].customer_id


def _leaf(item: Item, number: int) -> bytes:
    return leaf_of(judging.salt(item), item.customer_id, number)


def _changed(number: int) -> IntegrityFailed:
    return IntegrityFailed(
        _("plan {plan}: those to be destroyed are not those who were agreed to; its items were changed").format(
            plan=number
        ),
        hint=_("nobody else is destroyed; tell whoever keeps the database, and see: crmctl audit verify"),
        code="PLAN_CHANGED",
        details={"plan": number},
    )
