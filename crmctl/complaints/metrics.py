"""What conditions may ask of a customer's complaints, in SQL (design §4).

A complaint is also that of whoever an unidentified complainant turned out to be. Duplicates are complaints.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, case, func, literal, select, union_all
from sqlalchemy.sql.expression import Subquery

from crmctl.complaints.decide import CLOSED
from crmctl.complaints.tables import complaint
from crmctl.policy.metrics import Left, Value, Within
from crmctl.store.days import days_between, local_day


@dataclass(frozen=True)
class Columns:
    """The columns asked for, of one row a customer that has complaints."""

    columns: Mapping[Left, ColumnElement[Any]]
    source: Subquery


class ComplaintMetrics:
    """The `Source` of the metrics that complaints answer. Times are in the zone `at` carries."""

    def columns(self, lefts: Collection[Left], at: datetime, within: Within | None = None) -> Columns:
        """Return the columns for these left sides; `within` restricts the complaints that are read."""
        whose = complaint.c.customer_id, complaint.c.linked_customer_id
        own, linked = (_days(column, at, within) for column in whose)
        each = union_all(own, linked).subquery("each_complaint")
        query = select(each.c.customer_id, func.min(each.c.days).label("days")).group_by(each.c.customer_id)
        found = query.subquery("complaints")
        return Columns(dict.fromkeys(lefts, found.c.days), found)

    def facts(
        self, conn: Connection, customers: Collection[int], lefts: Collection[Left], at: datetime
    ) -> dict[int, dict[Left, Value]]:
        """Return the same values for these customers: of the same query, so that the two cannot differ."""
        answer = self.columns(lefts, at, lambda number: number.in_(list(customers)))
        found: dict[int, dict[Left, Value]] = {number: dict.fromkeys(lefts) for number in customers}
        for row in conn.execute(select(answer.source.c.customer_id, *answer.columns.values())):
            found[row[0]] = dict(zip(answer.columns, row[1:], strict=True))
        return found


def _days(whose: ColumnElement[Any], at: datetime, within: Within | None) -> Any:  # noqa: ANN401 - a select
    """Return for each complaint whose it is and the days since it was closed; 0 while it is open."""
    columns = complaint.c
    day = local_day(func.coalesce(columns.closed_at, columns.updated_at), str(at.tzinfo), at)
    since = case((columns.status.in_(CLOSED), days_between(day, at.date().isoformat())), else_=literal(0, BigInteger))
    query = select(whose.label("customer_id"), since.label("days")).where(whose.is_not(None))
    return query if within is None else query.where(within(whose))


source = ComplaintMetrics()
