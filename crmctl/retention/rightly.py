"""Whether a purge that is said to have begun was begun as it must be: agreed to by somebody else, and in the log.

The rows of plans and destructions are written by whoever may plan; that somebody else agreed, and what the log says of
beginning and settling, is not theirs to write. So it is asked before a begun purge goes on, and before it is proved.
"""

from __future__ import annotations

from sqlalchemy import Connection

from crmctl.approvals import records as approvals
from crmctl.approvals import using
from crmctl.approvals.beyond import fingerprint
from crmctl.audit.said import said
from crmctl.errors import IntegrityFailed
from crmctl.i18n import _
from crmctl.retention import records
from crmctl.runs import plans
from crmctl.runs.plans import Plan


def require(conn: Connection, found: Plan) -> int:
    """Return the approval that a begun plan was begun under.

    Raises IntegrityFailed where none was spent on exactly this that somebody else than its planner gave, or the log
    does not have its beginning.
    """
    subject = records.reference(found.plan_id)
    spent = using.spent_on(conn, act=plans.PURGE, subject=subject, subject_hash=fingerprint(found))
    made = approvals.decisions(conn, (spent,))[spent] if spent is not None else []
    agreed = any(each.decision == "approve" and each.person != found.person for each in made)
    if spent is None or not agreed or not _said(conn, "purge.begin", subject, found.hash):
        raise _unsaid(found.plan_id)
    return spent


def require_settled(conn: Connection, number: int, root: bytes) -> None:
    """Raise IntegrityFailed where the log does not say that exactly those of this root were to go."""
    if not _said(conn, "purge.settle", records.reference(number), root.hex()):
        raise _unsaid(number)


def _said(conn: Connection, act: str, subject: str, source: str) -> bool:
    return any(body.get("source") == source and body["result"] == "done" for body in said(conn, act, subject))


def _unsaid(number: int) -> IntegrityFailed:
    return IntegrityFailed(
        _("plan {plan}: neither log nor approvals say that it was begun as it stands in the database").format(
            plan=number
        ),
        hint=_("nobody is destroyed; tell whoever keeps the database, and see: crmctl audit verify"),
        code="PURGE_FORGED",
        details={"plan": number},
    )
