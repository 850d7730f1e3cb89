"""`use record`: what came of a use, said by whoever used it (USE-02)."""

from __future__ import annotations

import re

from crmctl import clock
from crmctl.audit import entries
from crmctl.errors import InvalidInput, PermissionMissing, Refused
from crmctl.i18n import _
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.store import engine
from crmctl.use import purposes, records, requests, sealed
from crmctl.use.records import Record

_WHICH = re.compile(r"(R-|r-)?0*([1-9][0-9]{0,14})")


def settle(run: Run, which: str, code: str, note: str) -> tuple[Run, list[Record]]:
    """Record the result of one use (`R-15`), or of all uses under a request (`3`); return run and records.

    Raises Refused for none or one that has its result, PermissionMissing for somebody else's.
    """
    result = purposes.result(run.policies, code).code
    found = _found(run, which)
    if any(record.person != run.actor.person for record in found):
        raise PermissionMissing(
            _("{which}: was used by somebody else, who says what came of it").format(which=which),
            code="USE_NOT_YOURS",
        )
    open_ = [record for record in found if record.result is None]
    if not open_:
        raise Refused(_("{which}: has its result already").format(which=which), code="USE_SETTLED")
    run = runs.begin(run)
    with runs.recorded_failure(run):
        notes = {}
        for record in open_ if note else ():
            key = sealed.key_of(run, record.run_id)
            notes[record.record_id] = sealed.seal(run, key, sealed.RECORD, {"note": note}, record.record_id)
        with engine.write(run.engine) as conn:
            at = clock.now()
            for record in open_:
                records.settle(conn, record.record_id, result, at, notes.get(record.record_id))
            runs.finish(conn, run, "done", 0, {"records": len(open_)})
            first = open_[0]
            of = f"use_record:{first.record_id}"
            entries.append(
                conn, run.entry("done", at=at, obj=of, use=first.use_id, n=len(open_), purpose=first.purpose)
            )
            return run, [records.find(conn, record.record_id) for record in open_]


def _found(run: Run, which: str) -> list[Record]:
    match = _WHICH.fullmatch(which.strip())
    if match is None:
        raise InvalidInput(
            _("{which}: neither a use request nor a record of use").format(which=which[:20]),
            hint=_("write 3 for a request, R-15 for a record; see: crmctl use list --records"),
            code="NUMBER_INVALID",
        )
    number = int(match[2])
    with engine.read(run.engine) as conn:
        if match[1]:
            return [records.find(conn, number)]
        requests.find(conn, number)
        found = records.of_request(conn, number)
    if not found:
        raise Refused(
            _("use request {number}: nothing was used under it yet").format(number=number),
            hint=_("export first: crmctl customer export --use {number} --out FILE").format(number=number),
            code="USE_OPEN",
        )
    return found


def note_of(run: Run, record: Record) -> str:
    """Return the result in words; empty when none were given."""
    if record.sealed is None:
        return ""
    key = sealed.key_of(run, record.run_id)
    return str(sealed.opened(run, key, sealed.RECORD, record.sealed, record.record_id)["note"])
