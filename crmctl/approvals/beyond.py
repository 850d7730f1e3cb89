"""A plan beyond the limits of its policies: applied as it is once somebody else agreed to exactly it (design §4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256

import orjson
from sqlalchemy import Connection

from crmctl.approvals import asking, using
from crmctl.clock import stamp
from crmctl.errors import LimitExceeded
from crmctl.i18n import _
from crmctl.runs import plans
from crmctl.runs.plans import Plan
from crmctl.runs.run import Run, access_of
from crmctl.store import engine


@dataclass(frozen=True)
class Leave:
    """What lets a plan be applied: within the limits (no approval), or an approval, `spent` on it already or not."""

    approval: int | None = None
    spent: bool = False


@dataclass(frozen=True)
class Beyond:
    """Plans of one kind: the act, which is also the kind's name, and the command that asks for agreement to one."""

    act: str
    command: str

    def ask(self, run: Run, number: int, made_by: int | None) -> int | None:
        """Ask for agreement to a plan that the run `made_by` saved; return the approval, None where nobody is asked."""
        with engine.write(run.engine) as conn:
            found = plans.find(conn, number, self.act)
            begun = replace(run, run_id=made_by)
            return asking.ask(
                conn, begun, act=self.act, subject=_subject(found), subject_hash=fingerprint(found), rows=found.items
            )

    def leave(self, run: Run, found: Plan, refusal: LimitExceeded) -> Leave:
        """Return the approval under which a plan goes beyond the limits.

        Raises `refusal` where nobody was asked, PermissionMissing and PlanStale as `using.require` does.
        """
        act, subject, subject_hash = self.act, _subject(found), fingerprint(found)
        with engine.read(run.engine) as conn:
            if found.state == plans.APPLYING:
                spent = using.spent_on(conn, act=act, subject=subject, subject_hash=subject_hash)
                if spent is not None:
                    return Leave(spent, spent=True)
            if not using.asked_for(conn, act=act, subject=subject):
                raise self._with_a_way(run, refusal)
            number = using.require(conn, run, act=act, subject=subject, subject_hash=subject_hash, rows=found.items)
        if number is None:
            raise refusal
        return Leave(number)

    def _with_a_way(self, run: Run, refusal: LimitExceeded) -> LimitExceeded:
        if self.act not in access_of(run.policies).approvals:
            return refusal
        way = _("or have a plan approved: {command}").format(command=self.command)
        return LimitExceeded(refusal.message, hint=f"{refusal.hint}; {way}", code=refusal.code)


def fingerprint(found: Plan) -> str:
    """Return the SHA-256 over all that decides what a plan does: what an approval is bound to."""
    told = {
        "as_of": stamp(found.as_of),
        "hash": found.hash,
        "items": found.items,
        "kind": found.kind,
        "policies": found.policy_hash,
    }
    if left := found.summary.get("anonymise"):  # what is left of whom it destroys: no item says that
        told["anonymise"] = left
    return sha256(b"crmctl-plan-v1\n" + orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()


def spending(run: Run, given: Leave, chunk: int, then: Callable[[Connection], None]) -> Callable[[Connection], None]:
    """Return what is done in a chunk's transaction: the first spends the approval; then `then`."""

    def both(conn: Connection) -> None:
        if given.approval is not None and not given.spent and chunk == 0:
            using.spend(conn, run, given.approval)
        then(conn)

    return both


def _subject(found: Plan) -> str:
    return f"plan:{found.plan_id}"
