"""Records of use (使用记录): who used what for which purpose, with which result (USE-02)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from crmctl import clock
from crmctl.errors import Refused
from crmctl.i18n import _
from crmctl.runs.run import Run
from crmctl.store import counters
from crmctl.use.tables import use_record


@dataclass(frozen=True)
class Record:
    """One use as it is recorded; `result` comes later, when somebody says what came of it."""

    record_id: int
    use_id: int | None
    person: str
    act: str
    purpose: str
    recipient: str | None
    rows: int
    run_id: int
    used_at: datetime
    result: str | None
    result_at: datetime | None
    sealed: bytes | None


def record(
    conn: Connection,
    run: Run,
    *,
    act: str,
    purpose: str,
    rows: int,
    recipient: str | None = None,
    use_id: int | None = None,
) -> int:
    """Write a record of use in the caller's transaction, that of the entry it belongs to; return its number."""
    number = counters.take(conn, "use_record", 1)
    conn.execute(
        insert(use_record).values(
            record_id=number,
            use_id=use_id,
            person=run.actor.person,
            act=act,
            purpose=purpose,
            recipient=recipient,
            rows=rows,
            run_id=run.run_id,
            used_at=clock.now(),
        )
    )
    return number


def find(conn: Connection, number: int) -> Record:
    """Return a record. Raises Refused when there is none of that number."""
    row = conn.execute(select(use_record).where(use_record.c.record_id == number)).mappings().first()
    if row is None:
        raise Refused(
            _("there is no record of use R-{number}").format(number=number),
            hint=_("see: crmctl use list --records"),
            code="USE_RECORD_UNKNOWN",
        )
    return Record(**{name: row[name] for name in Record.__dataclass_fields__})


def of_request(conn: Connection, use_id: int) -> list[Record]:
    """Return the records of one request, oldest first."""
    query = select(use_record).where(use_record.c.use_id == use_id).order_by(use_record.c.record_id)
    rows = conn.execute(query).mappings()
    return [Record(**{name: row[name] for name in Record.__dataclass_fields__}) for row in rows]


def newest(conn: Connection, limit: int, before: int | None, *, open_only: bool, person: str = "") -> list[Record]:
    """Return records, newest first: all, or only those without a result, or of one person; `before` pages on."""
    columns = use_record.c
    query = select(use_record).order_by(columns.record_id.desc()).limit(limit)
    if before is not None:
        query = query.where(columns.record_id < before)
    if open_only:
        query = query.where(columns.result.is_(None))
    if person:
        query = query.where(columns.person == person)
    rows = conn.execute(query).mappings()
    return [Record(**{name: row[name] for name in Record.__dataclass_fields__}) for row in rows]


def settle(conn: Connection, number: int, result: str, at: datetime, note: tuple[bytes, bytes] | None) -> None:
    """Write what came of a use, in the caller's transaction; `note` is the result in words, sealed, and its hash."""
    sealed, digest = note or (None, None)
    values = {"result": result, "result_at": at, "sealed": sealed, "sealed_hash": digest}
    conn.execute(update(use_record).where(use_record.c.record_id == number).values(**values))
