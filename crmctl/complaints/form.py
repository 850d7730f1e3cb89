"""`complaint form`: the complaint form (投诉处理单) as one page, and the short hash that says of which state it is.

The page has a fixed number of lines and letters at most, so that it stays one: what is longer is cut with `…`, and the
page says so. The hash is the first 12 hexadecimal digits of SHA-256 over number, version, events (their sealed texts as
stored) and limits: any of them other, another hash.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection

from crmctl import printed
from crmctl.complaints import columns, facts, filing, showing, tables
from crmctl.complaints.drafting import FIELDS
from crmctl.complaints.filing import Leaving
from crmctl.complaints.model import Case, Row
from crmctl.complaints.showing import Wish
from crmctl.errors import InvalidInput
from crmctl.i18n import _
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.security.sealing import Sealer
from crmctl.store import bulk, engine

TEMPLATE = "form.html.j2"
HASH_DIGITS = 12
_HASH = re.compile(r"[0-9a-f]{12}", re.ASCII)
_LIMITS = ("clock_id", "stage", "started_at", "within", "due_at", "stopped_at")


@dataclass(frozen=True)
class Opened:
    """A complaint with its texts in clear: its own, and those of its events by their number."""

    case: Case
    texts: Mapping[str, str]
    events: Mapping[int, Mapping[str, Any]]
    hash: str


def write(run: Run, number: str, out: Path, wish: Wish) -> dict[str, Any]:
    """Write the form of a complaint to `out`, owner-only and registered; return what is to be told of it.

    Raises as `filing.put` does.
    """
    from crmctl.complaints import formsheet

    case = showing.known(run, number)
    with engine.read(run.engine) as conn:
        events = facts.private_events(conn, case)
        digest = state_of(conn, case)

    def made(begun: Run) -> bytes:
        sheet = formsheet.sheet(begun, opened(begun, case, events, digest))
        return printed.html("crmctl.complaints", TEMPLATE, sheet)

    done = filing.put(run, case, wish, Leaving("complaint.form", (*FIELDS, "events"), out), made)
    return {
        "run_id": done.run_id,
        "number": case.number,
        "hash": digest,
        "copy": done.copy_id,
        "bytes": done.size,
        "sha256": done.sha256,
        "due_on": done.due_on,
    }


def compare(run: Run, number: str, given: str) -> dict[str, Any]:
    """Return whether a form with this hash is of a complaint as it is; logged as a reading, nothing is revealed.

    Raises InvalidInput for what is no such hash.
    """
    plain = given.strip().lower()
    if not _HASH.fullmatch(plain):
        raise InvalidInput(
            _("--check: not the hash of a form"),
            hint=_("it stands at the foot of the page: 12 digits and letters from a to f"),
            code="HASH_INVALID",
        )
    case = showing.known(run, number)
    with engine.read(run.engine) as conn:
        now = state_of(conn, case)
    run = runs.record_reading(run, obj=f"complaint:{case.complaint_id}", n=1)
    return {"run_id": run.run_id, "number": case.number, "given": plain, "hash": now, "same": plain == now}


def state_of(conn: Connection, case: Case) -> str:
    """Return the short hash of a complaint as it is."""
    names = (*columns.EVENT, "sealed_hash")
    rows = bulk.fetch_by_keys(conn, tables.complaint_event, "customer_id", (case.customer_id,), names)
    mine = sorted((dict(zip(names, row, strict=True)) for row in rows), key=lambda row: row["event_id"])
    events = [
        [*(row[name] for name in columns.EVENT), row["sealed_hash"].hex() if row["sealed_hash"] else None]
        for row in mine
        if row["complaint_id"] == case.complaint_id
    ]
    limits = [[row[name] for name in _LIMITS] for row in case.clock_rows]
    told = [case.number, case.row["version"], case.sealed_hash.hex(), events, limits]
    return sha256(b"crmctl/v1/complaint-form\n" + orjson.dumps(told)).hexdigest()[:HASH_DIGITS]


def opened(run: Run, case: Case, events: Sequence[tuple[Row, bytes | None]], digest: str) -> Opened:
    """Return a complaint with its texts opened; only for who has it in the log already."""
    key, sealer = run.keys.key("customer", case.customer_id), Sealer(run.workspace.instance)
    texts = sealer.open_json(key, columns.IN_COMPLAINT, case.sealed, case.complaint_id)
    private = {
        row["event_id"]: sealer.open_json(key, columns.IN_EVENT, envelope, row["event_id"])
        for row, envelope in events
        if envelope
    }
    return Opened(case, texts, private, digest)
