"""Those whom a purge has settled to destroy, fixed before the first is: nobody goes whom nobody agreed to (DES-02).

Whoever could write into the database while a purge runs, or between a kill and the next run, could mark others to go.
So once all are settled the plan is compared with what was agreed to, and the digests of those who go are written, their
root into the log as well. From there on nobody is destroyed whose digest is not among them.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from crmctl import clock
from crmctl.audit import entries, tree
from crmctl.errors import IntegrityFailed
from crmctl.i18n import _
from crmctl.retention import judging, records, rightly, unowned
from crmctl.retention.leaves import leaf_of
from crmctl.retention.proving import leaves_of, number_of_leaves
from crmctl.retention.tables import destruction_leaf
from crmctl.runs import plans
from crmctl.runs.plans import PURGING, Item, Plan
from crmctl.runs.run import Run
from crmctl.store import bulk, engine

_AT_ONCE = 10_000


@dataclass
class _Going:
    """Those who go: how many items, all their customers, the digests of customers, imports and runs."""

    items: int = 0
    customers: array[int] = field(default_factory=lambda: array("q"))
    leaves: list[bytes] = field(default_factory=list)


def fix(run: Run, found: Plan) -> Sequence[int]:
    """Fix who goes, all being settled, and return them ascending; done again, those of them who are left.

    Raises IntegrityFailed where the plan is not what was agreed to, or others are fixed than were.
    """
    number = found.plan_id
    with engine.read(run.engine) as conn:
        fixed = records.begun(conn, number).root
        if fixed is not None:
            rightly.require_settled(conn, number, fixed)
            if leaves_of(conn, number)[1] != fixed:
                raise _changed(number)
            return _left(conn, number)
        going = _agreed(conn, found)  # nobody waits meanwhile; what is changed later is not among them
    leaves = sorted(going.leaves)
    root = tree.root(leaves)
    with engine.write(run.engine) as conn:
        bulk.insert_rows(conn, destruction_leaf, ("plan_id", "leaf"), ((number, leaf) for leaf in leaves))
        if number_of_leaves(conn, number) != len(leaves):  # some were there before
            raise _changed(number)
        counts = {**records.begun(conn, number).counts, "going": going.items}
        records.set_values(conn, number, root=root, counts=records.dumps(counts))
        at, of = clock.now(), f"plan:{number}"
        entries.append(conn, run.entry("done", act="purge.settle", at=at, obj=of, n=len(leaves), source=root.hex()))
    return sorted(going.customers)


def require(conn: Connection, number: int, page: Sequence[Item]) -> None:
    """Raise IntegrityFailed where what one of these items destroys is not among what was fixed."""
    leaves = [leaf for item in page for leaf in _leaves(item, number)]
    known = bulk.fetch_by_keys(conn, destruction_leaf, "leaf", leaves, ("leaf",), extra={"plan_id": (number,)})
    if len(known) != len(leaves):
        raise _changed(number)


def _agreed(conn: Connection, found: Plan) -> _Going:
    """Return who goes, from the very rows that are what was agreed to."""
    going = _Going()

    def as_saved(item: Item) -> Item | None:
        if item.action == PURGING and item.detail:
            going.items += 1
            going.customers.extend(judging.group(item))
            going.leaves.extend(_leaves(item, found.plan_id))
        elif item.action in unowned.LISTINGS:
            going.leaves.extend(_leaves(item, found.plan_id))
        return judging.as_saved(item)

    if not plans.as_it_was(conn, found, as_saved):
        raise _changed(found.plan_id)
    return going


def _left(conn: Connection, number: int) -> Sequence[int]:
    """Return who is left of those that were fixed, each found among them."""
    customers, after = array("q"), 0
    while page := judging.doomed(conn, number, _AT_ONCE, after):
        require(conn, number, page)
        for item in page:
            customers.extend(judging.group(item))
        after = page[-1].customer_id
    return sorted(customers)


def _leaves(item: Item, number: int) -> list[bytes]:
    """Return the digests of all that an item destroys: its customer and who goes along, or its imports, or runs."""
    if item.action in unowned.LISTINGS:
        return unowned.leaves(item, number)
    salt = judging.salt(item)
    return [leaf_of(salt, customer, number) for customer in judging.group(item)]


def _changed(number: int) -> IntegrityFailed:
    return IntegrityFailed(
        _("plan {plan}: those to be destroyed are not those who were agreed to; its items were changed").format(
            plan=number
        ),
        hint=_("nobody else is destroyed; tell whoever keeps the database, and see: crmctl audit verify"),
        code="PLAN_CHANGED",
        details={"plan": number},
    )
