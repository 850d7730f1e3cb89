"""What conditions may ask of a customer's own record: one column for each metric, in SQL (design §4)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, ColumnElement, Connection, and_, case, cast, literal, null, select

from crmctl.customers import contracts
from crmctl.customers.tables import customer
from crmctl.policy.metrics import Left, Value, Within
from crmctl.store.days import days_between, local_day

Column = ColumnElement[Any]


@dataclass(frozen=True)
class Columns:
    """The columns asked for, all of table `customer` itself."""

    columns: Mapping[Left, Column]
    source: Any = customer


def _plain(name: str) -> Callable[[datetime], Column]:
    return lambda _at: customer.c[name]


def _number(name: str) -> Callable[[datetime], Column]:
    return lambda _at: cast(customer.c[name], BigInteger)


def _days_since(name: str) -> Callable[[datetime], Column]:
    def column(at: datetime) -> Column:
        day = local_day(customer.c[name], str(at.tzinfo), at)
        return case((customer.c[name].is_(None), None), else_=days_between(day, at.date().isoformat()))

    return column


def _days_since_contract(at: datetime) -> Column:
    """Return the days since the last day of the contract; 0 while it runs, NULL where the record names none.

    What is there in another form than YYYY-MM-DD says nothing.
    """
    ended = contracts.end_on(customer)
    return case((ended.like("____-__-__"), days_between(ended, at.date().isoformat())), else_=null())


def _flagged(_at: datetime) -> Column:
    flags = customer.c.flags
    return case((and_(flags.is_not(None), flags != ""), literal(True, Boolean)), else_=literal(False, Boolean))


_COLUMNS: Mapping[str, Callable[[datetime], Column]] = {
    "customer_type": _plain("type"),
    **{name: _plain(name) for name in ("status", "stage", "tier", "org_unit", "region", "industry", "source")},
    "completeness": _number("completeness"),
    "annual_amount": _number("annual_amount"),
    "days_since_last_contact": _days_since("last_contact_at"),
    "days_since_added": _days_since("created_at"),
    "days_since_contract_end": _days_since_contract,
    "days_since_cancelled": _days_since("cancelled_at"),
    "days_since_put_away": _days_since("put_away_at"),
    "flagged": _flagged,
}


class CustomerMetrics:
    """The `Source` of the metrics that the customer's record answers. Times are in the zone `at` carries."""

    def columns(self, lefts: Collection[Left], at: datetime, within: Within | None = None) -> Columns:
        """Return the columns for these left sides: of `customer` itself, which the caller restricts as it likes."""
        del within
        return Columns({left: _COLUMNS[left.metric.name](at) for left in lefts})

    def facts(
        self, conn: Connection, customers: Collection[int], lefts: Collection[Left], at: datetime
    ) -> dict[int, dict[Left, Value]]:
        """Return the same values for these customers: of the same columns, so that the two cannot differ."""
        columns = self.columns(lefts, at).columns
        query = select(customer.c.customer_id, *columns.values()).where(customer.c.customer_id.in_(list(customers)))
        return {row[0]: dict(zip(columns, row[1:], strict=True)) for row in conn.execute(query)}


source = CustomerMetrics()
