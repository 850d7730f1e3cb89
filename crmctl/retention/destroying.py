"""One chunk of a purge: every row of some customers, each protected one with its last change, images and salts gone.

Done in the caller's transaction, after the keys are gone. What stays of a customer are the hashes and leaves of its
changes, which the tree of the log stands on, and its bare number (design §5, DES-06).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from operator import itemgetter

from orjson import dumps
from sqlalchemy import Connection, func, select, update

from crmctl.audit.changes import CHANGE_COLUMNS, Changes, fields_json
from crmctl.audit.objects import ProtectedTable
from crmctl.audit.tables import change, look
from crmctl.customers.tables import customer
from crmctl.orders.tables import order_number, purchase_order
from crmctl.retention.belongings import belongings, protected
from crmctl.retention.records import PROBE_BYTES
from crmctl.runs import plans
from crmctl.runs.tables import plan_item
from crmctl.security.sealing import TAG_BYTES
from crmctl.store import bulk

_EVERYTHING = fields_json(frozenset())
_PLACE = itemgetter(0, 1)
Last = dict[tuple[int, str, int], int]  # customer, code, object → version of its last change


def protected_rows(conn: Connection, customers: Sequence[int]) -> int:
    """Return how many protected rows these customers have: so many changes it takes to destroy them."""
    found = 0
    for each in protected().values():
        theirs = bulk.among(conn, each.table.c.customer_id, customers)
        found += conn.execute(select(func.count()).select_from(each.table).where(theirs)).scalar_one()
    return found


def probes_of(conn: Connection, customers: Sequence[int]) -> list[bytes]:
    """Return pieces of some of the envelopes that are about to go: random bytes, to be searched for in the files."""
    chosen = customers[:: max(1, len(customers) // 4)][:4]
    rows = bulk.fetch_by_keys(conn, customer, "customer_id", chosen, ("sealed",))
    return [row[0][-PROBE_BYTES - TAG_BYTES : -TAG_BYTES] for row in rows]


def destroy(conn: Connection, log: Changes, customers: Sequence[int], *, held: bool = False) -> Counter[str]:
    """Remove all that belongs to `customers`, whose keys are gone; return how many rows of which table.

    The changes in `log` are written as well, without images and salts. `held` as `belongings` takes it.
    """
    plans.keep_destruction_out(conn)  # whoever begins something for a customer first sees that it stays
    last = _last(conn, customers)
    theirs = bulk.among(conn, change.c.customer_id, customers)
    conn.execute(update(change).where(theirs).values(before_clear=None, before_sealed=None, salt=None))
    conn.execute(update(look).where(bulk.among(conn, look.c.customer_id, customers)).values(salt=None))
    removed: Counter[str] = Counter()
    for table in belongings(held=held):
        known = protected().get(table.name)
        if table is purchase_order:
            _forget_numbers(conn, customers)
        if known is not None:
            gone = _remove(conn, log, known, customers, last)
        else:
            gone = len(bulk.remove_rows(conn, table, "customer_id", customers, ("customer_id",)))
        if table is not plan_item:  # the plan's own notes
            removed[str(table.name)] += gone
    bulk.insert_rows(conn, change, CHANGE_COLUMNS, log.take())
    return +removed


def _last(conn: Connection, customers: Sequence[int]) -> Last:
    found: Last = {}
    columns = ("customer_id", "object", "object_id", "version")
    for whose, code, number, version in bulk.fetch_by_keys(conn, change, "customer_id", customers, columns):
        place = (whose, code, number)
        if version > found.get(place, 0):
            found[place] = version
    return found


def _remove(conn: Connection, log: Changes, table: ProtectedTable, customers: Sequence[int], last: Last) -> int:
    """Remove the rows of a protected table, each with its change: from what it is, not from what the log says."""
    assert table.owner_column is not None
    names = sorted(table.clear_columns)
    hashed = (table.hash_column,) if table.sealed_column and table.hash_column else ()
    columns = (table.owner_column, table.id_column, *names, *hashed)
    rows = bulk.remove_rows(conn, table.table, table.owner_column, customers, columns)
    end, code = 2 + len(names), table.code
    destroyed = []
    for row in sorted(rows, key=_PLACE):
        kept = {name: value for name, value in zip(names, row[2:end], strict=True) if value is not None}
        of = (row[0], code, row[1])
        # Names are in their order already: half of it when there are many.
        destroyed.append((of, last.get(of, 0) + 1, sha256(dumps(kept)).digest(), row[end] if hashed else None))
    log.destroy_all(destroyed, _EVERYTHING)
    return len(destroyed)


def _forget_numbers(conn: Connection, customers: Sequence[int]) -> None:
    """Remove the look-up of the orders' numbers: whoever brings one again brings it anew."""
    rows = bulk.fetch_by_keys(conn, purchase_order, "customer_id", customers, ("number", "source"))
    bulk.delete_rows(conn, order_number, ("number", "source"), sorted(set(rows)))
