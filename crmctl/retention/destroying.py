"""One chunk of a purge: every row of some customers, each protected one with its last change, images and salts gone.

Done in the caller's transaction, after the keys are gone. What stays of a customer are the hashes and leaves of its
changes, which the tree of the log stands on, and its bare number (design §5, DES-06).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import sha256
from operator import itemgetter

from orjson import dumps
from sqlalchemy import Connection

from crmctl.audit.changes import DESTROYED_COLUMNS, Changes, Object, fields_json
from crmctl.audit.objects import ProtectedTable
from crmctl.audit.tables import change, look
from crmctl.customers.tables import customer
from crmctl.orders.tables import order_number, purchase_order
from crmctl.retention.belongings import belongings, protected
from crmctl.retention.records import PROBE_BYTES
from crmctl.runs import staying
from crmctl.runs.tables import plan_item
from crmctl.security.sealing import TAG_BYTES
from crmctl.store import bulk

_EVERYTHING = fields_json(frozenset())
_IMAGES = ("before_clear", "before_sealed", "salt")
_PLACE = itemgetter(0, 1)
Last = dict[Object, int]  # the version of its last change


def protected_rows(conn: Connection, customers: Sequence[int]) -> int:
    """Return how many protected rows these customers have: so many changes it takes to destroy them."""
    tables = [each.table for each in protected().values()]
    return bulk.count_by_keys(conn, tables, "customer_id", customers)


def probes_of(conn: Connection, customers: Sequence[int]) -> list[bytes]:
    """Return pieces of some of the envelopes that are about to go: random bytes, to be searched for in the files."""
    chosen = customers[:: max(1, len(customers) // 4)][:4]
    rows = bulk.fetch_by_keys(conn, customer, "customer_id", chosen, ("sealed",))
    return [row[0][-PROBE_BYTES - TAG_BYTES : -TAG_BYTES] for row in rows]


def destroy(conn: Connection, log: Changes, customers: Sequence[int], *, held: bool = False) -> Counter[str]:
    """Remove all that belongs to `customers`, whose keys are gone; return how many rows of which table.

    The changes in `log` are written as well, without images and salts. `held` as `belongings` takes it.
    """
    staying.keep_beginnings_out(conn)
    last = _forgotten(conn, customers)
    removed: Counter[str] = Counter()
    for table in bulk.with_keys(conn, belongings(held=held), "customer_id", customers):
        known = protected().get(table.name)
        if known is not None:
            gone = _remove(conn, log, known, customers, last)
        else:
            gone = bulk.remove_rows(conn, table, "customer_id", customers, ("customer_id",))
        if known is not None and table is purchase_order:
            _forget_numbers(conn, _columns(known), gone)
        if table is not plan_item:  # the plan's own notes
            removed[str(table.name)] += len(gone)
    return +removed


def _forgotten(conn: Connection, customers: Sequence[int]) -> Last:
    """Empty images and salts of all that ever changed; return the last version of each object, met on the way."""
    found: Last = {}
    bulk.empty_rows(conn, look, "customer_id", customers, ("salt",), ("customer_id",))
    columns = ("customer_id", "object", "object_id", "version")
    for whose, code, number, version in bulk.empty_rows(conn, change, "customer_id", customers, _IMAGES, columns):
        place = (whose, code, number)
        if version > found.get(place, 0):
            found[place] = version
    return found


def _columns(table: ProtectedTable) -> tuple[str, ...]:
    """Return what is read of a row that goes: whose it is, its number, clear columns by name, the envelope's hash."""
    assert table.owner_column is not None
    hashed = (table.hash_column,) if table.sealed_column and table.hash_column else ()
    return (table.owner_column, table.id_column, *sorted(table.clear_columns), *hashed)


def _remove(
    conn: Connection, log: Changes, table: ProtectedTable, customers: Sequence[int], last: Last
) -> list[bulk.Row]:
    """Remove the rows of a protected table, each with its change: from what it is, not from what the log says."""
    columns, end, code = _columns(table), 2 + len(table.clear_columns), table.code
    names, hashed = columns[2:end], len(columns) > end
    rows = bulk.remove_rows(conn, table.table, columns[0], customers, columns)
    rows.sort(key=_PLACE)

    def destroyed() -> Iterator[tuple[Object, int, bytes, bytes | None]]:
        for row in rows:
            kept = {name: value for name, value in zip(names, row[2:end], strict=True) if value is not None}
            of = (row[0], code, row[1])
            # Names are in their order already: half of it when there are many.
            yield of, last.get(of, 0) + 1, sha256(dumps(kept)).digest(), row[end] if hashed else None

    bulk.insert_rows(conn, change, DESTROYED_COLUMNS, log.destroy_all(destroyed(), _EVERYTHING))
    return rows


def _forget_numbers(conn: Connection, columns: Sequence[str], orders: Sequence[bulk.Row]) -> None:
    """Remove the look-up of the numbers of orders that are gone: whoever brings one again brings it anew."""
    keys = ("number", "source")
    number = itemgetter(*map(columns.index, keys))
    bulk.delete_rows(conn, order_number, keys, sorted(set(map(number, orders))))
