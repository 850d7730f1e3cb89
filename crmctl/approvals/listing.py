"""What `approval list` and `approval show` tell: rows, and the words for people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from crmctl import clock
from crmctl.approvals import decide, evidence, judging, records, voices
from crmctl.approvals.judging import Wish
from crmctl.approvals.records import Asked, Decision
from crmctl.approvals.statement import statement
from crmctl.cli.render import Column
from crmctl.errors import CrmctlError, Refused
from crmctl.files import atomic_output
from crmctl.i18n import N_, _
from crmctl.runs.run import Run

STATES = {
    records.OPEN: N_("open"),
    records.APPROVED: N_("approved"),
    records.REJECTED: N_("rejected"),
    records.REVOKED: N_("revoked"),
    records.USED: N_("used"),
    records.EXPIRED: N_("expired"),
}
DECISIONS = {"approve": N_("approved"), "reject": N_("rejected"), "revoke": N_("revoked")}
ASSURANCES = {
    "recorded": N_("recorded from paper"),
    "authenticated": N_("from their own account"),
    "signed": N_("signed (SSH)"),
}


# What shows more of a subject than its number: who agrees should know to what.
_MORE = {"use": "crmctl use show {number}"}


def more_about(subject: str) -> str:
    """Return the command that shows what an approval is about; empty where there is none."""
    kind, _colon, number = subject.partition(":")
    return _MORE.get(kind, "").format(number=number)


def _word(words: dict[str, str]) -> Callable[[str], str]:
    return lambda code: _(words.get(code, code))


LISTED = (
    Column("approval", N_("Approval"), right=True),
    Column("state", N_("State"), show=_word(STATES)),
    Column("act", N_("Action")),
    Column("subject", N_("Object")),
    Column("rows", N_("Records"), right=True),
    Column("requested_by", N_("Asked by")),
    Column("agreed", N_("Agreed"), right=True),
    Column("people", N_("Wanted"), right=True),
    Column("assurance", N_("Certainty"), show=_word(ASSURANCES)),
    Column("created_at", N_("Asked at"), detail=True),
    Column("expires_at", N_("Expires")),
    Column("subject_hash", detail=True),
    Column("run", detail=True),
    Column("used_at", detail=True),
    Column("used_run", detail=True),
)
DECIDED = (
    Column("decision", N_("Decision"), show=_word(DECISIONS)),
    Column("person", N_("Who")),
    Column("for", N_("Instead of")),
    Column("assurance", N_("Certainty"), show=_word(ASSURANCES)),
    Column("entered_by", N_("Entered by")),
    Column("at", N_("At")),
    Column("document", N_("Document")),
    Column("reason", N_("Reason")),
    Column("scan", N_("Scan, SHA-256"), show=lambda value: value[:16]),
    Column("statement", detail=True),
    Column("signature", detail=True),
    Column("signers_hash", detail=True),
    Column("evidence", detail=True),
    Column("run", detail=True),
)


def listed(run: Run, conn: Connection, state: str, mine: bool, limit: int, before: int | None) -> list[tuple[Any, ...]]:
    """Return rows of `LISTED`, newest first."""
    at = records.now(conn, run.at)
    found = records.newest(conn, before, run.actor.person if mine else "")
    wanted = list(islice((each for each in found if not state or each.standing(at) == state), limit))
    made = records.decisions(conn, [each.approval_id for each in wanted])
    return [row_of(run, each, made[each.approval_id], at) for each in wanted]


def row_of(run: Run, asked: Asked, made: list[Decision], at: datetime) -> tuple[Any, ...]:
    """Return the row of one approval."""
    agreed = decide.counted(asked.requested_by, asked.assurance, voices.of(made))
    return (
        asked.approval_id, asked.standing(at), asked.act, asked.subject, asked.rows, asked.requested_by, agreed,
        asked.people, asked.assurance, clock.local(asked.created_at, run.zone), clock.local(asked.expires_at, run.zone),
        asked.subject_hash, asked.run_id, None if asked.used_at is None else clock.local(asked.used_at, run.zone),
        asked.used_run_id,
    )  # fmt: skip


def decision_rows(run: Run, asked: Asked, made: list[Decision]) -> Iterator[tuple[Any, ...]]:
    """Yield rows of `DECIDED`, with what is sealed opened."""
    for each in made:
        given = evidence.opened(run, each)
        said = each.statement or statement(asked, run.workspace.instance, each.person, each.decision, each.for_person)
        scan = None if given.scan is None else sha256(given.scan).hexdigest()
        proof = evidence.digest(said, given, each.signature, each.signers_hash)
        yield (
            each.decision, each.person, each.for_person, each.assurance, each.entered_by,
            clock.local(each.decided_at, run.zone), each.document, given.reason or None, scan, said, each.signature,
            each.signers_hash, proof, each.run_id,
        )  # fmt: skip


def may_decide(run: Run, conn: Connection, number: int) -> tuple[bool, str]:
    """Return whether the actor may agree now, and the code of why not; certainty apart, which is up to them."""
    try:
        judging.judge(conn, run, Wish(number, "reject"))
    except CrmctlError as refusal:
        return False, refusal.code
    return True, ""


def save_scan(run: Run, made: list[Decision], path: Path) -> None:
    """Write the newest scan to a new owner-only file. Raises Refused when there is none, or the file exists."""
    for each in reversed(made):
        scan = evidence.opened(run, each).scan
        if scan is not None:
            with atomic_output(path) as stream:
                stream.write(scan)
            return
    raise Refused(_("no decision here has a scan"), hint=_("leave --save-scan out"), code="SCAN_UNKNOWN")
