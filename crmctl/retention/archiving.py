"""Customers of a plan who are put away (封存): their data are only stored from then on, until a rule destroys them.

For those whom nobody needs any more and the law wants kept (PIPL 47: nothing is done with them but storing and keeping
them safe). They are looked at once more as those who are destroyed are; nothing of it is beyond return
(`crmctl customer recall`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from crmctl import clock
from crmctl.audit.changes import Changes
from crmctl.customers import ended
from crmctl.customers.ended import PUTTING_AWAY
from crmctl.retention import judging
from crmctl.retention.judging import ARCHIVED, STAYED
from crmctl.retention.selecting import Basis
from crmctl.runs import staying
from crmctl.runs.plans import Item, Plan
from crmctl.runs.run import Run
from crmctl.runs.tables import plan_item
from crmctl.store import bulk

AT_ONCE = 5_000  # customers in one transaction


def put_away(
    run: Run, found: Plan, base: Basis | None, page: Sequence[Item], conn: Connection, log: Changes
) -> Mapping[str, int]:
    """Put away who of these items still may be, in the caller's transaction; the others stay, with the reason.

    Whoever calls holds the lock of imports, which write whole records.
    """
    staying.keep_beginnings_out(conn)
    stays = judging.judge(conn, run, found, base, page)
    going = [item.customer_id for item in page if item.customer_id not in stays]
    done = ended.turn(conn, log, PUTTING_AWAY, going, clock.stamp(run.at))
    rows = []
    for item in page:
        why = stays.get(item.customer_id)
        rows.append((item.customer_id, found.plan_id, STAYED if why else ARCHIVED, why))
    bulk.update_rows(conn, plan_item, ("customer_id", "plan_id"), ("action", "after"), rows)
    return {ARCHIVED: done, STAYED: len(stays)}
