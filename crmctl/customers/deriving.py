"""Derived clear columns of many customers: set in bulk, each with its change, in the caller's transaction (design §5).

A machine's decision is no edit by a person: `derived_version` goes up, `version` and `updated_at` stay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha256
from itertools import compress
from operator import is_not
from typing import Any

from orjson import OPT_SORT_KEYS, dumps
from sqlalchemy import Connection

from crmctl.audit.changes import CHANGE_COLUMNS, Changes
from crmctl.audit.tables import change
from crmctl.customers.columns import CUSTOMER_CLEAR
from crmctl.customers.tables import customer
from crmctl.store import bulk

Row = tuple[Any, ...]
Decide = Callable[[int, Row, int], Sequence[Any] | None]

_CLOSE = 3  # one in so many customers of a range is asked for: walking along is as quick as asking for each
_READ = (*CUSTOMER_CLEAR, "sealed_hash")
_VERSION = CUSTOMER_CLEAR.index("version")
_DERIVED = CUSTOMER_CLEAR.index("derived_version")
_present = partial(is_not, None)


def derive(
    conn: Connection, changes: Changes, numbers: Sequence[int], columns: tuple[str, ...], fields: str, decide: Decide
) -> int:
    """Set `columns` of customers, whose numbers ascend, and insert their changes; return how many were changed.

    `decide` gets a position in `numbers`, the customer's row as it is (in the order of `CUSTOMER_CLEAR`) and the number
    its change will have; it returns the new values of `columns`, or None to leave the customer as it is. A customer
    that there is not is not asked about. `fields` is `fields_json` of what the change log is to name.
    """
    stored = _stored(conn, numbers)
    updates: list[tuple[int, str, int, int, str, bytes, bytes, bytes]] = []
    rows: list[Row] = []
    upcoming = changes.upcoming
    for position, number in enumerate(numbers):
        row = stored.get(number)
        values = None if row is None else decide(position, row, upcoming + len(rows))
        if row is None or values is None:
            continue
        before = dict(compress(zip(_READ, row, strict=True), map(_present, row)))
        sealed = before.pop("sealed_hash")
        told = dumps(before, option=OPT_SORT_KEYS)
        derived = row[_DERIVED] + 1
        before["derived_version"] = derived
        for name, value in zip(columns, values, strict=True):
            if value is None:
                before.pop(name, None)
            else:
                before[name] = value
        clear_after = sha256(dumps(before, option=OPT_SORT_KEYS)).digest()
        updates.append(
            (number, "customer", number, row[_VERSION] + derived, told.decode(), sha256(told).digest(), clear_after,
             sealed)
        )  # fmt: skip
        rows.append((number, *values, derived))
    changes.update_all(updates, fields)
    bulk.update_rows(conn, customer, ("customer_id",), (*columns, "derived_version"), rows)
    bulk.insert_rows(conn, change, CHANGE_COLUMNS, changes.take())
    return len(rows)


def _stored(conn: Connection, numbers: Sequence[int]) -> dict[int, Row]:
    """Return the rows of customers, whose numbers ascend; where they lie close together, by one walk along them.

    They are locked: an import that writes one of them meanwhile would be undone, and the change would not fit.
    """
    if numbers and numbers[-1] - numbers[0] < _CLOSE * len(numbers):
        rows = bulk.fetch_range(conn, customer, "customer_id", numbers[0], numbers[-1], _READ, locked=True)
    else:
        rows = bulk.fetch_by_keys(conn, customer, "customer_id", numbers, _READ, locked=True)
    return {row[0]: row for row in rows}
