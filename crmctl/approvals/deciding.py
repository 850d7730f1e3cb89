"""Approve, reject, revoke: judged before anything is written, and again with everybody else kept out."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, insert, update

from crmctl import clock
from crmctl.approvals import evidence, judging, records, voices
from crmctl.approvals.evidence import Evidence
from crmctl.approvals.judging import Judged, Wish
from crmctl.approvals.records import APPROVED, OPEN, REJECTED, REVOKED, Asked, Decision
from crmctl.approvals.tables import approval, approval_decision
from crmctl.audit import entries
from crmctl.errors import CrmctlError, PermissionMissing, PlanStale
from crmctl.i18n import _
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.store import engine


@dataclass(frozen=True)
class Outcome:
    """What became of an approval: its state now, how many agreed of how many."""

    run_id: int | None
    asked: Asked
    state: str
    agreed: int
    people: int
    judged: Judged
    given: Evidence = field(repr=False)


def carry_out(run: Run, wish: Wish, given: Evidence) -> Outcome:
    """Enter a decision, or say what it would do (`run.dry_run`).

    Raises Refused for an approval there is not, PermissionMissing for who may not, PlanStale for one that is expired,
    used or decided, or for something that is over by now; both noted in the log.
    """
    try:
        with engine.read(run.engine) as conn:
            judged = judging.judge(conn, run, wish)
    except (PermissionMissing, PlanStale) as refusal:
        _note_refused(run, wish, refusal)
        raise
    if run.dry_run:
        return Outcome(None, judged.asked, *_becomes(judged), judged, given)
    document_id, sealed = evidence.seal(run, given)
    run = runs.begin(run)
    with runs.recorded_failure(run), engine.write(run.engine) as conn:
        records.find(conn, wish.number, lock=True)
        if judging.judge(conn, run, wish, signature_seen=True) != judged:
            raise PlanStale(
                _("approval {number}: somebody decided meanwhile").format(number=wish.number),
                hint=_("see: crmctl approval show {number}").format(number=wish.number),
                code="APPROVAL_MOVED",
            )
        return _written(conn, run, wish, judged, given, (document_id, sealed))


def _written(
    conn: Connection, run: Run, wish: Wish, judged: Judged, given: Evidence, sealed: tuple[int | None, bytes | None]
) -> Outcome:
    state, agreed, people = _becomes(judged)
    asked, at = judged.asked, clock.now()
    conn.execute(insert(approval_decision).values(**_row(run, wish, judged, given, sealed)))
    if state != asked.state:
        conn.execute(update(approval).where(approval.c.approval_id == asked.approval_id).values(state=state))
    runs.finish(conn, run, "done", 0, {wish.decision: 1})
    about = judged.logged_as or judged.ruling.for_person
    body = run.entry(
        "done",
        act=f"approval.{wish.decision}",
        at=at,
        approval=asked.approval_id,
        obj=asked.subject,
        n=asked.rows,
        about=about,
        ticket=given.ticket,
        codes=[judged.assurance.upper(), state.upper()],
        counts={"agreed": agreed, "wanted": people},
        source=evidence.digest(judged.statement, given, wish.signature, judged.signers_hash),
    )
    entries.append(conn, body)
    return Outcome(run.run_id, asked, state, agreed, people, judged, given)


def _row(
    run: Run, wish: Wish, judged: Judged, given: Evidence, sealed: tuple[int | None, bytes | None]
) -> dict[str, Any]:
    document_id, envelope = sealed
    return {
        "approval_id": judged.asked.approval_id,
        "decision_id": len(judged.made) + 1,
        "decision": wish.decision,
        "person": judged.person,
        "for_person": judged.ruling.for_person,
        "assurance": judged.assurance,
        "entered_by": run.actor.person,
        "run_id": run.run_id,
        "document": given.document,
        "statement": judged.statement,
        "signature": wish.signature,
        "signers_hash": judged.signers_hash,
        "document_id": document_id,
        "sealed": envelope,
        "sealed_hash": None if envelope is None else sha256(envelope).digest(),
        "decided_at": clock.now(),
    }


def _becomes(judged: Judged) -> tuple[str, int, int]:
    """Return the state after this decision, how many will have agreed, and how many are wanted."""
    found = [*voices.of(judged.made)]
    if judged.decision == "approve":
        found.append(judged.voice)
    agreed = judging.agreed(judged, found)
    if judged.decision != "approve":
        return (REJECTED if judged.decision == "reject" else REVOKED), agreed, judged.people
    return (APPROVED if agreed >= judged.people else OPEN), agreed, judged.people


def _note_refused(run: Run, wish: Wish, refusal: PermissionMissing | PlanStale) -> None:
    """Log a decision that is refused, where the log takes it: it is refused either way."""
    result = "denied" if isinstance(refusal, PermissionMissing) else "refused"
    body = run.entry(result, act=f"approval.{wish.decision}", approval=wish.number, codes=[refusal.code])
    with contextlib.suppress(CrmctlError), engine.write(run.engine) as conn:
        entries.append(conn, body)


__all__ = ["Decision", "Outcome", "Wish", "carry_out"]
