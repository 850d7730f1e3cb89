"""`complaint link`: who an unidentified complainant turned out to be. The complaint keeps its row and its key."""

from __future__ import annotations

from sqlalchemy import Connection, select

from crmctl.complaints import acting
from crmctl.complaints.acting import Deed, Outcome
from crmctl.complaints.model import Case
from crmctl.customers import scope
from crmctl.customers.model import PROVISIONAL
from crmctl.customers.tables import customer
from crmctl.errors import Refused
from crmctl.i18n import _
from crmctl.runs.run import Run


def link(run: Run, number: str, customer_id: int, reason: str) -> Outcome:
    """Record whose complaint it is; a second time, as a correction.

    Raises Refused for a complaint whose complainant was known, a customer there is not, or one nobody knows either.
    """
    scope.require(run, (customer_id,))

    def choose(conn: Connection, case: Case) -> Deed:
        if _status(conn, case.customer_id) != PROVISIONAL:
            raise Refused(
                _("{number}: its complainant was known from the beginning").format(number=case.number),
                hint=_("only what was opened with --unidentified is linked"),
                code="NOT_PROVISIONAL",
            )
        if _status(conn, customer_id) == PROVISIONAL:
            raise Refused(
                _("C-{customer:06d}: nobody knows yet who that is").format(customer=customer_id),
                hint=_("name a customer on record"),
                code="PROVISIONAL",
            )
        return Deed("linked", {"customer": customer_id}, {"text": reason}, row={"linked_customer_id": customer_id})

    return acting.carry_out(run, number, choose)


def _status(conn: Connection, number: int) -> str | None:
    return conn.execute(select(customer.c.status).where(customer.c.customer_id == number)).scalar_one_or_none()
