"""A complainant nobody knows yet: a provisional customer with a key of its own, until `complaint link` says who it is.

The complaint keeps its row and its key; a purge follows both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from crmctl import clock
from crmctl.complaints.drafting import Complainant
from crmctl.complaints.writing import Write
from crmctl.customers.apply import reserve
from crmctl.customers.merge import CUSTOMER_SEALED
from crmctl.customers.model import PROVISIONAL
from crmctl.customers.protected import CUSTOMER
from crmctl.runs.run import Run
from crmctl.security.sealing import DataKey, Sealer
from crmctl.store import counters


@dataclass(frozen=True)
class Prepared:
    """A provisional customer whose number is taken and whose key is kept, ready to be written."""

    customer_id: int
    who: Complainant
    key: DataKey


def nobody(run: Run) -> Complainant:
    """Return what limits may depend on where nothing is known: a person of the default type and org unit."""
    settings: Any = run.policies.settings("customers")
    unit = str(run.policies.company.default_org_unit)
    return Complainant(cast("str", settings.default_type.person), None, unit)


def prepared(run: Run, who: Complainant) -> Prepared:
    """Take a number for a provisional customer and keep its key: before the rows that need it."""
    return _kept(run, counters.take(run.engine, "customer", 1), (who,))[0]


def several(run: Run, batch_id: int, chunk: int, whose: Sequence[Complainant]) -> list[Prepared]:
    """Do the same for the strangers of a chunk of an import; a killed run's keys are found by what is reserved here."""
    if not whose:
        return []
    return _kept(run, reserve(run, batch_id, chunk, len(whose)), whose)


def _kept(run: Run, first: int, whose: Sequence[Complainant]) -> list[Prepared]:
    keys = run.keys.wrapper.new_keys("customer", range(first, first + len(whose)))
    run.keys.add(run.keys.wrapper.wrap(keys))
    return [Prepared(key.owner_id, who, key) for key, who in zip(keys, whose, strict=True)]


def writes(run: Run, found: Sequence[Prepared], entered: datetime) -> list[Write]:
    """Return the rows of provisional customers, with nothing personal in them."""
    at, sealer = clock.stamp(entered), Sealer(run.workspace.instance)
    rest = {"status": PROVISIONAL, "created_at": at, "updated_at": at, "version": 1, "derived_version": 0}
    return [
        Write(
            CUSTOMER,
            {"customer_id": each.customer_id, "type": each.who.customer_type, "org_unit": each.who.org_unit, **rest},
            sealed=sealer.seal_json(each.key, CUSTOMER_SEALED, {}),
        )
        for each in found
    ]
