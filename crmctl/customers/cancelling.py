"""`customer cancel`: who is a customer no more, and its undoing (注销, UPD-09). Nothing is destroyed by it.

A cancelled customer keeps its record, is graded, assigned, listed and exported no more, and goes when the retention
policy says so, through the same process as everybody else (DES-08). Undone, it is what it was before. So is a customer
whom `customer recall` brings back that a purge put away (`retention.archiving`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from sqlalchemy import Connection

from crmctl import clock
from crmctl.audit.changes import Changes
from crmctl.cases import openwork
from crmctl.customers import ended, scope
from crmctl.customers.ended import CANCELLATION, Ended
from crmctl.customers.model import PROVISIONAL, PUT_AWAY
from crmctl.customers.showing import number_text
from crmctl.customers.tables import customer
from crmctl.errors import Refused
from crmctl.i18n import _
from crmctl.runs import chunks, staying
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.store import bulk, engine

CHUNK = 5_000  # customers in one transaction
_TOLD = 5  # complaints that a refusal names
Tell = Callable[[int], None]


@dataclass(frozen=True)
class Outcome:
    """What was done, or would be: `changed` customers entered a state, or (`undo`) are as they were before.

    `unchanged` were so already.
    """

    run_id: int | None
    state: Ended
    undo: bool
    changed: int = 0
    unchanged: int = 0


def cancel(
    run: Run, customers: Sequence[int], tell: Tell, *, undo: bool = False, state: Ended = CANCELLATION
) -> Outcome:
    """Cancel `customers` (each once, ascending), or undo it, or say what would be done (`run.dry_run`).

    Whoever calls holds the lock of imports, which write whole records. All are looked at before anything is changed.
    Raises Refused for a customer there is not, one whose destruction has begun, one that nobody knows yet, and one with
    an open complaint, or put away; of `undo`, for one whose status before is gone.
    """
    for part in _parts(customers):
        scope.require(run, part)
    turning = 0
    for part in _parts(customers):
        with engine.read(run.engine) as conn:
            staying.require_staying(conn, part)
            statuses = bulk.fetch_by_keys(conn, customer, "customer_id", part, ("customer_id", "status"))
        mine = sorted(number for number, status in statuses if (status == state.status) == undo)
        _refuse_unknown([number for number, status in statuses if status == PROVISIONAL])
        if undo:
            with engine.read(run.engine) as conn:
                ended.before(conn, state, mine)
        else:
            _refuse_put_away([number for number, status in statuses if status == PUT_AWAY])
            _refuse_open(run, mine)
        turning += len(mine)
    outcome = Outcome(None, state, undo, turning, len(customers) - turning)
    if run.dry_run:
        return outcome
    run = runs.begin(run)
    with runs.recorded_failure(run):
        done = _carried_out(run, customers, outcome, tell)
    return replace(done, run_id=run.run_id)


def _parts(customers: Sequence[int]) -> Iterator[list[int]]:
    return (list(customers[start : start + CHUNK]) for start in range(0, len(customers), CHUNK))


def _refuse_unknown(customers: Sequence[int]) -> None:
    """Raise Refused for an unidentified complainant, who is no customer yet."""
    for number in customers:
        raise Refused(
            _("{customer}: nobody knows yet who that is").format(customer=number_text(number)), code="PROVISIONAL"
        )


def _refuse_put_away(customers: Sequence[int]) -> None:
    for number in sorted(customers):
        raise ended.put_away(number)


def _refuse_open(run: Run, customers: Sequence[int]) -> None:
    """Raise Refused where a complaint of one of them is open (CMP-12): that customer is still owed an answer."""
    found = openwork.complaints_of(run, customers)
    if not found:
        return
    first = found[0].customer_id
    numbers = [each.number for each in found if each.customer_id == first]
    more = ", …" if len(numbers) > _TOLD else ""
    raise Refused(
        _("{customer}: not cancelled while a complaint is open: {complaints}").format(
            customer=number_text(first), complaints=", ".join(numbers[:_TOLD]) + more
        ),
        hint=_("close it first, or leave this customer out; nothing was changed"),
        code="COMPLAINT_OPEN",
    )


def _carried_out(run: Run, customers: Sequence[int], wanted: Outcome, tell: Tell) -> Outcome:
    """Write chunk by chunk within a run that has begun; a run that was killed is finished by the same command."""
    parts = list(_parts(customers))
    obj = f"customer:{customers[0]}" if len(customers) == 1 else ""
    done = Outcome(run.run_id, wanted.state, wanted.undo)
    for ordinal, part in enumerate(parts):
        if run.held is not None:
            run.held.check()
        fill = partial(_write, run, done, part, last=ordinal == len(parts) - 1)
        counts = chunks.write(run, ordinal, len(part), len(part), fill, obj=obj)
        done = _added(done, counts)
        tell(len(part))
    return done


def _added(done: Outcome, counts: Mapping[str, int]) -> Outcome:
    changed = done.changed + counts["restored" if done.undo else "cancelled"]
    return replace(done, changed=changed, unchanged=done.unchanged + counts["unchanged"])


def counts_of(done: Outcome) -> dict[str, int]:
    """Return the counts for the run, its entries and JSON."""
    return {"restored" if done.undo else "cancelled": done.changed, "unchanged": done.unchanged}


def _write(
    run: Run, before: Outcome, part: Sequence[int], conn: Connection, log: Changes, *, last: bool
) -> Mapping[str, int]:
    """Write one chunk; return the counts of its entry, and with the last one end the run."""
    staying.keep_destruction_out(conn)
    staying.require_staying(conn, part)
    changed = ended.turn(conn, log, before.state, part, clock.stamp(run.at), undo=before.undo)
    counts = counts_of(Outcome(None, before.state, before.undo, changed, len(part) - changed))
    if last:
        runs.finish(conn, run, "done", 0, counts_of(_added(before, counts)))
    return counts
