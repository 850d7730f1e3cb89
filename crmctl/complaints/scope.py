"""Whose complaints somebody may know of: those of their customers (linked ones too), those they received or handle.

ACC-01. A complaint outside it looks like one that does not exist: the same answer. The log knows which it was.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, or_, select

from crmctl.complaints.tables import complaint
from crmctl.customers import scope as customers
from crmctl.customers.tables import customer
from crmctl.errors import Refused
from crmctl.i18n import _
from crmctl.runs import run as runs
from crmctl.runs.run import Run

UNKNOWN = "COMPLAINT_UNKNOWN"


def in_scope(run: Run) -> list[ColumnElement[bool]]:
    """Return what narrows table complaint to those the person may know of; nothing for scope all."""
    narrowed = customers.in_scope(run)
    if not narrowed:
        return []
    columns = complaint.c
    mine = run.standing.staff_ids if run.standing else ()
    customers_of = select(customer.c.customer_id).where(*narrowed)
    theirs = or_(columns.customer_id.in_(customers_of), columns.linked_customer_id.in_(customers_of))
    if not mine:
        return [theirs]
    return [or_(theirs, columns.handler_id.in_(mine), columns.first_receiver_id.in_(mine))]


def visible(conn: Connection, run: Run, place: tuple[int, int]) -> bool:
    """Say whether the person may know of a complaint: customer and own number."""
    columns = complaint.c
    query = select(columns.complaint_id).where(
        columns.customer_id == place[0], columns.complaint_id == place[1], *in_scope(run)
    )
    return conn.execute(query).first() is not None


def unknown(run: Run, number: str, place: tuple[int, int] | None = None) -> Refused:
    """Return, once it is noted in the log, the one answer for a complaint there is not or that is not the person's.

    The entry names the complaint where there is one; the answer does not say so.
    """
    runs.record_reading(run, n=0, codes=[UNKNOWN], obj=f"complaint:{place[1]}" if place else "")
    return gone(number)


def gone(number: str) -> Refused:
    """Return the answer for a complaint that there is not."""
    return Refused(
        _("no complaint {number}").format(number=number),
        hint=_("see: crmctl complaint list"),
        code=UNKNOWN,
    )
