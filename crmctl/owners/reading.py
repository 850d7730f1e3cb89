"""Customers read for assignment: who waits for an owner, what eligibility depends on, who had them before.

One statement for each policy, streamed; what is kept of a customer is some sixty bytes.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Connection, and_, case, func, literal, or_, select, true

from crmctl.customers import ruled
from crmctl.customers.ownership import ownership
from crmctl.customers.ruled import Ground
from crmctl.customers.tables import customer
from crmctl.owners.bench import NO_CUSTOMER
from crmctl.owners.decide import Books, Kind, place
from crmctl.owners.terms import Ready
from crmctl.policy.conditions import Bound
from crmctl.policy.conditionsql import compiled
from crmctl.policy.metrics import BY_NAME, Left
from crmctl.policy.windows import months_before

_AT_ONCE = 5_000
_SPAN = 50_000  # customer numbers whose former owners are read at once
_NO_RANK = 0xFFFF


@dataclass
class Queue:
    """Customers of one policy that wait for an owner; the arrays run alike, one entry a customer."""

    numbers: array[int] = field(default_factory=lambda: array("q"))
    kinds: array[int] = field(default_factory=lambda: array("i"))
    values: array[int] = field(default_factory=lambda: array("q"))
    befores: array[int] = field(default_factory=lambda: array("q"))  # staff id of an owner to be replaced; 0: none
    keys: list[bytes] = field(default_factory=list)  # tier's rank, place in the period, number, position
    known: list[Kind] = field(default_factory=list)
    _index: dict[Kind, int] = field(default_factory=dict)

    def add(self, number: int, kind: Kind, value: int, before: int, key: bytes) -> None:
        """Put a customer into the queue."""
        index = self._index.get(kind)
        if index is None:
            index = self._index[kind] = len(self.known)
            self.known.append(kind)
        position = len(self.numbers)
        self.numbers.append(number)
        self.kinds.append(index)
        self.values.append(value)
        self.befores.append(before)
        self.keys.append(key + position.to_bytes(4, "big"))

    def in_order(self) -> Iterator[int]:
        """Yield positions in the order in which customers are given out."""
        self.keys.sort()
        for key in self.keys:
            yield int.from_bytes(key[-4:], "big")

    def by_number(self) -> list[int]:
        """Return positions in the order of customer numbers."""
        return sorted(range(len(self.numbers)), key=self.numbers.__getitem__)


class Row(NamedTuple):
    """One customer as it is read."""

    customer_id: int
    owner_id: int | None
    kind: Kind
    value: int


def key_of(seed: str, ranks: dict[str, int], kind: Kind, number: int) -> bytes:
    """Return what a customer is ordered by: its tier's rank, then its place in the period, then its number."""
    rank = ranks.get(kind.tier or "", _NO_RANK)
    return rank.to_bytes(2, "big") + place(seed, number)[:16] + number.to_bytes(8, "big")


def rows(
    conn: Connection, found: Ready, ground: Ground, wanted: ColumnElement[bool], numbers: Sequence[int] = ()
) -> Iterator[Row]:
    """Yield the customers that `wanted` takes, in no order and in flat memory; `numbers` says which where only some."""
    columns, origin = ruled.joined(found.asked(), ground.at, (lambda column: column.in_(numbers)) if numbers else None)
    columns = ruled.in_home_currency(ground.home, columns)
    facts = [columns[Left(BY_NAME[name])] for name in found.facts]
    query = (
        select(
            customer.c.customer_id,
            customer.c.owner_id,
            customer.c.tier,
            _bits([_holds(rule, columns) for rule in found.rules]),
            _bits([_holds(each, columns) for each in found.conflicts]),
            func.coalesce(columns[found.value], 0),
            *facts,
        )
        .select_from(origin)
        .where(wanted, customer.c.status.not_in(NO_CUSTOMER))
    )
    for page in conn.execute(query, execution_options={"yield_per": _AT_ONCE}).partitions():
        for number, owner, tier, rules, conflicts, value, *known in map(tuple, page):
            yield Row(number, owner, Kind(rules, conflicts, tuple(known), tier), int(value))


def _holds(condition: Bound | None, columns: Any) -> ColumnElement[bool]:  # noqa: ANN401 - columns by left side
    return true() if condition is None else compiled(condition, columns)


def _bits(conditions: Sequence[ColumnElement[bool]]) -> ColumnElement[Any]:
    """Return a number whose bits say which conditions hold."""
    found: ColumnElement[Any] = literal(0, BigInteger)
    for bit, condition in enumerate(conditions):
        found = found + case((condition, literal(1 << bit, BigInteger)), else_=literal(0, BigInteger))
    return found


def without_owner(active: Sequence[int]) -> ColumnElement[bool]:
    """Return the condition that a customer has no owner in post (OWN-01)."""
    owner = customer.c.owner_id
    return or_(owner.is_(None), owner.not_in(active) if active else true())


def only(numbers: Sequence[int]) -> ColumnElement[bool]:
    """Return the condition that a customer is one of these; everybody where there are none."""
    return customer.c.customer_id.in_(numbers) if numbers else true()


def counted(conn: Connection, *conditions: ColumnElement[bool]) -> int:
    """Return how many customers that are not cancelled conditions hold for."""
    query = select(func.count()).select_from(customer).where(customer.c.status.not_in(NO_CUSTOMER), *conditions)
    return int(conn.execute(query).scalar_one())


def books(conn: Connection, found: Ready, ground: Ground, staff_ids: Sequence[int]) -> Books:
    """Return what everybody of `staff_ids` has, in that order; values as the policy counts them."""
    index = {staff_id: position for position, staff_id in enumerate(staff_ids)}
    columns, origin = ruled.joined((found.value,), ground.at)
    value = ruled.in_home_currency(ground.home, columns)[found.value]
    owner, tier = customer.c.owner_id, customer.c.tier
    query = (
        select(owner, tier, func.count(), func.sum(value))
        .select_from(origin)
        .where(owner.is_not(None), customer.c.status.not_in(NO_CUSTOMER))
        .group_by(owner, tier)
    )
    kept = Books.empty(len(staff_ids))
    for owner_id, code, number, total in conn.execute(query):
        position = index.get(owner_id)
        if position is not None:
            kept.add(position, code, int(total or 0), int(number))
    return kept


@dataclass
class Former:
    """Who had customers before: staff ids, by customer number."""

    last: dict[int, int] = field(default_factory=dict)
    locked: dict[int, set[int]] = field(default_factory=dict)


def former(conn: Connection, found: Ready, ground: Ground, numbers: Sequence[int]) -> Former:
    """Return who may have customers back, and who may not, as the policy says; numbers ascend."""
    kept = Former()
    sticky, locked = found.settings.former_owner, found.settings.locked_out
    if not numbers or (sticky is None and locked is None) or not _any_ended(conn):
        return kept
    since, barred = _since(found, ground)
    reasons = set(locked.after) if locked is not None else set()
    wanted, latest = set(numbers), {}
    for number, staff_id, until, reason, _own in _ended(conn, numbers[0], numbers[-1], min(since, barred)):
        if number not in wanted:
            continue
        latest[number] = (until, staff_id)  # they come in the order of time
        if reason in reasons and until > barred:
            kept.locked.setdefault(number, set()).add(staff_id)
    if sticky is not None:
        kept.last = {number: staff_id for number, (until, staff_id) in latest.items() if until >= since}
    return kept


def _since(found: Ready, ground: Ground) -> tuple[datetime, datetime]:
    """Return from when on former owners count, and from when on they are locked out."""
    settings, at = found.settings, ground.at
    since = barred = at
    if settings.former_owner is not None:
        months = int(ground.policies.resolve(settings.former_owner.within))
        since = datetime.combine(months_before(at.date(), months), time(), at.tzinfo)
    if settings.locked_out is not None:
        barred = at - timedelta(days=int(ground.policies.resolve(settings.locked_out.within)))
    return since, barred


def _any_ended(conn: Connection) -> bool:
    ended = select(ownership.c.customer_id).where(ownership.c.until_at.is_not(None))
    return conn.execute(ended.limit(1)).first() is not None


def _ended(conn: Connection, first: int, last: int, since: datetime) -> Iterator[tuple[int, int, datetime, str, int]]:
    """Yield owners who stopped since then: by span of customer numbers, within it by time."""
    columns = ownership.c
    for begin in range(first, last + 1, _SPAN):
        query = (
            select(columns.customer_id, columns.staff_id, columns.until_at, columns.end_reason, columns.ownership_id)
            .where(
                and_(
                    columns.customer_id.between(begin, min(last, begin + _SPAN - 1)),
                    columns.role == "owner",
                    columns.until_at.is_not(None),
                    columns.until_at >= since,
                )
            )
            .order_by(columns.until_at, columns.ownership_id)
        )
        yield from (tuple(row) for row in conn.execute(query))
