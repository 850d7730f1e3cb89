"""Ask for agreement to an act: bound to exactly its subject by a hash, valid for as long as access.yaml says."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, insert

from crmctl import clock
from crmctl.approvals import decide, records
from crmctl.approvals.tables import approval
from crmctl.audit import entries
from crmctl.runs.run import Run, access_of
from crmctl.store import counters


def ask(
    conn: Connection,
    run: Run,
    *,
    act: str,
    subject: str,
    subject_hash: str,
    rows: int,
    barred: Collection[str] = (),
) -> int | None:
    """Ask within the caller's transaction that somebody else agrees to `act` on `subject` (as in plan:12).

    `barred` are people of access.yaml, and staff:NUMBER, who keep out of it and may not decide. Returns the number of
    the approval, the same again while one for exactly this is open or approved; None when access.yaml asks for nobody.
    Call it last before the caller's own entry: it appends one, which locks the log's end.
    """
    rule = decide.rule_for(access_of(run.policies), act, rows)
    if rule is None:
        return None
    if run.run_id is None:
        raise ValueError("a dry run asks for nothing")
    at = records.now(conn, clock.now())
    for known in records.of_subject(conn, act, subject):
        alive = known.standing(at) in (records.OPEN, records.APPROVED)
        if alive and (known.subject_hash, known.rows, known.requested_by) == (subject_hash, rows, run.actor.person):
            return known.approval_id
    number = counters.take(conn, "approval", 1)
    conn.execute(
        insert(approval).values(
            approval_id=number,
            act=act,
            subject=subject,
            subject_hash=subject_hash,
            rows=rows,
            requested_by=run.actor.person,
            run_id=run.run_id,
            state=records.OPEN,
            people=rule.people,
            assurance=rule.assurance,
            created_at=at,
            expires_at=at + decide.period(rule.expires),
            barred=" ".join(sorted(barred)) or None,
        )
    )
    body = run.entry("done", act="approval.ask", at=clock.now(), approval=number, obj=subject, n=rows,
                     source=subject_hash)  # fmt: skip
    entries.append(conn, body)
    return number
