"""The one way a complaint changes: something happens to it, is judged by all that happened before, and is written.

Event, complaint, clocks and what belongs to the event are written in one transaction with their changes and the audit
entry. What is refused is in the log as well: nobody tries to close a complaint early unseen (CMP-23).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection

from crmctl import clock as clocks
from crmctl.audit import entries
from crmctl.audit.changes import Changes
from crmctl.cases.clockwork import Clock, after
from crmctl.cases.terms import Terms, dumps
from crmctl.complaints import columns, decide, facts, judging, reclassing, ruling, scope
from crmctl.complaints.decide import Event
from crmctl.complaints.model import Case, clock_columns, happened
from crmctl.complaints.protected import CLOCK, COMPLAINT, EVENT
from crmctl.complaints.writing import Write, write
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.security.sealing import Place, Sealer
from crmctl.store import counters, engine

Then = Callable[[Connection, Run], Mapping[str, Any]]


@dataclass(frozen=True)
class Deed:
    """Something that happened, as it is to be written.

    `data` are codes, numbers and times, `private` what is sealed; `at` when it happened (None: now), `late` why it is
    entered only now. `row` are columns of the complaint it changes, `extended` the clock it makes longer, `terms` those
    it has from now on. `writes` are
    further rows; `then` is done in the same transaction and tells what the entry says besides.
    """

    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)
    private: Mapping[str, Any] = field(default_factory=dict)
    at: datetime | None = None
    late: str = ""
    row: Mapping[str, Any] = field(default_factory=dict)
    extended: Clock | None = None
    terms: Terms | None = None
    writes: Callable[[Connection, Case, Run], Sequence[Write]] | None = None
    then: Then | None = None


@dataclass(frozen=True)
class Outcome:
    """A complaint once something (`kind`) happened to it: its row and clocks as they are now; what approvals told."""

    run_id: int | None
    kind: str
    case: Case
    row: Mapping[str, Any]
    clocks: tuple[Clock, ...]
    told: Mapping[str, Any] = field(default_factory=dict)


Choose = Callable[[Connection, Case], Deed]


def carry_out(run: Run, number: str, choose: Choose) -> Outcome:
    """Let something happen to the complaint with this acceptance number, or say what it would do (`run.dry_run`).

    `choose` sees the complaint as it is, locked, and says what happens; it may refuse. Raises Refused for a complaint
    there is not or which is nothing of the person's, for what may not happen next or then; PermissionMissing for who
    keeps out of it.
    """
    with engine.read(run.engine) as conn:
        place = facts.place_of(conn, number)
        known = place is not None and scope.visible(conn, run, place)
    if place is None or not known:
        raise scope.unknown(run, number, place)
    with judging.refusals_logged(run, place[1]):
        if run.dry_run:
            with engine.read(run.engine) as conn:
                return _planned(conn, run, place, choose, number)[0]
        begun = runs.begin(run)
        with runs.recorded_failure(begun), engine.write(begun.engine) as conn:
            outcome, plan = _planned(conn, begun, place, choose, number)
            return replace(outcome, told=_apply(conn, begun, outcome, plan))


@dataclass(frozen=True)
class _Plan:
    deed: Deed
    at: datetime
    entered: datetime


def _planned(conn: Connection, run: Run, place: tuple[int, int], choose: Choose, number: str) -> tuple[Outcome, _Plan]:
    case = facts.case(conn, place, locked=not run.dry_run)
    if case is None:
        raise scope.gone(number)
    entered = clocks.parse_stamp(clocks.stamp(clocks.now()))
    judging.require_person(conn, run, case)
    deed = choose(conn, case)
    at = entered if deed.at is None else clocks.parse_stamp(clocks.stamp(deed.at))
    judging.require_next(case, deed.kind)
    judging.require_time(run, case, at, entered, late=deed.late)
    data = {**deed.data}
    if deed.late:
        deed = replace(deed, private={**deed.private, "late": deed.late})
    event = {
        "customer_id": case.customer_id,
        "complaint_id": case.complaint_id,
        "kind": deed.kind,
        "at": clocks.stamp(at),
        "data": orjson.dumps(data, option=orjson.OPT_SORT_KEYS).decode(),
    }
    standing = decide.standing((*map(_event, case.events), Event(deed.kind, at, data)))
    row = {
        **case.row,
        **deed.row,
        **({"terms": dumps(deed.terms)} if deed.terms else {}),
        "status": standing.status,
        "plan_version": standing.plan_version,
        "reopened": standing.reopened,
        "updated_at": clocks.stamp(entered),
        "version": case.row["version"] + 1,
    }
    return Outcome(run.run_id, deed.kind, case, row, _clocks(run, case, deed, event)), _Plan(deed, at, entered)


def _event(row: Mapping[str, Any]) -> Event:
    return Event(row["kind"], clocks.parse_stamp(row["at"]), orjson.loads(row["data"]))


def _clocks(run: Run, case: Case, deed: Deed, event: Mapping[str, Any]) -> tuple[Clock, ...]:
    """Return the clocks of a case once the event has happened."""
    zone = ruling.calendars(run.policies, runs.today(run.policies, run.at), case.row["org_unit"])
    longer, terms = deed.extended, deed.terms or case.terms
    found: Sequence[Clock] = [longer if longer and each.clock_id == longer.clock_id else each for each in case.clocks]
    if deed.terms is not None:
        found = reclassing.tightened(found, deed.terms, zone)
    for what in happened((event,)):
        found = after(found, what, terms, zone)
    return tuple(found)


def _apply(conn: Connection, run: Run, outcome: Outcome, plan: _Plan) -> Mapping[str, Any]:
    """Write what happened, and the entry that says so; return what `then` told."""
    case, deed = outcome.case, plan.deed
    writes = [
        Write(COMPLAINT, outcome.row, case.row, sealed_hash=case.sealed_hash),
        event_write(conn, run, case.customer_id, case.complaint_id, deed, plan.at, plan.entered),
        *clock_writes(conn, case, outcome.clocks, plan.entered),
    ]
    if deed.writes is not None:
        writes += deed.writes(conn, case, run)
    changes = Changes(run.run_id or 0, 0, counters.take(conn, "change", len(writes)))
    write(conn, changes, writes)
    summary = changes.summary()
    runs.finish(conn, run, "done", 0, {deed.kind: 1})
    told = deed.then(conn, run) if deed.then else {}
    body = run.entry(
        "done",
        at=clocks.now(),
        obj=f"complaint:{case.complaint_id}",
        n=1,
        counts={deed.kind: 1},
        chunk=0,
        changes=summary.changes,
        changes_root=summary.root,
        **told,
    )
    entries.append(conn, body)
    return told


def event_write(
    conn: Connection, run: Run, customer: int, complaint: int, deed: Deed, at: datetime, entered: datetime
) -> Write:
    """Return the row of an event, what is private of it sealed under the customer's key."""
    number = counters.take(conn, "complaint_event", 1)
    staff_ids = run.standing.staff_ids if run.standing else ()
    row = {
        "customer_id": customer,
        "event_id": number,
        "complaint_id": complaint,
        "kind": deed.kind,
        "at": clocks.stamp(at),
        "person": run.actor.person,
        "staff_id": staff_ids[0] if staff_ids else None,
        "data": orjson.dumps(dict(deed.data), option=orjson.OPT_SORT_KEYS).decode(),
        "run_id": run.run_id,
        "created_at": clocks.stamp(entered),
    }
    return Write(EVENT, row, sealed=sealed(run, customer, columns.IN_EVENT, number, deed.private))


def sealed(run: Run, customer: int, place: Place, number: int, private: Mapping[str, Any]) -> bytes | None:
    """Return what is private sealed under a customer's key for row `number` of a place; None where there is nothing."""
    kept = {name: value for name, value in private.items() if value not in (None, "")}
    if not kept:
        return None
    key = run.keys.key("customer", customer)
    return Sealer(run.workspace.instance).seal_json(key, place, kept, number)


def clock_writes(conn: Connection, case: Case, found: Sequence[Clock], entered: datetime) -> list[Write]:
    """Return the rows of the clocks that began or are no longer as they were."""
    rows = {row["clock_id"]: row for row in case.clock_rows}
    at, writes = clocks.stamp(entered), []
    fresh = [each for each in found if not each.clock_id]
    first = counters.take(conn, "complaint_clock", len(fresh)) if fresh else 0
    for each in found:
        before = rows.get(each.clock_id)
        values = clock_columns(each)
        if before is None:
            place = {"customer_id": case.customer_id, "complaint_id": case.complaint_id, "clock_id": first}
            first += 1
            writes.append(Write(CLOCK, {**place, **values, "created_at": at, "updated_at": at, "version": 1}))
        elif any(before[name] != value for name, value in values.items()):
            writes.append(
                Write(CLOCK, {**before, **values, "updated_at": at, "version": before["version"] + 1}, before)
            )
    return writes
