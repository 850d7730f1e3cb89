"""Those whom a purge has settled to destroy, fixed before the first is: nobody goes whom nobody agreed to (DES-02).

Whoever could write into the database while a purge runs, or between a kill and the next run, could mark others to go.
So once all are settled the plan is compared with what was agreed to, and the digests of those who go are written, their
root into the log as well. From there on nobody is destroyed whose digest is not among them.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from crmctl import clock
from crmctl.audit import entries, tree
from crmctl.errors import IntegrityFailed
from crmctl.i18n import _
from crmctl.retention import judging, records
from crmctl.retention.leaves import leaf_of
from crmctl.retention.proving import leaves_of, number_of_leaves
from crmctl.retention.tables import destruction_leaf
from crmctl.runs import plans
from crmctl.runs.plans import PURGING, Item, Plan
from crmctl.runs.run import Run
from crmctl.store import bulk, engine


def fix(run: Run, found: Plan) -> None:
    """Fix who goes, all being settled; done again, see that they are those still.

    Raises IntegrityFailed where the plan is not what was agreed to, or others are fixed than were.
    """
    number = found.plan_id
    with engine.read(run.engine) as conn:
        fixed = records.begun(conn, number).root
        if fixed is not None:
            if leaves_of(conn, number)[1] != fixed:
                raise _changed(number)
            return
        leaves = _agreed(conn, found)  # nobody waits meanwhile; what is changed later is not among them
    root = tree.root(leaves)
    with engine.write(run.engine) as conn:
        bulk.insert_rows(conn, destruction_leaf, ("plan_id", "leaf"), ((number, leaf) for leaf in leaves))
        if number_of_leaves(conn, number) != len(leaves):  # some were there before
            raise _changed(number)
        records.set_values(conn, number, root=root)
        at, of = clock.now(), f"plan:{number}"
        entries.append(conn, run.entry("done", act="purge.settle", at=at, obj=of, n=len(leaves), source=root.hex()))


def require(conn: Connection, number: int, page: Sequence[Item]) -> None:
    """Raise IntegrityFailed where one of these items is not among those that were fixed."""
    leaves = [_leaf(item, number) for item in page]
    known = bulk.fetch_by_keys(conn, destruction_leaf, "leaf", leaves, ("leaf",), extra={"plan_id": (number,)})
    if len(known) != len(leaves):
        raise _changed(number)


def _agreed(conn: Connection, found: Plan) -> list[bytes]:
    """Return the digests of those who go, in their order, read with the very rows that are what was agreed to."""
    leaves: list[bytes] = []

    def as_saved(item: Item) -> Item | None:
        if item.action == PURGING and item.detail:
            leaves.append(_leaf(item, found.plan_id))
        return judging.as_saved(item)

    if not plans.as_it_was(conn, found, as_saved):
        raise _changed(found.plan_id)
    return sorted(leaves)


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
