"""Items of the register as they are stored: one, a list, those of a purge."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, func, or_, select

from crmctl.errors import Refused
from crmctl.i18n import _
from crmctl.paper.tables import paper_customer, paper_item
from crmctl.runs.plans import PURGING
from crmctl.runs.tables import plan_item
from crmctl.store import bulk

KEPT, DUE, DESTROYED = "kept", "due", "destroyed"
_PLANNED = ("destroy", PURGING)  # what is to become of a customer, in a plan and while it is carried out


@dataclass(frozen=True)
class Link:
    """One customer whom an item is about; `due_on` None while that customer is not destroyed."""

    customer_id: int
    plan_id: int | None
    due_on: str | None
    disposed_at: datetime | None
    disposed_by: str | None
    disposed_on: str | None
    method: str | None
    witness: str | None

    @property
    def due(self) -> bool:
        """Whether what is about this customer is to be destroyed and is not."""
        return self.due_on is not None and self.disposed_at is None


@dataclass(frozen=True)
class Item:
    """One thing that somebody keeps, with those it is about, by customer number."""

    item_id: int
    kind: str
    keeper: str
    person: str
    registered_at: datetime
    moved_at: datetime | None
    gone_at: datetime | None
    run_id: int
    sealed: bytes | None
    links: tuple[Link, ...]

    @property
    def due_on(self) -> str | None:
        """The day by which it, or what is about some of its customers, is to be destroyed; None for no day."""
        return min((link.due_on for link in self.links if link.due and link.due_on), default=None)

    @property
    def state(self) -> str:
        """Whether it is kept, due to be destroyed (wholly or in part), or destroyed."""
        return DESTROYED if self.gone_at is not None else DUE if self.due_on is not None else KEPT


@dataclass(frozen=True)
class Asked:
    """Which items are wanted; `due` is a day, `plan` a purge whose items are wanted, destroyed ones too."""

    customer: int | None = None
    keeper: str = ""
    due: str = ""
    plan: int | None = None
    all_: bool = False
    limit: int = 50
    before: int | None = None


@dataclass(frozen=True)
class OfPlan:
    """The items that a purge made due, and those of them that are said to be destroyed."""

    items: Sequence[int] = field(default_factory=tuple)
    destroyed: Sequence[int] = field(default_factory=tuple)


def find(conn: Connection, number: int, *, locked: bool = False) -> Item:
    """Return an item; `locked` until the transaction ends. Raises Refused when there is none of that number."""
    query = select(paper_item).where(paper_item.c.item_id == number)
    rows = conn.execute(query.with_for_update() if locked else query).mappings().all()
    for item in _items(conn, rows):
        return item
    raise Refused(
        _("there is no paper item {item}").format(item=number), hint=_("see: crmctl paper list"), code="PAPER_UNKNOWN"
    )


def listed(conn: Connection, asked: Asked) -> list[Item]:
    """Return items, newest first: those that are there, with `all_` or of a plan destroyed ones too."""
    columns = paper_item.c
    query = select(paper_item).where(*_conditions(asked)).order_by(columns.item_id.desc()).limit(asked.limit)
    if asked.before is not None:
        query = query.where(columns.item_id < asked.before)
    return list(_items(conn, conn.execute(query).mappings().all()))


def due(conn: Connection, asked: Asked, day: str) -> int:
    """Return how many of all the items wanted, on whichever page, should have been destroyed by a day."""
    query = select(func.count()).select_from(paper_item)
    return int(conn.execute(query.where(*_conditions(asked), _overdue(day))).scalar_one())


def _conditions(asked: Asked) -> Iterator[ColumnElement[bool]]:
    columns, of = paper_item.c, paper_customer.c
    if not asked.all_ and asked.plan is None:
        yield columns.gone_at.is_(None)
    if asked.keeper:
        yield columns.keeper == asked.keeper
    if asked.customer is not None:
        yield _about(of.customer_id == asked.customer)
    if asked.due:
        yield _overdue(asked.due)
    if asked.plan is not None:
        planned = columns.item_id.in_(_planned(asked.plan))
        yield or_(_about(of.plan_id == asked.plan), planned)


def _overdue(day: str) -> ColumnElement[bool]:
    of = paper_customer.c
    return _about(of.disposed_at.is_(None), of.due_on <= day)


def _about(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return paper_item.c.item_id.in_(select(paper_customer.c.item_id).where(*conditions))


def _planned(plan: int) -> Select[tuple[int]]:
    """Return what selects the items about whom a plan is to destroy, that somebody still has."""
    of = paper_customer.c
    return (
        select(of.item_id)
        .join(plan_item, plan_item.c.customer_id == of.customer_id)
        .where(plan_item.c.plan_id == plan, plan_item.c.action.in_(_PLANNED), of.disposed_at.is_(None))
    )


def planned(conn: Connection, plan: int) -> int:
    """Return how many items are about whom a plan is to destroy."""
    items = _planned(plan).distinct().subquery()
    return int(conn.execute(select(func.count()).select_from(items)).scalar_one())


def of_plan(conn: Connection, plan: int) -> OfPlan:
    """Return the items that a purge made due, as they stand."""
    of = paper_customer.c
    query = select(of.item_id, func.count(), func.count(of.disposed_at)).where(of.plan_id == plan)
    rows = conn.execute(query.group_by(of.item_id).order_by(of.item_id)).all()
    return OfPlan([row[0] for row in rows], [row[0] for row in rows if row[1] == row[2]])


def overdue(conn: Connection, day: str) -> int:
    """Return how many items should have been destroyed by a day and are not said to be."""
    of = paper_customer.c
    query = select(func.count(of.item_id.distinct())).where(of.disposed_at.is_(None), of.due_on <= day)
    return int(conn.execute(query).scalar_one())


def _items(conn: Connection, rows: Sequence[RowMapping]) -> Iterable[Item]:
    links: dict[int, list[Link]] = {}
    if rows:
        of = paper_customer.c
        query = select(paper_customer).where(bulk.among(conn, of.item_id, [row["item_id"] for row in rows]))
        for row in conn.execute(query.order_by(of.item_id, of.customer_id)).mappings():
            link = Link(**{name: row[name] for name in Link.__dataclass_fields__})
            links.setdefault(row["item_id"], []).append(link)
    for row in rows:
        values = {name: row[name] for name in Item.__dataclass_fields__ if name != "links"}
        yield Item(**values, links=tuple(links.get(row["item_id"], ())))
