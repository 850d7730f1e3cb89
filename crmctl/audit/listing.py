"""Look into the log: entries newest first, narrowed by who, what, whom, when and how it ended."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import ColumnElement, Connection, Engine, literal, or_, select

from crmctl.audit import pruned
from crmctl.audit.reading import as_bytes
from crmctl.audit.tables import audit_entry, change, look
from crmctl.audit.verify_entries import LOOKS
from crmctl.clock import stamp
from crmctl.errors import InvalidInput
from crmctl.i18n import _
from crmctl.store.engine import read

PAGE = 1000
_NUMBER = re.compile(r"(?:[Cc]-?)?0*([1-9][0-9]{0,14})")


@dataclass(frozen=True)
class Filters:
    """What to list; an empty part narrows nothing.

    `act` may end in `.*`; `customer` also finds the chunks that changed it and the lists that showed it; `since` and
    `until` (exclusive) are by the entry's time; `before` continues below that number.
    """

    who: str = ""
    act: str = ""
    customer: int = 0
    since: datetime | None = None
    until: datetime | None = None
    result: str = ""
    before: int | None = None


@dataclass(frozen=True)
class Page:
    """Entries newest first, as they are stored, and where the next page begins (None: this is all)."""

    entries: list[dict[str, Any]]
    next: int | None


def list_entries(engine: Engine, filters: Filters, limit: int) -> Page:
    """Return up to `limit` entries. One that is not readable is shown with its number alone."""
    with read(engine) as conn:
        found: list[dict[str, Any]] = []
        for body in matching(conn, filters):
            if len(found) == limit:
                return Page(found, found[-1]["seq"])
            found.append(body)
    return Page(found, None)


def matching(conn: Connection, filters: Filters) -> Iterator[dict[str, Any]]:
    """Yield the entries that match, newest first, in flat memory; of what is pruned, nothing."""
    chunks = touching(conn, filters.customer) if filters.customer else set()
    columns = audit_entry.c
    below, kept = filters.before, columns.seq >= pruned.size(conn)
    while True:
        statement = select(columns.seq, as_bytes(conn, columns.body)).where(kept, *_likely(filters))
        if below is not None:
            statement = statement.where(columns.seq < below)
        rows = conn.execute(statement.order_by(columns.seq.desc()).limit(PAGE)).all()
        for seq, text in rows:
            body = _parsed(seq, text)
            if _matches(body, filters, chunks):
                yield body
        if len(rows) < PAGE:
            return
        below = rows[-1][0]


def _likely(filters: Filters) -> list[ColumnElement[bool]]:
    """Return what the text of a matching entry must contain: the database leaves most others out."""
    body = audit_entry.c.body
    wanted = []
    if filters.who:
        wanted.append(f'"person":{json.dumps(filters.who)}')
    if filters.act:
        wanted.append(f'"act":"{filters.act.removesuffix("*")}')
    if filters.result:
        wanted.append(f'"result":"{filters.result}"')
    conditions = [body.contains(text, autoescape=True) for text in wanted]
    if filters.customer:
        marks = (f'"obj":"customer:{filters.customer}"', '"changes_root"', '"looks_root"')
        conditions.append(or_(*(body.contains(mark, autoescape=True) for mark in marks)))
    return conditions


def _matches(body: dict[str, Any], filters: Filters, chunks: set[tuple[int, int]]) -> bool:
    moment = str(body.get("ts", ""))
    act = str(body.get("act", ""))
    return not (
        (filters.who and body.get("actor", {}).get("person") != filters.who)
        or (filters.act and act != filters.act and not _under(filters.act, act))
        or (filters.result and body.get("result") != filters.result)
        or (filters.since and moment < stamp(filters.since))
        or (filters.until and moment >= stamp(filters.until))
        or (
            filters.customer
            and body.get("obj") != f"customer:{filters.customer}"
            and not ("changes_root" in body and (body.get("run"), body.get("chunk")) in chunks)
            and not ("looks_root" in body and (body.get("run"), LOOKS) in chunks)
        )
    )


def _under(pattern: str, act: str) -> bool:
    return pattern.endswith(".*") and act.startswith(pattern[:-1])


def _parsed(seq: int, text: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(text)
    except ValueError:
        body = None
    return {**body, "seq": seq} if isinstance(body, dict) and isinstance(body.get("actor"), dict) else {"seq": seq}


def touching(conn: Connection, customer: int) -> set[tuple[int, int]]:
    """Return (run, chunk) of every chunk that changed a customer, (run, LOOKS) of every command that showed it."""
    changed = select(change.c.run_id, change.c.chunk).where(change.c.customer_id == customer).distinct()
    shown = select(look.c.run_id, literal(LOOKS)).where(look.c.customer_id == customer)
    return {(row[0], row[1]) for statement in (changed, shown) for row in conn.execute(statement)}


def parse_customer(text: str) -> int:
    """Return the customer number of `C-000123` or `123`. Raises InvalidInput for anything else."""
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        raise InvalidInput(
            _("{text}: not a customer number").format(text=text[:20]),
            hint=_("write it as C-000123 or 123"),
            code="NUMBER_INVALID",
        )
    return int(match.group(1))


def parse_moment(text: str, zone: str, *, end: bool = False) -> datetime:
    """Return the moment that `text` names in the company's zone; of a date its beginning, or with `end` the next day's.

    Raises InvalidInput for what is no date or time.
    """
    try:
        if len(text) <= 10:
            day = date.fromisoformat(text) + timedelta(days=end)
            return datetime.combine(day, time(), ZoneInfo(zone))
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise InvalidInput(
            _("{text}: not a date or time").format(text=text[:40]),
            hint=_("write 2026-11-21 or 2026-11-21T18:00"),
            code="TIME_INVALID",
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))
