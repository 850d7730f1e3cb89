"""Approvals and their decisions as the database has them, and the moment they are judged by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, Select, select

from crmctl import clock
from crmctl.approvals.tables import approval, approval_decision
from crmctl.audit.tables import audit_entry
from crmctl.errors import Refused
from crmctl.i18n import _

OPEN, APPROVED, REJECTED, REVOKED, USED = "open", "approved", "rejected", "revoked", "used"
EXPIRED = "expired"  # no state of a row: open or approved, and too late
PAGE = 500


@dataclass(frozen=True)
class Asked:
    """What was asked to be approved, as the row stands."""

    approval_id: int
    act: str
    subject: str
    subject_hash: str
    rows: int
    requested_by: str
    run_id: int
    state: str
    people: int
    assurance: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    used_run_id: int | None
    barred: str | None

    @property
    def keeping_out(self) -> frozenset[str]:
        """Who may not decide on it: people of access.yaml, and staff:NUMBER."""
        return frozenset((self.barred or "").split())

    def standing(self, at: datetime) -> str:
        """Return the state at a moment: an approval that was not used in time is `expired`."""
        return EXPIRED if self.state in (OPEN, APPROVED) and at >= self.expires_at else self.state


@dataclass(frozen=True)
class Decision:
    """One decision; `for_person` is for whom a deputy decided, `entered_by` who was at the keyboard."""

    approval_id: int
    decision_id: int
    decision: str
    person: str
    for_person: str | None
    assurance: str
    entered_by: str
    run_id: int
    document: str | None
    statement: str | None
    signature: str | None
    signers_hash: str | None
    document_id: int | None
    sealed: bytes | None
    decided_at: datetime


def now(conn: Connection, at: datetime) -> datetime:
    """Return `at`, or the time of the newest entry of the log if that is later: a clock set back revives nothing."""
    query = select(audit_entry.c.body).order_by(audit_entry.c.seq.desc()).limit(1)
    body = conn.execute(query).scalar_one_or_none()
    if body is None:
        return at
    try:
        return max(at, clock.parse_stamp(orjson.loads(body)["ts"]))
    except (ValueError, KeyError, TypeError):  # an entry that was tampered with: `audit verify` says so
        return at


def find(conn: Connection, number: int, *, lock: bool = False) -> Asked:
    """Return an approval; `lock` keeps others from changing it until the transaction ends. Raises Refused."""
    query = select(approval).where(approval.c.approval_id == number)
    found = next(_asked(conn, query.with_for_update() if lock else query), None)
    if found is None:
        raise Refused(
            _("there is no approval {number}").format(number=number),
            hint=_("see: crmctl approval list"),
            code="APPROVAL_UNKNOWN",
        )
    return found


def of_subject(conn: Connection, act: str, subject: str) -> list[Asked]:
    """Return what was asked for an act on a subject, newest first."""
    columns = approval.c
    query = select(approval).where(columns.act == act, columns.subject == subject)
    return list(_asked(conn, query.order_by(columns.approval_id.desc())))


def newest(conn: Connection, before: int | None, person: str = "") -> Iterator[Asked]:
    """Yield approvals, newest first, those of one requester where named; below a number where given."""
    columns = approval.c
    query = select(approval).order_by(columns.approval_id.desc()).limit(PAGE)
    if person:
        query = query.where(columns.requested_by == person)
    while True:
        page = list(_asked(conn, query if before is None else query.where(columns.approval_id < before)))
        yield from page
        if len(page) < PAGE:
            return
        before = page[-1].approval_id


def decisions(conn: Connection, numbers: Iterable[int]) -> dict[int, list[Decision]]:
    """Return the decisions on approvals, by approval in their order."""
    wanted = list(numbers)
    found: dict[int, list[Decision]] = {number: [] for number in wanted}
    columns = approval_decision.c
    query = select(approval_decision).where(columns.approval_id.in_(wanted))
    for row in conn.execute(query.order_by(columns.approval_id, columns.decision_id)).mappings():
        made = Decision(**{name: row[name] for name in Decision.__dataclass_fields__})
        found[made.approval_id].append(made)
    return found


def _asked(conn: Connection, query: Select[Any]) -> Iterator[Asked]:
    for row in conn.execute(query).mappings():
        yield Asked(**{name: row[name] for name in Asked.__dataclass_fields__})
