"""`complaint open`: accepted at once, with an acceptance number and a time limit to tell (CMP-02, CMP-03).

Number, complaint, event and clocks are one transaction: what is not written has taken no number, so that there are no
gaps, however many open complaints at once.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection

from crmctl import clock as clocks
from crmctl import staff
from crmctl.audit import entries
from crmctl.complaints import judging, provisional, registering
from crmctl.complaints.drafting import Complainant, Draft, Request, draft
from crmctl.complaints.writing import Write
from crmctl.customers import scope
from crmctl.customers.tables import customer
from crmctl.errors import Refused
from crmctl.i18n import _
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.staff import Staff
from crmctl.store import bulk, engine


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
            first = [] if prepare is None else provisional.writes(run, (prepare,), entered)
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
    return handling(staff.directory(conn).people, prepared)


def handling(everybody: Collection[Staff], prepared: Draft) -> int | None:
    """Return the same, of all who are on the register."""
    request = prepared.request
    if request.handler is None or not request.about:
        return request.handler
    superiors = orjson.loads(prepared.terms.rest)["superiors"]
    return None if request.handler in judging.kept_out(everybody, request.about, superiors) else request.handler


def register(
    conn: Connection,
    run: Run,
    opened: Sequence[tuple[int, Draft, int | None]],
    who: Complainant | Sequence[Complainant],
    first: Sequence[Write] = (),
) -> list[tuple[str, int]]:
    """Write new complaints in the caller's transaction, with changes and entry; return (number, own number) of each.

    Each of `opened` is (customer, draft, handler); `first` are rows written before them. Whoever opens complaints
    meanwhile waits for this transaction to end.
    """
    whose = [who] * len(opened) if isinstance(who, Complainant) else who
    new = [registering.New(*each, of) for each, of in zip(opened, whose, strict=True)]
    places, changes = registering.register(conn, run, new, first)
    told: dict[str, Any] = {"obj": f"complaint:{places[0][2]}"} if len(places) == 1 else {}
    counts = {"accepted": len(places)}
    runs.finish(conn, run, "done", 0, counts)
    body = run.entry(
        "done", at=clocks.now(), n=len(places), counts=counts, chunk=0, changes=changes.changes,
        changes_root=changes.root, **told,
    )  # fmt: skip
    entries.append(conn, body)
    return [(number, own) for number, _customer, own in places]


def due_times(found: Draft) -> list[tuple[str, datetime | None]]:
    """Return the stages whose clocks run, each with its deadline."""
    return [(each.stage, each.due_at) for each in found.clocks if each.running]
