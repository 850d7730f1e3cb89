"""`customer cancel`: who is a customer no more, and its undoing (注销, UPD-09). Nothing is destroyed by it.

A cancelled customer keeps its record, is graded, assigned, listed and exported no more, and goes when the retention
policy says so, through the same process as everybody else (DES-08). What it was before is read from the change log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from typing import Any

import orjson
from sqlalchemy import Connection

from crmctl import clock
from crmctl.audit.changes import CHANGE_COLUMNS, After, Before, Changes, clear_json, fields_json
from crmctl.audit.tables import change
from crmctl.cases import openwork
from crmctl.customers import scope
from crmctl.customers.columns import CUSTOMER_CLEAR, clear_of
from crmctl.customers.model import CANCELLED, PROVISIONAL
from crmctl.customers.showing import number_text
from crmctl.customers.tables import customer
from crmctl.errors import IntegrityFailed, Refused
from crmctl.i18n import _
from crmctl.runs import chunks, plans
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.store import bulk, engine

CHUNK = 5_000  # customers in one transaction
FIELDS = fields_json(frozenset({"cancelled_at", "status"}))
_READ = (*CUSTOMER_CLEAR, "sealed_hash")
_STATUS = CUSTOMER_CLEAR.index("status")
_TOLD = 5  # complaints that a refusal names
Tell = Callable[[int], None]
Row = tuple[Any, ...]


@dataclass(frozen=True)
class Outcome:
    """What was done, or would be: `changed` customers cancelled, or (`undo`) as they were before.

    `unchanged` were so already.
    """

    run_id: int | None
    undo: bool
    changed: int = 0
    unchanged: int = 0


def cancel(run: Run, customers: Sequence[int], tell: Tell, *, undo: bool = False) -> Outcome:
    """Cancel `customers` (each once, ascending), or undo it, or say what would be done (`run.dry_run`).

    Whoever calls holds the lock of imports, which write whole records. All are looked at before anything is changed.
    Raises Refused for a customer there is not, one whose destruction has begun, one that nobody knows yet, and one with
    an open complaint; of `undo`, for one whose status before is gone.
    """
    for part in _parts(customers):
        scope.require(run, part)
    turning = 0
    for part in _parts(customers):
        with engine.read(run.engine) as conn:
            plans.require_staying(conn, part)
            statuses = bulk.fetch_by_keys(conn, customer, "customer_id", part, ("customer_id", "status"))
        mine = sorted(number for number, status in statuses if (status == CANCELLED) == undo)
        _refuse_unknown([number for number, status in statuses if status == PROVISIONAL])
        if undo:
            with engine.read(run.engine) as conn:
                _before(conn, mine)
        else:
            _refuse_open(run, mine)
        turning += len(mine)
    outcome = Outcome(None, undo, turning, len(customers) - turning)
    if run.dry_run:
        return outcome
    run = runs.begin(run)
    with runs.recorded_failure(run):
        done = _carried_out(run, customers, undo, tell)
    return replace(done, run_id=run.run_id)


def _parts(customers: Sequence[int]) -> Iterator[list[int]]:
    return (list(customers[start : start + CHUNK]) for start in range(0, len(customers), CHUNK))


def _refuse_unknown(customers: Sequence[int]) -> None:
    """Raise Refused for an unidentified complainant, who is no customer yet."""
    for number in customers:
        raise Refused(
            _("{customer}: nobody knows yet who that is").format(customer=number_text(number)), code="PROVISIONAL"
        )


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


def _carried_out(run: Run, customers: Sequence[int], undo: bool, tell: Tell) -> Outcome:
    """Write chunk by chunk within a run that has begun; a run that was killed is finished by the same command."""
    parts = list(_parts(customers))
    obj = f"customer:{customers[0]}" if len(customers) == 1 else ""
    done = Outcome(run.run_id, undo)
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
    plans.keep_destruction_out(conn)
    plans.require_staying(conn, part)
    stored = sorted(bulk.fetch_by_keys(conn, customer, "customer_id", part, _READ, locked=True))
    turning = [row for row in stored if (row[_STATUS] == CANCELLED) == before.undo]
    statuses = _before(conn, [row[0] for row in turning]) if before.undo else {}
    at = clock.stamp(run.at)
    rows = [_turned(log, row, statuses.get(row[0]), at) for row in turning]
    bulk.update_rows(conn, customer, ("customer_id",), ("status", "cancelled_at", "updated_at", "version"), rows)
    bulk.insert_rows(conn, change, CHANGE_COLUMNS, log.take())
    counts = counts_of(Outcome(None, before.undo, len(rows), len(part) - len(rows)))
    if last:
        runs.finish(conn, run, "done", 0, counts_of(_added(before, counts)))
    return counts


def _turned(log: Changes, row: Row, status: str | None, at: str) -> Row:
    """Note one customer's change, and return what its row is to hold: `status`, or cancelled where that is None."""
    clear = clear_of(CUSTOMER_CLEAR, row)
    number, sealed = row[0], row[-1]
    after = {**clear, "status": status or CANCELLED, "updated_at": at, "version": clear["version"] + 1}
    if status is None:
        after["cancelled_at"] = at
    else:
        after.pop("cancelled_at", None)
    told = clear_json(clear)
    version = after["version"] + after["derived_version"]
    was = Before(told.decode(), None, sha256(told).digest(), sealed)
    log.update((number, "customer", number), version, FIELDS, was, After(sha256(clear_json(after)).digest(), sealed))
    return (number, after["status"], after.get("cancelled_at"), at, after["version"])


def _before(conn: Connection, customers: Sequence[int]) -> dict[int, str]:
    """Return which status each cancelled customer had before, from the image its cancellation left in the change log.

    Raises Refused where a purge took that image, IntegrityFailed where the log never had one: somebody else than this
    program made it cancelled.
    """
    columns = ("customer_id", "version", "fields", "before_clear")
    found: dict[int, tuple[int, str | None]] = {}
    for number, version, fields, image in bulk.fetch_by_keys(
        conn, change, "customer_id", customers, columns, extra={"object": ("customer",)}
    ):
        if '"status"' not in fields or version <= found.get(number, (0, ""))[0]:
            continue
        found[number] = version, orjson.loads(image)["status"] if image is not None else None
    before: dict[int, str] = {}
    for number in customers:
        status = found.get(number, (0, CANCELLED))[1]
        if status is None:
            raise Refused(
                _("{customer}: what it was before it was cancelled is destroyed: its time was over").format(
                    customer=number_text(number)
                ),
                hint=_("it stays cancelled; destroyed (crmctl purge plan --customer) it can be entered anew"),
                code="STATUS_DESTROYED",
            )
        if status == CANCELLED:
            raise IntegrityFailed(
                _("{customer}: the change log does not say what it was before it was cancelled").format(
                    customer=number_text(number)
                ),
                hint=_("look with: crmctl audit verify --rows"),
                code="STATUS_UNKNOWN",
            )
        before[number] = status
    return before
