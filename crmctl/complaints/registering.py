"""New complaints as rows: numbers, acceptance and clocks of many at once, with their changes (CMP-02, CMP-03).

Numbers are taken in the caller's transaction, a range of each for all of them: there are no gaps, and thousands are
written without a query for each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection

from crmctl import clock as clocks
from crmctl.audit.changes import Changes, Summary
from crmctl.cases import numbers
from crmctl.cases.terms import dumps
from crmctl.complaints import columns, facts, ruling
from crmctl.complaints.drafting import Complainant, Draft
from crmctl.complaints.model import clock_columns
from crmctl.complaints.protected import CLOCK, COMPLAINT, EVENT
from crmctl.complaints.writing import Write, write
from crmctl.customers import scope
from crmctl.runs import run as runs
from crmctl.runs import staying
from crmctl.runs.run import Run
from crmctl.security.sealing import DataKey, Place, Sealer
from crmctl.store import counters


@dataclass(frozen=True)
class New:
    """A complaint to be written: whose, what, who handles it, what of the customer its limits depended on."""

    customer_id: int
    draft: Draft
    handler: int | None
    who: Complainant


class Registered(NamedTuple):
    """Complaints that were written: (acceptance number, customer, own number) of each, and the changes of them all."""

    places: list[tuple[str, int, int]]
    changes: Summary


def register(
    conn: Connection,
    run: Run,
    new: Sequence[New],
    first: Sequence[Write] = (),
    *,
    chunk: int = 0,
    batch_id: int | None = None,
) -> Registered:
    """Write new complaints in the caller's transaction, with their changes; `first` are rows written before them.

    Whoever opens complaints meanwhile waits for this transaction to end. The caller appends the entry. Raises
    KeyMissing for a customer without a key.
    """
    _staying(conn, new, first)
    day = runs.today(run.policies, new[0].draft.entered)
    given = numbers.take(conn, ruling.settings_of(new[0].draft.policy).number, day, len(new))
    own = counters.take(conn, "complaint", len(new))
    rows = _Rows(conn, run, new, batch_id)
    writes = list(first)
    for place, each in enumerate(new):
        writes += rows.of(each, own + place, given[place])
    changes = Changes(run.run_id or 0, chunk, counters.take(conn, "change", len(writes)))
    write(conn, changes, writes)
    places = [(number, new[at].customer_id, own + at) for at, number in enumerate(given)]
    numbers.keep(conn, facts.KIND, places)
    return Registered(places, changes.summary())


def _staying(conn: Connection, new: Sequence[New], first: Sequence[Write]) -> None:
    """Raise Refused for a customer whom a purge has begun to destroy, or has destroyed while this was prepared."""
    whose = {each.customer_id for each in new} - {each.after["customer_id"] for each in first}
    staying.keep_destruction_out(conn)
    staying.require_staying(conn, whose)
    scope.require_there(conn, whose)


class _Rows:
    """Makes the rows of new complaints, with the numbers they need taken together."""

    def __init__(self, conn: Connection, run: Run, new: Sequence[New], batch_id: int | None) -> None:
        self.run, self.batch_id = run, batch_id
        self.sealer = Sealer(run.workspace.instance)
        self.keys = run.keys.fetch("customer", {each.customer_id for each in new})
        self.event = counters.take(conn, "complaint_event", len(new))
        self.clock = counters.take(conn, "complaint_clock", sum(len(each.draft.clocks) for each in new) or 1)
        self.staff_id = next(iter(run.standing.staff_ids), None) if run.standing else None
        self.terms = lru_cache(1000)(dumps)  # complaints of one kind share theirs

    def of(self, new: New, own: int, number: str) -> list[Write]:
        """Return the rows of one new complaint: itself, its acceptance, its clocks."""
        place = {"customer_id": new.customer_id, "complaint_id": own}
        row = dict.fromkeys(columns.COMPLAINT) | place | {"number": number, "batch_id": self.batch_id} | self._row(new)
        private = {name: text.strip() for name, text in new.draft.request.private.items()}
        envelope = self._sealed(new.customer_id, columns.IN_COMPLAINT, own, private)
        return [Write(COMPLAINT, row, sealed=envelope), self._accepted(new, place), *self._clocks(new, place)]

    def _row(self, new: New) -> dict[str, Any]:
        prepared, request, at = new.draft, new.draft.request, clocks.stamp(new.draft.entered)
        due = prepared.feedback.due_at
        return {
            "status": "accepted",
            "category": prepared.category,
            "severity": prepared.severity,
            "channel": prepared.channel,
            "tier": new.who.tier,
            "customer_type": new.who.customer_type,
            "org_unit": new.who.org_unit,
            "first_receiver_id": request.first_receiver,
            "handler_id": new.handler,
            "about": " ".join(map(str, sorted(request.about))) or None,
            "received_at": clocks.stamp(prepared.received_at),
            "accepted_at": at,
            "feedback_due_at": clocks.stamp(due) if due else None,
            "plan_version": 0,
            "reopened": 0,
            "terms": self.terms(prepared.terms),
            "policy": prepared.policy.name,
            "policy_version": prepared.policy.version,
            "opened_by": self.run.actor.person,
            "created_at": at,
            "updated_at": at,
            "version": 1,
        }

    def _accepted(self, new: New, place: Mapping[str, int]) -> Write:
        number, self.event, prepared = self.event, self.event + 1, new.draft
        data = {**prepared.data, "handler": new.handler} if new.handler is not None else dict(prepared.data)
        at = clocks.stamp(prepared.entered)
        row = {
            **place,
            "event_id": number,
            "kind": "accepted",
            "at": at,
            "person": self.run.actor.person,
            "staff_id": self.staff_id,
            "data": orjson.dumps(data, option=orjson.OPT_SORT_KEYS).decode(),
            "run_id": self.run.run_id,
            "created_at": at,
        }
        private = {"late": prepared.request.late, **prepared.request.noted}
        return Write(EVENT, row, sealed=self._sealed(place["customer_id"], columns.IN_EVENT, number, private))

    def _clocks(self, new: New, place: Mapping[str, int]) -> list[Write]:
        at = clocks.stamp(new.draft.entered)
        rest = {"created_at": at, "updated_at": at, "version": 1}
        first, self.clock = self.clock, self.clock + len(new.draft.clocks)
        return [
            Write(CLOCK, {**place, "clock_id": number, **clock_columns(each), **rest})
            for number, each in enumerate(new.draft.clocks, start=first)
        ]

    def _sealed(self, customer: int, place: Place, number: int, private: Mapping[str, str]) -> bytes | None:
        kept = {name: value for name, value in private.items() if value}
        return self.sealer.seal_json(self._key(customer), place, kept, number) if kept else None

    def _key(self, customer: int) -> DataKey:
        return self.keys.get(customer) or self.run.keys.key("customer", customer)
