"""Use an approval: found again by act, subject and hash, checked anew, spent once with what it was for.

number = require(conn, run, act=…, subject=…, subject_hash=…, rows=…)
…
if number is not None:
    spend(conn, run, number)        in the transaction that does the thing; its entry says approval=number
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, update

from crmctl import clock
from crmctl.approvals import decide, records, voices
from crmctl.approvals.records import APPROVED, OPEN, USED, Asked
from crmctl.approvals.tables import approval
from crmctl.errors import CrmctlError, PermissionMissing, PlanStale
from crmctl.i18n import N_, _
from crmctl.runs.run import Run, access_of

_DEAD = {
    records.EXPIRED: ("APPROVAL_EXPIRED", N_("approval {number}: has expired")),
    records.USED: ("APPROVAL_USED", N_("approval {number}: is used already")),
    records.REJECTED: ("APPROVAL_REJECTED", N_("approval {number}: was rejected")),
    records.REVOKED: ("APPROVAL_REVOKED", N_("approval {number}: was revoked")),
}


def require(conn: Connection, run: Run, *, act: str, subject: str, subject_hash: str, rows: int) -> int | None:
    """Return the approval that allows `act` on exactly this, to be spent; None when access.yaml asks for nobody.

    Raises PermissionMissing while nobody was asked or too few agreed, PlanStale when the newest approval is expired,
    used, rejected or revoked, or was for something else than `subject_hash` now says.
    """
    if decide.rule_for(access_of(run.policies), act, rows) is None:
        return None
    known = records.of_subject(conn, act, subject)
    at = records.now(conn, clock.now())
    same = [each for each in known if each.subject_hash == subject_hash and each.rows >= rows]
    for each in same:
        if each.standing(at) == APPROVED and voices.enough(run, each, _made(conn, each)):
            return each.approval_id
    if not known:
        raise PermissionMissing(
            _("{act} on {subject} needs somebody else's approval, and nobody was asked").format(
                act=act, subject=subject
            ),
            hint=_("see: crmctl approval list"),
            code="APPROVAL_MISSING",
        )
    if not same:
        raise PlanStale(
            _("approval {number}: was for something else than {subject} is now").format(
                number=known[0].approval_id, subject=subject
            ),
            hint=_("ask again"),
            code="APPROVAL_STALE",
        )
    raise _why_not(next((each for each in same if each.standing(at) in (OPEN, APPROVED)), same[0]), at)


def asked_for(conn: Connection, *, act: str, subject: str) -> bool:
    """Say whether anybody was ever asked to agree to `act` on `subject`."""
    return bool(records.of_subject(conn, act, subject))


def spent_on(conn: Connection, *, act: str, subject: str, subject_hash: str) -> int | None:
    """Return the approval that was spent on exactly this: what was begun under it may be finished."""
    same = (each for each in records.of_subject(conn, act, subject) if each.subject_hash == subject_hash)
    return next((each.approval_id for each in same if each.state == USED), None)


def spend(conn: Connection, run: Run, approval_id: int) -> None:
    """Mark an approval used in the caller's transaction: of two who try, one gets PlanStale and does nothing."""
    at = records.now(conn, clock.now())
    columns = approval.c
    done = conn.execute(
        update(approval)
        .where(columns.approval_id == approval_id, columns.state == APPROVED, columns.expires_at > at)
        .values(state=USED, used_at=at, used_run_id=run.run_id)
    )
    if done.rowcount != 1:
        raise _why_not(records.find(conn, approval_id), at)


def _why_not(asked: Asked, at: datetime) -> CrmctlError:
    """Return why an approval cannot be used."""
    standing = asked.standing(at)
    hint = _("see: crmctl approval show {number}").format(number=asked.approval_id)
    if standing in _DEAD:
        code, message = _DEAD[standing]
        return PlanStale(_(message).format(number=asked.approval_id), hint=hint, code=code)
    return PermissionMissing(
        _("approval {number}: too few have agreed to {act} on {subject}").format(
            number=asked.approval_id, act=asked.act, subject=asked.subject
        ),
        hint=hint,
        code="APPROVAL_MISSING",
    )


def _made(conn: Connection, asked: Asked) -> list[records.Decision]:
    return records.decisions(conn, (asked.approval_id,))[asked.approval_id]
