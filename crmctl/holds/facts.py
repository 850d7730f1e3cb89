"""Holds and their customers, as they are stored."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, func, or_, select

from crmctl.audit.tables import change
from crmctl.errors import Refused
from crmctl.holds.model import Hold
from crmctl.holds.protected import HOLD_CLEAR, ITEM
from crmctl.holds.tables import legal_hold, legal_hold_item
from crmctl.i18n import _
from crmctl.store import bulk

HOLD_ROW = (*HOLD_CLEAR, "sealed", "sealed_hash")
_AT_ONCE = 5_000


def find(conn: Connection, number: int) -> Hold:
    """Return a hold. Raises Refused when there is none of that number."""
    row = conn.execute(select(legal_hold).where(legal_hold.c.hold_id == number)).mappings().first()
    if row is None:
        raise Refused(
            _("there is no hold {hold}").format(hold=number), hint=_("see: crmctl hold list"), code="HOLD_UNKNOWN"
        )
    return _hold(row)


def in_force(conn: Connection, number: int) -> Hold:
    """Return a hold that is in force. Raises Refused for one that is lifted, or that there is not."""
    found = find(conn, number)
    if found.lifted_at is not None:
        raise Refused(
            _("hold {hold}: is lifted").format(hold=number), hint=_("see: crmctl hold list --all"), code="HOLD_LIFTED"
        )
    return found


def _hold(row: Mapping[Any, Any]) -> Hold:
    return Hold(**{name: row[name] for name in Hold.__dataclass_fields__})


def stored(conn: Connection, number: int) -> dict[str, Any]:
    """Return the row of a hold in canonical primitives, locked until the transaction ends."""
    rows = bulk.fetch_by_keys(conn, legal_hold, "hold_id", [number], HOLD_ROW, locked=True)
    return dict(zip(HOLD_ROW, rows[0], strict=True))


def newest(
    conn: Connection, limit: int, before: int | None, *, kind: str = "", customer: int | None = None, all_: bool = False
) -> list[Hold]:
    """Return holds, newest first: those in force, with `all_` lifted ones too; `before` pages on.

    With `customer` those that hold it, or (`all_`) ever held it; who holds everybody holds it too.
    """
    columns = legal_hold.c
    query = select(legal_hold).order_by(columns.hold_id.desc()).limit(limit)
    if before is not None:
        query = query.where(columns.hold_id < before)
    if kind:
        query = query.where(columns.kind == kind)
    if not all_:
        query = query.where(columns.lifted_at.is_(None))
    if customer is not None:
        item = legal_hold_item.c
        held = select(item.hold_id).where(item.customer_id == customer)
        if all_:  # the row is gone once it is lifted; that there was one stays in the change log
            held = select(change.c.object_id).where(change.c.customer_id == customer, change.c.object == ITEM.code)
        query = query.where(or_(columns.everybody == 1, columns.hold_id.in_(held)))
    return [_hold(row) for row in conn.execute(query).mappings()]


def sizes(conn: Connection, holds: Collection[int]) -> dict[int, int]:
    """Return how many customers are under each of these holds."""
    item = legal_hold_item.c
    query = select(item.hold_id, func.count()).where(item.hold_id.in_(holds)).group_by(item.hold_id)
    return {row[0]: row[1] for row in conn.execute(query)}


def page(conn: Connection, hold: int, after: int, size: int) -> list[int]:
    """Return customers under a hold, by number, from after one on."""
    item = legal_hold_item.c
    query = (
        select(item.customer_id)
        .where(item.hold_id == hold, item.customer_id > after)
        .order_by(item.customer_id)
        .limit(size)
    )
    return list(conn.execute(query).scalars())


def empty(conn: Connection, hold: int) -> bool:
    """Say whether no customer is under a hold."""
    return not page(conn, hold, 0, 1)


def under(conn: Connection, hold: int, customers: Collection[int]) -> set[int]:
    """Return which of `customers` are under a hold."""
    rows = bulk.fetch_by_keys(
        conn, legal_hold_item, "customer_id", customers, ("customer_id",), extra={"hold_id": (hold,)}
    )
    return {row[0] for row in rows}


def versions(conn: Connection, hold: int, customers: Collection[int]) -> dict[int, int]:
    """Return the version of the last change of each customer's item of a hold; none for whom there never was one."""
    extra = {"object": (ITEM.code,), "object_id": (hold,)}
    found: dict[int, int] = {}
    for customer, version in bulk.fetch_by_keys(
        conn, change, "customer_id", customers, ("customer_id", "version"), extra=extra
    ):
        found[customer] = max(version, found.get(customer, 0))
    return found


def slices(numbers: Sequence[int], size: int = _AT_ONCE) -> Iterator[list[int]]:
    """Yield numbers in their order, as many at a time as one statement takes."""
    yield from (list(numbers[start : start + size]) for start in range(0, len(numbers), size))


def overdue(conn: Connection, day: str) -> Iterable[int]:
    """Return the holds in force whose review day has passed on `day`, the first to have passed first."""
    columns = legal_hold.c
    query = (
        select(columns.hold_id)
        .where(columns.lifted_at.is_(None), columns.review_on < day)
        .order_by(columns.review_on, columns.hold_id)
    )
    return conn.execute(query).scalars()
