"""Who stays while customers are destroyed: whoever destroys and whoever begins something for a customer take turns.

What cannot be taken back any more stands in the plan of the purge (`plans.PURGING`), for everybody to see.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from sqlalchemy import Connection, select

from crmctl.errors import Refused
from crmctl.i18n import _
from crmctl.runs.plans import PURGE, PURGING
from crmctl.runs.tables import plan, plan_item
from crmctl.store import turns

_IN_STATEMENT = 5_000


def keep_destruction_out(conn: Connection) -> None:
    """Let whoever destroys customers, holds them, or begins something for them wait until this transaction ends.

    Whoever begins something for a customer calls this first, then `require_staying`.
    """
    turns.alone(conn, turns.DESTROYING)


def keep_beginnings_out(conn: Connection) -> None:
    """Let whoever holds customers, or begins something for them, wait until this transaction ends, which destroys some.

    Whoever waited sees that they are gone, and is next: others may destroy other customers meanwhile, none after that.
    """
    turns.shared(conn, turns.DESTROYING)


def require_staying(conn: Connection, customers: Collection[int]) -> None:
    """Raise Refused where the destruction of one of these customers has begun; see `keep_destruction_out`."""
    for customer, number in being_destroyed(conn, sorted(customers)):
        raise Refused(
            _("C-{customer:06d}: is being destroyed under plan {plan}").format(customer=customer, plan=number),
            hint=_("there is no way back; see: crmctl purge show {plan}").format(plan=number),
            code="PURGE_BEGUN",
        )


def being_destroyed(conn: Connection, customers: Sequence[int] | None = None) -> Iterator[tuple[int, int]]:
    """Yield customer and plan of whom there is no way back: their destruction has begun. Of `customers`, or of all."""
    columns = plan_item.c
    query = (
        select(columns.customer_id, columns.plan_id)
        .join(plan, plan.c.plan_id == columns.plan_id)
        .where(plan.c.kind == PURGE, columns.action == PURGING)
        .order_by(columns.customer_id)
    )
    if customers is None:
        yield from ((row[0], row[1]) for row in conn.execute(query))
        return
    for start in range(0, len(customers), _IN_STATEMENT):
        some = customers[start : start + _IN_STATEMENT]
        yield from ((row[0], row[1]) for row in conn.execute(query.where(columns.customer_id.in_(some))))
