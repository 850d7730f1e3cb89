"""`purge form`: the approval form of a purge (销毁审批表) as one page to sign, which names no customer.

Its hash is the beginning of what an approval is bound to: any other set of customers, other policies, another hash.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from crmctl import files, printed
from crmctl.approvals import records as approvals
from crmctl.approvals.beyond import fingerprint
from crmctl.approvals.records import Decision
from crmctl.retention import waiting
from crmctl.retention.waiting import Purge
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.sheets.tables import batch
from crmctl.store import engine
from crmctl.use import copies
from crmctl.use.copies import Copy

TEMPLATE = "form.html.j2"
HASH_DIGITS = 16
LISTED = 4  # imports, and copies, that the page has room for


@dataclass(frozen=True)
class Import:
    """An import that brought some of the customers: its file has them still."""

    batch_id: int
    kind: str
    sha256: str
    started_at: datetime


@dataclass(frozen=True)
class Known:
    """All that a form tells of a purge; `fingerprint` is what an approval is bound to.

    Of imports and copies the first `LISTED`; the plan's summary has all of them.
    """

    purge: Purge
    fingerprint: str
    approved: tuple[Decision, ...]
    imports: tuple[Import, ...]
    copies: tuple[Copy, ...]


def write(run: Run, number: int, out: Path) -> dict[str, Any]:
    """Write the form of a plan to `out`, owner-only; return what is to be told of it. The log has its SHA-256.

    Raises Refused for a plan there is not and for an `out` there is already.
    """
    from crmctl.retention import formsheet

    with engine.read(run.engine) as conn:
        found = known(conn, run, number)
    with files.atomic_output(out) as stream:
        data = printed.html("crmctl.retention", TEMPLATE, formsheet.sheet(run, found))
        digest = sha256(data).hexdigest()
        stream.write(data)
        run = runs.record_reading(run, obj=f"plan:{number}", n=0, source=digest)
    return {
        "run_id": run.run_id,
        "plan": number,
        "hash": found.fingerprint[:HASH_DIGITS],
        "bytes": len(data),
        "sha256": digest,
    }


def known(conn: Connection, run: Run, number: int) -> Known:
    """Return what a form tells of a plan. Raises Refused for a plan there is not."""
    purge = waiting.find(conn, number, run.at)
    asked = purge.approval
    made = approvals.decisions(conn, (asked.approval_id,))[asked.approval_id] if asked else []
    return Known(
        purge,
        fingerprint(purge.plan),
        tuple(each for each in made if each.decision == "approve"),
        tuple(_imports(conn, purge.plan.summary.get("batches", [])[:LISTED])),
        tuple(copies.find(conn, copy) for copy in purge.plan.summary.get("copies", [])[:LISTED]),
    )


def _imports(conn: Connection, numbers: Sequence[int]) -> Iterator[Import]:
    columns = batch.c
    query = select(columns.batch_id, columns.kind, columns.source_sha256, columns.started_at)
    for row in conn.execute(query.where(columns.batch_id.in_(numbers)).order_by(columns.batch_id)):
        yield Import(row[0], row[1] or "customer", row[2], row[3])
