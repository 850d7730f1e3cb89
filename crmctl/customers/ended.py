"""States of customers who are none any more, cancelled (注销) or put away (封存): how one is entered and left.

What a customer was before it was cancelled is read from the change log; what it was before it was put away, which may
be longer ago than values before a change are kept, is on its record.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from operator import itemgetter
from typing import Any, NoReturn

import orjson
from sqlalchemy import Connection

from crmctl.audit.changes import CHANGE_COLUMNS, After, Before, Changes, clear_json, fields_json
from crmctl.audit.tables import change
from crmctl.customers.columns import CUSTOMER_CLEAR, clear_of
from crmctl.customers.model import CANCELLED, PUT_AWAY
from crmctl.customers.showing import number_text
from crmctl.customers.tables import customer
from crmctl.errors import IntegrityFailed, Refused
from crmctl.i18n import _
from crmctl.store import bulk

_READ = (*CUSTOMER_CLEAR, "sealed_hash")
_STATUS = CUSTOMER_CLEAR.index("status")
Row = tuple[Any, ...]


@dataclass(frozen=True)
class Ended:
    """One such state: the status, the column that says since when, and the one with the status before, if any."""

    status: str
    since: str
    former: str = ""

    @cached_property
    def fields(self) -> str:
        """The names of what changes, as the change log has them."""
        return fields_json(frozenset(("status", *self.columns)))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that belong to it."""
        return (self.since, self.former) if self.former else (self.since,)


# Who is cancelled may be put away besides; recalled, the customer is what it was: cancelled.
CANCELLATION = Ended(CANCELLED, "cancelled_at")
PUTTING_AWAY = Ended(PUT_AWAY, "put_away_at", "put_away_from")
_PASSED = (CANCELLED, PUT_AWAY)  # what nobody was before it was cancelled


def turn(conn: Connection, log: Changes, state: Ended, customers: Sequence[int], at: str, *, undo: bool = False) -> int:
    """Let `customers` enter a state, or leave it (`undo`), each with its change; return for how many it was one.

    In the caller's transaction. Raises as `before` does.
    """
    stored = sorted(bulk.fetch_by_keys(conn, customer, "customer_id", customers, _READ, locked=True))
    turning = [row for row in stored if (row[_STATUS] == state.status) == undo]
    statuses = before(conn, state, [row[0] for row in turning]) if undo else {}
    rows = [_turned(log, state, row, statuses.get(row[0]), at) for row in turning]
    written = ("status", *state.columns, "updated_at", "version")
    bulk.update_rows(conn, customer, ("customer_id",), written, rows)
    bulk.insert_rows(conn, change, CHANGE_COLUMNS, log.take())
    return len(rows)


def before(conn: Connection, state: Ended, customers: Sequence[int]) -> dict[int, str]:
    """Return which status each customer had before it entered a state: its record, or its image in the log, has it.

    Raises Refused where a purge took that image, IntegrityFailed where the log never had one: somebody else than this
    program brought it there.
    """
    if state.former:
        rows = bulk.fetch_by_keys(conn, customer, "customer_id", customers, ("customer_id", state.former))
        known: dict[int, str | None] = {number: status for number, status in rows}  # noqa: C416 - of rows of any width
        return {number: known[number] or _unknown(number) for number in customers}
    columns = ("customer_id", "version", "fields", "before_clear")
    images: defaultdict[int, list[tuple[int, str | None]]] = defaultdict(list)
    for number, version, fields, image in bulk.fetch_by_keys(
        conn, change, "customer_id", customers, columns, extra={"object": ("customer",)}
    ):
        if '"status"' in fields:
            images[number].append((version, None if image is None else orjson.loads(image)["status"]))
    statuses: dict[int, str] = {}
    for number in customers:
        newest = (status for _version, status in sorted(images[number], key=itemgetter(0), reverse=True))
        status = next((each for each in newest if each not in _PASSED), state.status)
        if status is None:
            raise Refused(
                _("{customer}: what it was before is destroyed: its time was over").format(
                    customer=number_text(number)
                ),
                hint=_("it stays as it is; destroyed (crmctl purge plan --customer) it can be entered anew"),
                code="STATUS_DESTROYED",
            )
        if status == state.status:
            _unknown(number)
        statuses[number] = status
    return statuses


def put_away(number: int) -> Refused:
    """Return the refusal of what is done with customers, of one who is only stored."""
    told = number_text(number)
    return Refused(
        _("{customer}: is put away").format(customer=told),
        hint=_("bring it back first: crmctl customer recall {customer}").format(customer=told),
        code="CUSTOMER_PUT_AWAY",
    )


def _unknown(number: int) -> NoReturn:
    raise IntegrityFailed(
        _("{customer}: nothing says what it was before").format(customer=number_text(number)),
        hint=_("look with: crmctl audit verify --rows"),
        code="STATUS_UNKNOWN",
    )


def _turned(log: Changes, state: Ended, row: Row, status: str | None, at: str) -> Row:
    """Note one customer's change, and return what its row is to hold: `status`, or the state where that is None."""
    clear = clear_of(CUSTOMER_CLEAR, row)
    number, sealed = row[0], row[-1]
    after = {**clear, "status": status or state.status, "updated_at": at, "version": clear["version"] + 1}
    if status is None:
        after |= dict(zip(state.columns, (at, clear["status"]), strict=False))
    else:
        after = {name: value for name, value in after.items() if name not in state.columns}
    told = clear_json(clear)
    version = after["version"] + after["derived_version"]
    was = Before(told.decode(), None, sha256(told).digest(), sealed)
    log.update(
        (number, "customer", number), version, state.fields, was, After(sha256(clear_json(after)).digest(), sealed)
    )
    return (number, after["status"], *map(after.get, state.columns), at, after["version"])
