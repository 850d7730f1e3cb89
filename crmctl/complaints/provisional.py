"""A complainant nobody knows yet: a provisional customer with a key of its own, until `complaint link` says who it is.

The complaint keeps its row and its key; a purge follows both.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from crmctl import clock
from crmctl.complaints.drafting import Complainant
from crmctl.complaints.writing import Write
from crmctl.customers.merge import CUSTOMER_SEALED
from crmctl.customers.model import PROVISIONAL
from crmctl.customers.protected import CUSTOMER
from crmctl.runs.run import Run
from crmctl.security.sealing import Sealer
from crmctl.store import counters


@dataclass(frozen=True)
class Prepared:
    """A provisional customer whose number is taken and whose key is kept, ready to be written."""

    customer_id: int
    who: Complainant


def nobody(run: Run) -> Complainant:
    """Return what limits may depend on where nothing is known: a person of the default type and org unit."""
    settings: Any = run.policies.settings("customers")
    unit = str(run.policies.company.default_org_unit)
    return Complainant(cast("str", settings.default_type.person), None, unit)


def prepared(run: Run, who: Complainant) -> Prepared:
    """Take a number for a provisional customer and keep its key: before the rows that need it."""
    number = counters.take(run.engine, "customer", 1)
    run.keys.add(run.keys.wrapper.wrap(run.keys.wrapper.new_keys("customer", [number])))
    return Prepared(number, who)


def writes(run: Run, found: Prepared, entered: datetime) -> list[Write]:
    """Return the row of a provisional customer, with nothing personal in it."""
    at = clock.stamp(entered)
    row = {
        "customer_id": found.customer_id,
        "type": found.who.customer_type,
        "status": PROVISIONAL,
        "org_unit": found.who.org_unit,
        "created_at": at,
        "updated_at": at,
        "version": 1,
        "derived_version": 0,
    }
    key = run.keys.key("customer", found.customer_id)
    envelope = Sealer(run.workspace.instance).seal_json(key, CUSTOMER_SEALED, {})
    return [Write(CUSTOMER, row, sealed=envelope)]
