"""Open complaints of customers who get another owner: what stands on a handover sheet, numbers and times alone.

Whoever handles a complaint goes on handling it, and its first receiver stays on record, until `complaint handoff` says
otherwise: a customer's new owner is told, not put in charge unseen (OWN-02, CMP-04).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from crmctl.cases.openwork import OpenCase
from crmctl.complaints import facts, telling
from crmctl.complaints.decide import CLOSED
from crmctl.complaints.drafting import label_of
from crmctl.complaints.model import Case
from crmctl.complaints.tables import complaint
from crmctl.runs.run import Run
from crmctl.store import bulk, engine

_PLACE = ("customer_id", "complaint_id", "status")


def open_of(run: Run, customers: Collection[int]) -> list[OpenCase]:
    """Return the open complaints of customers, by customer and number; those linked to one are the customer's, too."""
    wanted = frozenset(customers)
    with engine.read(run.engine) as conn:
        places = {
            (row[0], row[1])
            for column in ("customer_id", "linked_customer_id")
            for row in bulk.fetch_by_keys(conn, complaint, column, sorted(wanted), _PLACE)
            if row[2] not in CLOSED
        }
        cases = list(facts.cases(conn, sorted(places))) if places else []
    found = [_open_case(run, case, customer) for case in cases for customer in case.concerned & wanted]
    return sorted(found, key=lambda each: each[:2])


def _open_case(run: Run, case: Case, customer: int) -> OpenCase:
    running = [each for each in case.clocks if each.running and each.due_at is not None]
    first = min(running, key=lambda each: each.due_at or run.at, default=None)
    stages: Any = next(
        (each.settings for each in run.policies.of_kind("complaints") if each.name == case.row["policy"]), None
    )
    return OpenCase(
        customer,
        case.number,
        telling.status_text(case.row["status"]),
        label_of(stages.stages if stages else (), first.stage) if first else "",
        telling.short(run, first.due_at) if first and first.due_at else "",
        case.row["handler_id"],
        case.row["first_receiver_id"],
    )
