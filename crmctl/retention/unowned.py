"""Items of a plan that are of no customer: one lists imports, one lists runs. They are settled as customers are.

`settle` looks again at what each lists in a transaction of its own; what is settled to go has a digest from then on
(`settled`), and is destroyed by `emptying` and `clearing`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import orjson
from sqlalchemy import ColumnElement, Connection, select, update

from crmctl import holds
from crmctl.retention import oldvalues, rejected
from crmctl.retention.oldvalues import RUNS
from crmctl.retention.rejected import IMPORTS
from crmctl.retention.selecting import Basis
from crmctl.runs.plans import Item, Plan, read_item
from crmctl.runs.run import Run
from crmctl.runs.tables import plan_item
from crmctl.store import engine

Require = Callable[[Connection, int, Sequence[Item]], None]  # `settled.require`: whether items are what was fixed


class Part(Protocol):
    """One import, or one run, of a plan; `why` says why it stays ("" where it goes)."""

    @property
    def number(self) -> int: ...
    @property
    def why(self) -> str: ...
    def leaf(self, plan: int) -> bytes: ...


class _Listing(NamedTuple):
    place: int  # in place of the customer
    read: Callable[[Item], Sequence[Part]]
    judge: Callable[[Connection, Basis | None, Iterable[Any]], dict[int, str]]


LISTINGS: Mapping[str, _Listing] = {
    IMPORTS: _Listing(rejected.NOBODY, rejected.read, rejected.judge),
    RUNS: _Listing(oldvalues.PLACE, oldvalues.read, oldvalues.judge),
}
_Parts = TypeVar("_Parts", bound=Part)


def of(conn: Connection, number: int, action: str) -> Item | None:
    """Return the item of a plan that lists imports, or runs; None where it has none, or all is done."""
    columns = plan_item.c
    query = select(columns.customer_id, columns.action, columns.before, columns.after, columns.detail)
    row = conn.execute(query.where(*where(number, action))).first()
    return None if row is None else read_item(row)


def where(number: int, action: str) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that find that item."""
    columns = plan_item.c
    return columns.plan_id == number, columns.customer_id == LISTINGS[action].place, columns.action == action


def settle(run: Run, found: Plan, base: Basis | None) -> None:
    """Settle which imports and runs of a plan go and which are spared; what is settled already stays so."""
    for action, listing in LISTINGS.items():
        with engine.write(run.engine) as conn:
            item = of(conn, found.plan_id, action)
            if item is None or item.after is not None:
                continue
            holds.keep_others_out(conn)
            spared = listing.judge(conn, base, listing.read(item))
            told = orjson.dumps({str(number): why for number, why in spared.items()}).decode()
            conn.execute(update(plan_item).where(*where(found.plan_id, action)).values(after=told))


def going(item: Item, parts: Iterable[_Parts]) -> tuple[list[_Parts], dict[int, str]]:
    """Return which parts of an item are settled to go, and why others of its set are spared."""
    if item.after is None:
        return [], {}
    spared = {int(each): why for each, why in orjson.loads(item.after).items()}
    return [each for each in parts if not each.why and each.number not in spared], spared


def leaves(item: Item, number: int) -> list[bytes]:
    """Return the digests of all of an item that is settled to go."""
    return [each.leaf(number) for each in going(item, LISTINGS[item.action].read(item))[0]]
