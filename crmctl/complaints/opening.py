"""`complaint open`: accepted at once, with an acceptance number and a time limit to tell (CMP-02, CMP-03).

Number, complaint, event and clocks are one transaction: what is not written has taken no number, so that there are no
gaps, however many open complaints at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection

from crmctl import clock as clocks
from crmctl import staff
from crmctl.audit import entries
from crmctl.audit.changes import Changes
from crmctl.cases import numbers
from crmctl.cases.terms import dumps
from crmctl.complaints import columns, facts, judging, provisional, ruling
from crmctl.complaints.acting import Deed, event_write, sealed
from crmctl.complaints.drafting import Complainant, Draft, Request, draft
from crmctl.complaints.model import clock_columns
from crmctl.complaints.protected import CLOCK, COMPLAINT
from crmctl.complaints.writing import Write, write
from crmctl.customers import scope
from crmctl.customers.tables import customer
from crmctl.errors import Refused
from crmctl.i18n import _
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.store import bulk, counters, engine


@dataclass(frozen=True)
class Opened:
    """A complaint that was opened: `number` is None in a dry run, `customer_id` the provisional one's or the real."""

    run_id: int | None
    number: str | None
    customer_id: int | None
    complaint_id: int | None
    draft: Draft
    handler: int | None


def open_complaint(run: Run, customer_id: int | None, request: Request) -> Opened:
    """Open a complaint of a customer (None: of somebody nobody knows yet), or say what it would be (`run.dry_run`).

    Raises Refused for a customer there is not or who is not the person's; InvalidInput as `drafting.draft` does, in the
    log as well: nobody tries to back-date a complaint unseen.
    """
    if customer_id is not None:
        scope.require(run, (customer_id,))
    entered = clocks.parse_stamp(clocks.stamp(clocks.now()))
    with judging.attempts_logged(run, "" if customer_id is None else f"customer:{customer_id}"):
        with engine.read(run.engine) as conn:
            who = provisional.nobody(run) if customer_id is None else complainant(conn, customer_id)
            request = _settled(conn, run, request)
            _require_in_post(conn, run, request.handler)
        prepared = draft(run, request, who, entered)
        with engine.read(run.engine) as conn:
            handler = handler_for(conn, prepared)
    if run.dry_run:
        return Opened(None, None, customer_id, None, prepared, handler)
    run = runs.begin(run)
    with runs.recorded_failure(run):
        if customer_id is None:
            prepare = provisional.prepared(run, who)
            number = prepare.customer_id
        else:
            prepare, number = None, customer_id
        with engine.write(run.engine) as conn:
            first = [] if prepare is None else provisional.writes(run, prepare, entered)
            given, own = register(conn, run, [(number, prepared, handler)], who, first)[0]
    return Opened(run.run_id, given, number, own, prepared, handler)


def complainant(conn: Connection, number: int) -> Complainant:
    """Return what of a customer the limits may depend on."""
    rows = bulk.fetch_by_keys(conn, customer, "customer_id", (number,), ("type", "tier", "org_unit"))
    return Complainant(*rows[0])


def _settled(conn: Connection, run: Run, request: Request) -> Request:
    """Return a request with the first receiver and the handler it does not name: whoever enters it."""
    mine = run.standing.staff_ids if run.standing else ()
    own = mine[0] if mine else None
    receiver = own if request.first_receiver is None else request.first_receiver
    return replace(request, first_receiver=receiver, handler=own if request.handler is None else request.handler)


def _require_in_post(conn: Connection, run: Run, handler: int | None) -> None:
    """Raise Refused for a handler who has left, or has not come yet."""
    person = None if handler is None else staff.directory(conn).by_id.get(handler)
    if person is not None and not person.active_on(runs.today(run.policies, run.at)):
        raise Refused(
            _("{number}: is not in post").format(number=person.number),
            hint=_("see: crmctl staff list"),
            code="NOT_IN_POST",
        )


def handler_for(conn: Connection, prepared: Draft) -> int | None:
    """Return who handles a new complaint; nobody yet, where it is about that person (the recusal rule)."""
    request = prepared.request
    if request.handler is None or not request.about:
        return request.handler
    superiors = orjson.loads(prepared.terms.rest)["superiors"]
    out = judging.kept_out(staff.directory(conn).people, request.about, superiors)
    return None if request.handler in out else request.handler


def register(
    conn: Connection,
    run: Run,
    opened: Sequence[tuple[int, Draft, int | None]],
    who: Complainant | Sequence[Complainant],
    first: Sequence[Write] = (),
    *,
    chunk: int = 0,
    batch_id: int | None = None,
) -> list[tuple[str, int]]:
    """Write new complaints in the caller's transaction, with changes and entry; return (number, own number) of each.

    Each of `opened` is (customer, draft, handler); `first` are rows written before them. Whoever opens complaints
    meanwhile waits for this transaction to end.
    """
    day = runs.today(run.policies, opened[0][1].entered)
    given = numbers.take(conn, ruling.settings_of(opened[0][1].policy).number, day, len(opened))
    own = counters.take(conn, "complaint", len(opened))
    whose = [who] * len(opened) if isinstance(who, Complainant) else who
    writes = list(first)
    for place, (customer_id, prepared, handler) in enumerate(opened):
        values = _row(run, prepared, whose[place], handler)
        key = {"customer_id": customer_id, "complaint_id": own + place}
        row = dict.fromkeys(columns.COMPLAINT) | key | {"number": given[place], "batch_id": batch_id} | values
        writes += _of(conn, run, row, prepared)
    changes = Changes(run.run_id or 0, chunk, counters.take(conn, "change", len(writes)))
    write(conn, changes, writes)
    found = [(number, opened[at][0], own + at) for at, number in enumerate(given)]
    numbers.keep(conn, facts.KIND, found)
    _log(conn, run, changes, found, chunk=chunk, batch_id=batch_id)
    return [(number, place) for number, _customer, place in found]


def _log(
    conn: Connection, run: Run, changes: Changes, found: list[tuple[str, int, int]], *, chunk: int, batch_id: int | None
) -> None:
    summary = changes.summary()
    told: dict[str, Any] = {"obj": f"complaint:{found[0][2]}"} if len(found) == 1 and batch_id is None else {}
    if batch_id is None:
        runs.finish(conn, run, "done", 0, {"accepted": len(found)})
    else:
        told["batch"] = batch_id
    body = run.entry(
        "done", at=clocks.now(), n=len(found), counts={"accepted": len(found)}, chunk=chunk, changes=summary.changes,
        changes_root=summary.root, **told,
    )  # fmt: skip
    entries.append(conn, body)


def _row(run: Run, prepared: Draft, who: Complainant, handler: int | None) -> dict[str, Any]:
    request, at = prepared.request, clocks.stamp(prepared.entered)
    due = prepared.feedback.due_at
    return {
        "status": "accepted",
        "category": prepared.category,
        "severity": prepared.severity,
        "channel": prepared.channel,
        "tier": who.tier,
        "customer_type": who.customer_type,
        "org_unit": who.org_unit,
        "first_receiver_id": request.first_receiver,
        "handler_id": handler,
        "about": " ".join(map(str, sorted(request.about))) or None,
        "received_at": clocks.stamp(prepared.received_at),
        "accepted_at": at,
        "feedback_due_at": clocks.stamp(due) if due else None,
        "plan_version": 0,
        "reopened": 0,
        "terms": dumps(prepared.terms),
        "policy": prepared.policy.name,
        "policy_version": prepared.policy.version,
        "opened_by": run.actor.person,
        "created_at": at,
        "updated_at": at,
        "version": 1,
    }


def _of(conn: Connection, run: Run, row: dict[str, Any], prepared: Draft) -> list[Write]:
    """Return the rows of one new complaint: itself, its acceptance, its clocks."""
    customer_id, own = row["customer_id"], row["complaint_id"]
    private = {name: text.strip() for name, text in prepared.request.private.items()}
    envelope = sealed(run, customer_id, columns.IN_COMPLAINT, own, private)
    late = {"late": prepared.request.late} if prepared.request.late else {}
    deed = Deed("accepted", prepared.data, late)
    first = counters.take(conn, "complaint_clock", len(prepared.clocks))
    at = clocks.stamp(prepared.entered)
    rest = {"created_at": at, "updated_at": at, "version": 1}
    return [
        Write(COMPLAINT, row, sealed=envelope),
        event_write(conn, run, customer_id, own, deed, prepared.entered, prepared.entered),
        *(
            Write(
                CLOCK,
                {
                    "customer_id": customer_id,
                    "clock_id": first + at_,
                    "complaint_id": own,
                    **clock_columns(each),
                    **rest,
                },
            )
            for at_, each in enumerate(prepared.clocks)
        ),
    ]


def due_times(found: Draft) -> list[tuple[str, datetime | None]]:
    """Return the stages whose clocks run, each with its deadline."""
    return [(each.stage, each.due_at) for each in found.clocks if each.running]
